"""The run's manifest: which files count, what they hold and what they were made from.

Readers read only what it names. It is written whole, by rename, after a stage's checks have
passed: that write is the commit.
"""

from __future__ import annotations

import platform
from dataclasses import dataclass, field
from importlib import metadata
from typing import Any

from pipelines.errors import RunError, UserError
from pipelines.store import files
from pipelines.store.tables import TableFile

FORMAT = 1


@dataclass
class StageRecord:
    """A committed stage: its fingerprint, its tables and what it counted."""

    fingerprint: str
    units: int
    tables: dict[str, list[TableFile]]
    counts: dict[str, int]
    cpu_seconds: float
    bytes_in: int

    def to_json(self) -> dict[str, Any]:
        return {
            **self.__dict__,
            "tables": {t: [f.to_json() for f in fs] for t, fs in sorted(self.tables.items())},
        }

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> StageRecord:
        tables = {t: [TableFile(**f) for f in fs] for t, fs in data["tables"].items()}
        return cls(**{**data, "tables": tables})


@dataclass
class Manifest:
    run_dir: str
    recipe: dict[str, Any] = field(default_factory=dict)
    stages: dict[str, StageRecord] = field(default_factory=dict)
    notes: dict[str, str] = field(default_factory=dict)  # tokenizer, suffix list ...

    @property
    def path(self) -> str:
        return files.join(self.run_dir, "manifest.json")

    def tables(self, stage: str, table: str) -> list[TableFile]:
        record = self.stages.get(stage)
        return record.tables.get(table, []) if record else []

    def paths(self, stage: str, table: str) -> list[str]:
        return [files.join(self.run_dir, f.path) for f in self.tables(stage, table)]

    def named(self) -> set[str]:
        """Every file that counts, relative to the run."""
        return {f.path for r in self.stages.values() for table in r.tables.values() for f in table}

    def write(self) -> None:
        files.crash_point("before manifest")
        files.write_json(
            self.path,
            {
                "format": FORMAT,
                "gristmill": metadata.version("gristmill"),
                "python": platform.python_version(),
                "recipe": self.recipe,
                "notes": self.notes,
                "stages": {name: r.to_json() for name, r in self.stages.items()},
            },
            indent=1,
        )
        files.crash_point("after manifest")


def load(run_dir: str) -> Manifest | None:
    """The manifest of a run folder, None when it has none. Raises RunError when it is broken."""
    path = files.join(run_dir, "manifest.json")
    try:
        data = files.read_json(path)
        if data is None:
            return None
        if data["format"] != FORMAT:
            raise RunError(f"{path}: format {data['format']} is of another version of Gristmill")
        stages = {name: StageRecord.from_json(r) for name, r in data["stages"].items()}
        return Manifest(run_dir, data["recipe"], stages, data["notes"])
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise RunError(
            f"{path}: the manifest is damaged ({' '.join(str(error).split())[:80]}); "
            f"choose another --out or remove the file to start again"
        ) from None


def must_load(run_dir: str) -> Manifest:
    """The manifest of a finished run. Raises UserError when there is no run."""
    found = load(run_dir)
    if found is None:
        raise UserError(f"{run_dir}: no manifest.json there; give the --out folder of a run")
    return found


def table_paths(run_dir: str, stage: str, table: str) -> list[str]:
    found = load(run_dir)
    return found.paths(stage, table) if found else []
