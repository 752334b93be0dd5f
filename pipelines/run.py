"""A run: plan every stage, do what is not done, check that nothing was lost, commit.

A stage's units are keyed by everything that goes into them. What the journal already holds is
skipped, so resuming after a crash, re-running an unchanged recipe and re-running after a changed
threshold are one and the same thing.
"""

from __future__ import annotations

import importlib
import os
import shutil
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from pipelines.engine.runners import Engine
from pipelines.engine.units import Journal, Unit, UnitResult, total_bytes, unit_key
from pipelines.errors import RunError, UserError, one_line
from pipelines.mixing import card, sources
from pipelines.recipe import Recipe
from pipelines.run_state import Run
from pipelines.stages import (
    decide,
    decide_ledger,
    dedup,
    dedup_clusters,
    dedup_pairs,
    extract,
    pack,
    rank,
    refine,
    refine_classifier,
)
from pipelines.store import files, manifest
from pipelines.store.manifest import StageRecord
from pipelines.store.tables import TableFile


@dataclass(frozen=True)
class Stage:
    """A stage of the run: what `plan` gives and `check` accepts is what is committed."""

    name: str
    part_of: str
    plan: Callable[[Run], list[Unit]]
    execute: Callable[[Run, list[Unit]], None]
    check: Callable[[Run, list[UnitResult]], None]


def _fine(run: Run, results: list[UnitResult]) -> None:
    """Nothing to balance."""


def _row_for_row(*tables: str) -> Callable[[Run, list[UnitResult]], None]:
    """Each of these tables has a row for every document that extract let through."""

    def check(run: Run, results: list[UnitResult]) -> None:
        documents = [f.rows for f in run.manifest.tables("extract", "documents")]
        for table in tables:
            rows = [f.rows for r in results for f in r.tables[table]]
            if rows != documents:
                raise AssertionError(f"{sum(documents)} documents in, {sum(rows)} {table} out")

    return check


STAGES = (
    Stage("extract", "extract", extract.plan, extract.execute, lambda _, r: extract.check(r)),
    Stage("rank", "rank", rank.plan, rank.execute, _fine),
    Stage("refine_classifier", "refine", refine_classifier.plan, refine_classifier.execute, _fine),
    Stage("refine", "refine", refine.plan, refine.execute, _row_for_row("texts", "signals")),
    Stage("dedup", "dedup", dedup.plan, dedup.execute, _row_for_row("signatures")),
    Stage("dedup_pairs", "dedup", dedup_pairs.plan, dedup_pairs.execute, _fine),
    Stage(
        "dedup_clusters",
        "dedup",
        dedup_clusters.plan,
        dedup_clusters.execute,
        _row_for_row("clusters"),
    ),
    Stage("decide", "decide", decide.plan, decide.execute, _row_for_row("decisions")),
    Stage("ledger", "decide", decide_ledger.plan, decide_ledger.execute, decide_ledger.check_whole),
    Stage("pack", "pack", pack.plan, pack.execute, _fine),
)
NAMES = ("extract", "rank", "refine", "dedup", "decide", "pack")

Watch = Callable[[str, list[Unit], Journal], Any]
"""Given a stage about to run, returns a context manager that shows its progress."""


def run(
    recipe: Recipe,
    out: str,
    engine: Engine,
    until: str | None = None,
    watch: Watch | None = None,
    say: Callable[[str], None] = lambda _: None,
) -> manifest.Manifest:
    """Run the recipe into folder `out` and return its manifest. Raises UserError, RunError."""
    if until is not None and until not in NAMES:
        raise UserError(f"--until {until}: not a stage; stages are {', '.join(NAMES)}")
    check(recipe)
    files.make_folder(out)
    state = _open(recipe, out, engine)
    wanted = NAMES[: NAMES.index(until) + 1] if until else NAMES
    if recipe.extract.links_only:
        wanted = tuple(name for name in wanted if name in ("extract", "rank"))
    for stage in STAGES:
        if stage.part_of not in wanted:
            continue
        _do(state, stage, watch, say)
        if stage.name == "pack":
            _publish(state)
    return state.manifest


def check(recipe: Recipe) -> None:
    """Find now what would only fail later. Raises UserError naming the key."""
    sources.check(pack.where(recipe), recipe.refine.signals)
    rank.check(recipe.rank)
    refine.check(recipe)
    dedup.check(recipe.dedup)
    decide.chosen(recipe.decide)
    name = recipe.extract.extractor
    if name != "trafilatura":
        module, _, function = name.partition(":")
        try:
            getattr(importlib.import_module(module), function)
        except (ImportError, AttributeError, ValueError) as error:
            raise UserError(
                f"key 'extract.extractor': {name}: {one_line(error)}; "
                "write trafilatura or package.module:function"
            ) from None


def _open(recipe: Recipe, out: str, engine: Engine) -> Run:
    found = manifest.load(out) or manifest.Manifest(out)
    found.recipe = recipe.model_dump(mode="json")
    found.notes = notes(recipe)
    log = files.join(out, "journal", "worker.log") if files.is_local(out) else None
    return Run(out, recipe, replace(engine, log=log), found)


def notes(recipe: Recipe) -> dict[str, str]:
    """Outside data that results depend on, named and hashed for the manifest."""
    from graph_rank.sites import psl_version
    from quality.tokens import tokenizer_id

    try:
        tokenizer = tokenizer_id(recipe.tokenizer)
    except (KeyError, ValueError) as error:
        raise UserError(f"key 'tokenizer': {' '.join(str(error).split())}") from None
    return {"tokenizer": tokenizer, "public_suffix_list": psl_version()}


