"""Work units: what Beam moves instead of documents.

A unit is one file's worth of work. It is read, worked on and written by one worker, and leaves a
journal entry that names what it wrote. The entry's key is a hash of everything that went in, so a
unit that has been done is never done again, and one whose input changed always is.
"""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

from pipelines.store import files
from pipelines.store.tables import TableFile

T = TypeVar("T")


@dataclass(frozen=True)
class Unit:
    """One piece of work. `payload` is what the stage needs to do it (small and picklable)."""

    key: str
    name: str
    size: int
    payload: Any = None


@dataclass
class UnitResult:
    """What a unit wrote and counted; its JSON form is the journal entry."""

    key: str
    name: str
    tables: dict[str, list[TableFile]] = field(default_factory=dict)
    counts: dict[str, int] = field(default_factory=dict)
    cpu_seconds: float = 0.0
    bytes_in: int = 0

    def count(self, name: str, by: int = 1) -> None:
        self.counts[name] = self.counts.get(name, 0) + by

    def to_json(self) -> dict[str, Any]:
        return {
            "key": self.key,
            "name": self.name,
            "tables": {t: [f.to_json() for f in fs] for t, fs in sorted(self.tables.items())},
            "counts": dict(sorted(self.counts.items())),
            "cpu_seconds": round(self.cpu_seconds, 3),
            "bytes_in": self.bytes_in,
        }

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> UnitResult:
        tables = {t: [TableFile(**f) for f in fs] for t, fs in data["tables"].items()}
        return cls(
            data["key"], data["name"], tables, data["counts"], data["cpu_seconds"], data["bytes_in"]
        )


def unit_key(*parts: Any) -> str:
    """32 hex digits that change when any part does. Parts are JSON-like."""
    text = json.dumps(parts, sort_keys=True, ensure_ascii=False, default=str)
    return hashlib.blake2b(text.encode(), digest_size=16).hexdigest()


def deal(units: Sequence[Unit], workers: int) -> list[Unit]:
    """Order units so that runners that split a list `[k::workers]` finish together.

    Largest first, dealt forth and back (0, 1, 1, 0, ...): each round gives every worker one unit,
    the one who got the largest gets the smallest of the next round.
    """
    ordered = sorted(units, key=lambda u: (-u.size, u.name))
    dealt: list[Unit] = []
    for start in range(0, len(ordered), workers):
        row = ordered[start : start + workers]
        dealt += row if (start // workers) % 2 == 0 or len(row) < workers else row[::-1]
    return dealt


class Journal:
    """Finished units of one stage, a small JSON file each, written when all their tables stand."""

    def __init__(self, run_dir: str, stage: str) -> None:
        self.run_dir = run_dir
        self.folder = files.join(run_dir, "journal", stage)

    def path(self, key: str) -> str:
        return files.join(self.folder, key + ".json")

    def read(self, key: str) -> UnitResult | None:
        """The unit's result; None if it never finished or its files are gone or were cut."""
        try:
            data = files.read_json(self.path(key))
            if data is None:
                return None
            result = UnitResult.from_json(data)
        except (ValueError, KeyError, TypeError):
            return None
        for table in result.tables.values():
            for f in table:
                where = files.join(self.run_dir, f.path)
                if not files.exists(where) or files.identity(where)[0] != f.bytes:
                    return None
        return result

    def write(self, result: UnitResult) -> None:
        files.crash_point("before journal")
        files.write_json(self.path(result.key), result.to_json())
        files.crash_point("after journal")

    def has(self, key: str) -> bool:
        return files.exists(self.path(key))


def retry(
    work: Callable[[], T], give_up: Callable[[BaseException], T], times: int = 3, pause: float = 0.2
) -> T:
    """`work()`, tried `times` times; then `give_up(error)` decides what the failure becomes.

    Errors of the place we write to are raised at once: trying again cannot mend a full disk.
    """
    for attempt in range(1, times + 1):
        try:
            return work()
        except Exception as error:
            if files.is_storage_error(error):
                raise
            if attempt == times:
                return give_up(error)
            time.sleep(pause * attempt)
    raise AssertionError("unreachable")


def total_bytes(units: Iterable[Unit]) -> int:
    return sum(u.size for u in units)
