"""extract: one read of the crawl that writes pages, links, robots and documents.

    inputs      files of the recipe's `input`, a unit each
    plan        one unit a file, keyed by the file's identity, the recipe's section and our code
    transform   record -> gates by header -> isolated child: decode, scan, gates, text -> tables
    commit      documents + ledger rows = pages, unit by unit

Cheap questions are asked here in the worker (status, lists, header opt-outs, known sites); what
needs the page's bytes is asked in the child, in `quality.capture`.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from graph_rank.sites import psl_version
from pipelines.engine.beam_units import map_units
from pipelines.engine.isolate import Child, Fault
from pipelines.engine.units import Journal, Unit, UnitResult, retry, unit_key
from pipelines.errors import one_line
from pipelines.fingerprint import code_hash
from pipelines.recipe import Recipe
from pipelines.run_state import Run
from pipelines.stages import extract_gates as gates
from pipelines.stages.extract_rows import Faults, UnitTables
from pipelines.store import captures, corpora, files, inputs, warc
from quality.capture import Capture, Config, Drop, Request

NAME = "extract"
TABLES = ("pages", "links", "robots", "documents", "ledger")
BATCH_BYTES = 2 << 20
BATCH_PAGES = 64
MAX_RECORD_BYTES = 64 << 20
_WANTED = captures.PAGE_TYPES | {"metadata"}  # WAT files hold their links in metadata records


def plan(run: Run) -> list[Unit]:
    """One unit an input file, in the order of their paths. Raises UserError when there are none."""
    recipe = run.recipe
    section = recipe.extract.model_dump(mode="json")
    code = code_hash("pipelines.stages.extract", "quality.capture", _extractor_module(recipe))
    basis = [code, section, recipe.sample, psl_version(), gates.identity(recipe.extract.gate)]
    units = []
    for item in inputs.resolve(recipe.sources()):
        key = unit_key("extract", basis, item.path, item.size, item.mark, item.source)
        units.append(Unit(key, item.name, item.size, (item.path, item.source)))
    return units


def execute(run: Run, units: list[Unit]) -> None:
    map_units(run.engine, ExtractWork(run.dir, run.recipe), units)


def check(results: list[UnitResult]) -> None:
    """Every page has a document or a ledger row. Raises RunError naming the unit that leaks."""
    for result in results:
        rows = {name: sum(f.rows for f in table) for name, table in result.tables.items()}
        left = rows["ledger"] - result.counts.get("stretches", 0)
        if rows["pages"] != rows["documents"] + left:
            raise AssertionError(
                f"{result.name}: {rows['pages']} pages came in, but {rows['documents']} documents "
                f"and {left} ledger rows went out"
            )


def _extractor_module(recipe: Recipe) -> str:
    name = recipe.extract.extractor
    return "quality.html.trafilatura" if name == "trafilatura" else name.split(":")[0]


def child_config(recipe: Recipe) -> Config:
    e = recipe.extract
    return Config(
        body_bytes=e.limits.body_bytes,
        nodes=e.limits.nodes,
        depth=e.limits.depth,
        min_visible_chars=e.gate.min_visible_chars,
        languages=tuple(e.gate.languages) if e.gate.languages is not None else None,
        honour_opt_outs=e.gate.opt_outs == "honour",
        agents=tuple(e.agents),
        extractor=e.extractor,
    )


@dataclass
class ExtractWork:
    """Reads one input file. Lives in a worker; its child process parses the pages."""

    run_dir: str
    recipe: Recipe
    stage: str = NAME
    _child: Child | None = field(default=None, init=False, repr=False)
    _gates: gates.Gates | None = field(default=None, init=False, repr=False)

    def open(self) -> None:
        limits = self.recipe.extract.limits
        self._gates = gates.load(self.recipe.extract, self.recipe.sample)
        self._child = Child(
            "quality.capture:reader",
            child_config(self.recipe),
            limits.cpu_seconds,
            limits.memory_mb << 20,
        )

    def close(self) -> None:
        if self._child:
            self._child.close()

    def run(self, unit: Unit) -> UnitResult:
        result = retry(lambda: self._read(unit, None), lambda e: self._read(unit, one_line(e)))
        Journal(self.run_dir, NAME).write(result)
        return result

    def _read(self, unit: Unit, failure: str | None) -> UnitResult:
        """Read a unit; with `failure`, write only the row that says why it could not be read."""
        assert self._child
        path, source = unit.payload
        started, child_before = time.process_time(), self._child.cpu_used
        result = UnitResult(unit.key, unit.name, bytes_in=unit.size)
        with UnitTables(self.run_dir, unit.name, path, source, result) as out:
            if failure is not None:
                out.stretch(warc.Damage(0, unit.size, "unit_failed", failure))
            else:
                self._fill(path, unit, out)
            result.tables = out.commit()
        child = self._child.cpu_used - child_before
        result.cpu_seconds = time.process_time() - started + child
        return result

    def _fill(self, path: str, unit: Unit, out: UnitTables) -> None:
        faults = Faults(self.run_dir, unit.key)
        batch: list[_Waiting] = []
        size = 0
        for item in self._items(path, out):
            batch.append(item)
            size += len(item.request.body) if item.request else 0
            if size >= BATCH_BYTES or len(batch) >= BATCH_PAGES:
                self._flush(batch, out, faults)
                batch, size = [], 0
        self._flush(batch, out, faults)

    def _items(self, path: str, out: UnitTables) -> Iterator[_Waiting]:
        kind = inputs.kind_of(path)
        if kind in ("jsonl", "parquet"):
            yield from self._corpus(path, kind, out)
        elif kind in inputs.SKIPPED:
            out.stretch(warc.Damage(0, files.identity(path)[0], f"skipped_{kind}", "not a crawl"))
        else:
            yield from self._crawl(path, out)

    def _crawl(self, path: str, out: UnitTables) -> Iterator[_Waiting]:
        limit = self.recipe.extract.limits.body_bytes
        with files.open_read(path) as stream:
            for record in warc.read_records(stream, max_bytes=MAX_RECORD_BYTES, want=_WANTED):
                if isinstance(record, warc.Damage):
                    out.stretch(record)
                elif record.type in captures.PAGE_TYPES:
                    # one byte over the limit, so that the page is seen to be too large
                    page = captures.captured(record, path, limit + 1)
                    yield self._ask(page, record.offset, record.length, out)
                else:
                    out.result.count(f"records_{record.type}")
                    if record.type == "metadata":
                        out.wat_links(record)

    def _corpus(self, path: str, kind: str, out: UnitTables) -> Iterator[_Waiting]:
        for row in corpora.rows(path, kind):
            if isinstance(row, corpora.BadRow):
                out.stretch(warc.Damage(row.number, 0, "bad_row", row.why))
            else:
                page = corpora.captured(row, path)
                yield self._ask(page, row.number, 0, out)

    def _ask(self, page: captures.Captured, offset: int, length: int, out: UnitTables) -> _Waiting:
        """The questions that need no parsing; what passes waits for the child."""
        assert self._gates
        row = out.page_row(page, offset, length)
        drop = self._gates.before_reading(page, row)
        if drop is None:
            kind = "html" if page.message or corpora.is_html(page) else "text"
            extract = not self.recipe.extract.links_only
            request = Request(kind, page.url, page.body, page.content_type, extract)
            return _Waiting(page, row, None, request)
        if drop.reason == "robots_txt":
            out.robots_txt(page, row)
        return _Waiting(page, row, drop, None)

    def _flush(self, batch: list[_Waiting], out: UnitTables, faults: Faults) -> None:
        """Send what waits to the child and write the batch's rows in the order of the file."""
        assert self._child and self._gates
        to_read = [w for w in batch if w.request and not faults.known(w.row["page_id"])]
        answers = iter(self._child.map([w.request for w in to_read]))
        sent = {id(w) for w in to_read}
        for waiting in batch:
            answer: Any = Capture(waiting.drop)
            if waiting.request:
                page_id = waiting.row["page_id"]
                answer = next(answers) if id(waiting) in sent else faults.replay(page_id)
                if isinstance(answer, Fault):
                    faults.record(page_id, answer)
                    answer = Capture(Drop(f"failed_{answer.reason}", detail=answer.detail))
            if answer.drop is None and answer.text is None:
                answer = answer._replace(drop=Drop("links_only"))
            out.add(waiting.page, waiting.row, answer)


@dataclass
class _Waiting:
    """A page between the gates of the worker and the child."""

    page: captures.Captured
    row: dict[str, Any]
    drop: Drop | None
    request: Request | None