def _do(state: Run, stage: Stage, watch: Watch | None, say: Callable[[str], None]) -> None:
    units = stage.plan(state)
    fingerprint = unit_key(stage.name, [u.key for u in units])
    committed = state.manifest.stages.get(stage.name)
    journal = Journal(state.dir, stage.name)
    results = {u.key: journal.read(u.key) for u in units}
    todo = [u for u in units if results[u.key] is None]
    if committed and committed.fingerprint == fingerprint and not todo:
        say(f"{stage.name}: unchanged")
        return
    # What follows from an older state of this stage counts no more.
    for later in STAGES[STAGES.index(stage) :]:
        state.manifest.stages.pop(later.name, None)
    if todo:
        done = len(units) - len(todo)
        say(f"{stage.name}: {len(todo)} of {len(units)} units to do" if done else "")
        if watch:
            with watch(stage.name, todo, journal):
                _execute(state, stage, todo)
        else:
            _execute(state, stage, todo)
        for unit in todo:
            results[unit.key] = journal.read(unit.key)
            if results[unit.key] is None:
                raise RunError(
                    f"{stage.name}: unit {unit.name} left no result; run the same command again"
                )
    finished = [r for u in units if (r := results[u.key])]
    try:
        stage.check(state, finished)
    except AssertionError as error:
        raise RunError(f"{error} (a bug of Gristmill: nothing was committed)") from None
    state.manifest.stages[stage.name] = _record(fingerprint, finished)
    state.manifest.write()


def _execute(state: Run, stage: Stage, todo: list[Unit]) -> None:
    try:
        stage.execute(state, todo)
    except OSError as error:
        raise files.storage_error(error.filename or state.dir, error) from None


def _record(fingerprint: str, results: list[UnitResult]) -> StageRecord:
    tables: dict[str, list[TableFile]] = {}
    counts: dict[str, int] = {}
    for result in results:
        for name, found in result.tables.items():
            tables.setdefault(name, []).extend(found)
        for name, count in result.counts.items():
            counts[name] = counts.get(name, 0) + count
    return StageRecord(
        fingerprint=fingerprint,
        units=len(results),
        tables=tables,
        counts=dict(sorted(counts.items())),
        cpu_seconds=round(sum(r.cpu_seconds for r in results), 2),
        bytes_in=sum(r.bytes_in for r in results),
    )


def _publish(state: Run) -> None:
    """Write what stands beside the shards, and take away shards of earlier runs of the recipe:
    trainers read `shards/*.parquet`, and none of it may be stale."""
    card.publish(state.manifest, state.recipe, state.manifest.notes["tokenizer"])
    named = {f.path.rsplit("/", 1)[-1] for f in state.manifest.tables("pack", "shards")}
    folder = files.join(state.dir, "shards")
    for path in files.listing(folder) if files.exists(folder) else []:
        if path.rsplit("/", 1)[-1] not in named:
            files.remove(path)


def plan_only(recipe: Recipe, out: str, engine: Engine) -> list[dict[str, Any]]:
    """What a run would do, a row a stage: units, of these done, bytes in, disk to expect.

    Stages after the first that has work cannot be planned before it is done; they say so.
    """
    check(recipe)
    state = _open(recipe, out, engine)
    rows: list[dict[str, Any]] = []
    known = True
    for stage in STAGES:
        if not known:
            rows.append({"stage": stage.name, "units": None, "note": "follows from the above"})
            continue
        units = stage.plan(state)
        journal = Journal(out, stage.name)
        todo = [u for u in units if journal.read(u.key) is None]
        row = {
            "stage": stage.name,
            "units": len(units),
            "done": len(units) - len(todo),
            "bytes_in": total_bytes(todo),
            "disk": int(total_bytes(todo) * DISK_RATIO[stage.name]),
            "note": "",
        }
        known = not todo and stage.name in state.manifest.stages
        rows.append(row)
    return rows


DISK_RATIO = {
    "extract": 0.15,
    "rank": 0.4,
    "refine_classifier": 1.0,
    "refine": 1.2,
    "dedup": 0.4,
    "dedup_pairs": 0.05,
    "dedup_clusters": 0.2,
    "decide": 0.5,
    "ledger": 0.3,
    "pack": 0.4,
}
"""Bytes written a byte of the unit's size; measured on a crawl of 84 MB (docs/benchmarks.md)."""


def clean(out: str, everything: bool = False) -> tuple[int, int]:
    """Remove what no manifest names: leftovers of attempts, and tables of earlier recipes.

    Returns files and bytes removed. With `everything`, the whole run.
    """
    found = manifest.must_load(out)
    if everything:
        if not files.is_local(out):
            raise UserError(f"{out}: --all works on local folders; remove the prefix there")
        total = _size(out)
        shutil.rmtree(out)
        return total
    keep = found.named() | {"manifest.json", "mix.json", "shards.parquet", "README.md"}
    removed = size = 0
    for path in files.listing(out, hidden=True):
        relative = os.path.relpath(path, out) if files.is_local(out) else path[len(out) + 1 :]
        if relative in keep or relative.startswith("journal/"):
            continue
        size += files.identity(path)[0]
        files.remove(path)
        removed += 1
    return removed, size


def _size(folder: str) -> tuple[int, int]:
    sizes = [files.identity(p)[0] for p in files.listing(folder)]
    return len(sizes), sum(sizes)
