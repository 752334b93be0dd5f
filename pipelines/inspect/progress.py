"""A line per stage while a run works: bytes done, rate, time to go; none when not a terminal."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pipelines.engine.units import Journal, Unit

Watch = Callable[[str, "list[Unit]", "Journal"], AbstractContextManager[None]]


@contextmanager
def display(quiet: bool) -> Iterator[Watch | None]:
    """Yields what `run` calls around each stage; None when nobody watches."""
    if quiet:
        yield None
        return
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        Progress,
        TaskProgressColumn,
        TextColumn,
        TimeRemainingColumn,
        TransferSpeedColumn,
    )

    columns: list[Any] = [
        TextColumn("{task.description:8}"),
        BarColumn(),
        TaskProgressColumn(),
        TransferSpeedColumn(),
        TimeRemainingColumn(),
        TextColumn("{task.fields[units]}"),
    ]
    with Progress(*columns, console=Console(stderr=True)) as bars:

        @contextmanager
        def watch(stage: str, units: list[Unit], journal: Journal) -> Iterator[None]:
            total = sum(u.size for u in units) or 1
            task = bars.add_task(stage, total=total, units=f"0/{len(units)} units")
            stop = threading.Event()

            def look() -> None:
                waiting = {u.key: u for u in units}
                while not stop.wait(0.5):
                    for key in [k for k in waiting if journal.has(k)]:
                        bars.advance(task, waiting.pop(key).size)
                    done = len(units) - len(waiting)
                    bars.update(task, units=f"{done}/{len(units)} units")

            watcher = threading.Thread(target=look, daemon=True)
            watcher.start()
            try:
                yield
                bars.update(task, completed=total, units=f"{len(units)}/{len(units)} units")
            finally:
                stop.set()
                watcher.join()

        yield watch


def say(quiet: bool) -> Callable[[str], None]:
    """Prints a line to stderr, or nothing."""

    def line(text: str) -> None:
        if text and not quiet:
            print(text, file=sys.stderr)

    return line
