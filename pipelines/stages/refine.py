"""refine: every text measured and cleaned.

inputs      documents, rule sets, the classifier's model
plan        a unit a documents file
transform   row group by row group: language, signals, rules, tokens, quality
commit      texts and signals, row for row with documents
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import Any

import pyarrow as pa

from pipelines.engine.beam_units import map_units
from pipelines.engine.units import Journal, Unit, UnitResult, unit_key
from pipelines.errors import UserError, one_line
from pipelines.fingerprint import code_hash
from pipelines.recipe import Recipe
from pipelines.run_state import Run
from pipelines.store import files, schemas
from pipelines.store.tables import TableFile, TableWriter, read_groups

NAME = "refine"
ROW_GROUP = 2048
_COLUMNS = ["page_id", "language", "script", "site", "page_type", "text"]


def plan(run: Run) -> list[Unit]:
    recipe = run.recipe
    model = next(iter(run.manifest.tables("refine_classifier", "model")), None)
    own = sorted(recipe.refine.signals.items())
    modules = sorted({path.split(":")[0] for _, path in own})
    basis = [
        code_hash("pipelines.stages.refine", *modules),
        [r.digest for r in rule_sets(recipe)],
        own,
        recipe.tokenizer,
        model.sha256 if model else None,
    ]
    return [
        Unit(unit_key(NAME, basis, f.logical), f.stem, f.bytes, (f, model))
        for f in run.manifest.tables("extract", "documents")
    ]


def check(recipe: Recipe) -> None:
    """Load rule sets and find the user's own signals. Raises UserError naming the key."""
    from quality.refine import own_signal

    rule_sets(recipe)
    taken = set(schemas.signals().names)
    for name, path in recipe.refine.signals.items():
        key = f"key 'refine.signals.{name}'"
        if name in taken or not name.isidentifier():
            raise UserError(f"{key}: the name is taken or not a plain word; choose another")
        try:
            own_signal(path)
        except (ImportError, AttributeError, ValueError) as error:
            raise UserError(
                f"{key}: {path}: {one_line(error)}; write package.module:function"
            ) from None


def rule_sets(recipe: Recipe) -> list[Any]:
    """The recipe's cleaning rule sets, checked. Raises UserError."""
    from quality.rules import form

    try:
        return [form.starter() if r == "starter" else form.load(r) for r in recipe.refine.rules]
    except form.RuleError as error:
        raise UserError(f"key 'refine.rules': {error}") from None


def execute(run: Run, units: list[Unit]) -> None:
    map_units(run.engine, RefineWork(run.dir, run.recipe), units)


@dataclass
class RefineWork:
    run_dir: str
    recipe: Recipe
    stage: str = NAME
    _tools: Any = field(default=None, init=False, repr=False)

    def open(self) -> None:
        self._tools = None

    def close(self) -> None: ...

    def run(self, unit: Unit) -> UnitResult:
        from quality.refine import Batch, refine

        started = time.process_time()
        documents, model = unit.payload
        tools = self._load(model)
        result = UnitResult(unit.key, unit.name, bytes_in=unit.size)
        schema = schemas.signals(self.recipe.refine.signals)
        with (
            TableWriter(self.run_dir, "refine/texts", unit.name, schemas.TEXTS, ROW_GROUP) as texts,
            TableWriter(self.run_dir, "refine/signals", unit.name, schema) as signals,
        ):
            for group in read_groups(files.join(self.run_dir, documents.path), _COLUMNS):
                given = group.to_pydict()
                clean, columns = refine(
                    Batch(given["text"], given["language"], given["script"], given["site"],
                          given["page_type"]),
                    tools,
                )  # fmt: skip
                columns["page_id"] = given["page_id"]
                texts.write(pa.table({"page_id": given["page_id"], "text": clean}, schemas.TEXTS))
                signals.write(pa.table({n: columns[n] for n in schema.names}, schema))
                result.count("documents", group.num_rows)
                result.count("tokens", sum(columns["tokens"]))
                result.count("cleaned", sum(n > 0 for n in columns["removed_chars"]))
                result.count("removed_chars", sum(columns["removed_chars"]))
            result.tables = {"texts": [texts.commit()], "signals": [signals.commit()]}
        result.cpu_seconds = time.process_time() - started
        Journal(self.run_dir, NAME).write(result)
        return result

    def _load(self, model: TableFile | None) -> Any:
        """Tools of this worker, loaded with the first unit, which names the model."""
        from quality import classifier
        from quality.refine import Tools, own_signal

        if self._tools is None:
            own = {name: own_signal(path) for name, path in self.recipe.refine.signals.items()}
            loaded = classifier.load(files.join(self.run_dir, model.path)) if model else None
            self._tools = Tools(rule_sets(self.recipe), loaded, own, self.recipe.tokenizer)
        return self._tools
