"""refine, before the texts: the quality classifier, trained when the recipe says on what.

inputs      a JSONL file of rows (text, label: good or bad), or a model that is there
plan        one unit, none without a classifier
transform   fastText on one thread: the same rows give the same bytes
commit      the model as a file of the run, named by its hash
"""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Iterator
from dataclasses import dataclass

from pipelines.engine.beam_units import map_units
from pipelines.engine.units import Journal, Unit, UnitResult, unit_key
from pipelines.errors import UserError
from pipelines.fingerprint import code_hash
from pipelines.recipe import Classifier
from pipelines.run_state import Run
from pipelines.store import files
from pipelines.store.tables import TableFile, sha256_of

NAME = "refine_classifier"


def plan(run: Run) -> list[Unit]:
    section = run.recipe.refine.classifier
    if section is None:
        return []
    source = str(section.model or section.train)
    try:
        sha = sha256_of(source)
    except OSError as error:
        key = "model" if section.model else "train"
        raise UserError(
            f"key 'refine.classifier.{key}': {source}: {error.strerror or error}"
        ) from None
    code = code_hash("pipelines.stages.refine_classifier")
    key = unit_key(NAME, code, section.model_dump(exclude={"model", "train"}), sha)
    return [Unit(key, "quality", files.identity(source)[0], section)]


def execute(run: Run, units: list[Unit]) -> None:
    map_units(run.engine, ClassifierWork(run.dir), units)


@dataclass
class ClassifierWork:
    run_dir: str
    stage: str = NAME

    def open(self) -> None: ...
    def close(self) -> None: ...

    def run(self, unit: Unit) -> UnitResult:
        started = time.process_time()
        section: Classifier = unit.payload
        result = UnitResult(unit.key, unit.name, bytes_in=unit.size)
        folder = files.join(self.run_dir, "refine", "model")
        with files.scratch(folder) as tmp:
            rows = self._make(section, tmp)
            sha, size = sha256_of(tmp), files.identity(tmp)[0]
            name = f"refine/model/{unit.name}.{sha[:12]}.bin"
            files.publish(tmp, files.join(self.run_dir, name))
        result.tables["model"] = [TableFile(name, rows, size, sha, sha)]
        result.count("training_rows", rows)
        result.cpu_seconds = time.process_time() - started
        Journal(self.run_dir, NAME).write(result)
        return result

    def _make(self, section: Classifier, path: str) -> int:
        """Put the model at `path`; returns the rows it was trained on here."""
        from quality import classifier

        if section.model:
            with files.open_read(section.model) as given, open(path, "wb") as f:
                shutil.copyfileobj(given, f)
            classifier.load(path)
            return 0
        rows = list(labelled(str(section.train)))
        classifier.train(
            rows,
            path,
            seed=section.seed,
            dim=section.dim,
            epoch=section.epoch,
            bucket=section.bucket,
        )
        return len(rows)


def labelled(path: str) -> Iterator[tuple[str, str]]:
    """(text, label) rows of a JSONL file. Raises UserError naming the line."""
    with files.open_read(path) as f:
        for number, line in enumerate(f, 1):
            try:
                row = json.loads(line)
                yield str(row["text"]), str(row["label"])
            except (ValueError, KeyError, TypeError):
                raise UserError(
                    f"{path} line {number}: wants a JSON object with text and label"
                ) from None
