"""CPU seconds, wall seconds and proportional memory of a command with all its descendants."""

from __future__ import annotations

import ctypes
import os
import subprocess
import threading
import time
from pathlib import Path
from typing import NamedTuple

_PR_SET_CHILD_SUBREAPER = 36


class Cost(NamedTuple):
    cpu: float
    wall: float
    peak_pss_mb: float
    code: int


def measure(command: list[str], env: dict[str, str] | None = None, watch_memory: bool = False):
    """Run a command to its end. Orphans are adopted, so that no descendant's time is lost."""
    ctypes.CDLL(None).prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    before = os.times()
    started = time.monotonic()
    process = subprocess.Popen(command, env={**os.environ, **(env or {})})
    peak, stop = [0.0], threading.Event()
    if watch_memory:
        threading.Thread(target=_watch, args=(process.pid, peak, stop), daemon=True).start()
    code = process.wait()
    wall = time.monotonic() - started
    stop.set()
    while True:
        try:
            os.wait()
        except ChildProcessError:
            break
    after = os.times()
    cpu = (after.children_user - before.children_user) + (
        after.children_system - before.children_system
    )
    return Cost(cpu, wall, peak[0], code)


def _watch(root: int, peak: list[float], stop: threading.Event) -> None:
    while not stop.wait(0.2):
        peak[0] = max(peak[0], sum(_pss(pid) for pid in _tree(root)) / 1024)


def _pss(pid: int) -> int:
    try:
        for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
            if line.startswith("Pss:"):
                return int(line.split()[1])
    except OSError:
        pass
    return 0


def _tree(root: int) -> list[int]:
    parents: dict[int, list[int]] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                stat = (entry / "stat").read_text().rsplit(")", 1)[1].split()
            except OSError:
                continue
            parents.setdefault(int(stat[1]), []).append(int(entry.name))
    found, waiting = [], [root]
    while waiting:
        pid = waiting.pop()
        found.append(pid)
        waiting += parents.get(pid, [])
    return found
