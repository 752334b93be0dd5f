"""decide: what needs the whole crawl, settled over small columns.

    inputs      documents (without their text), pages (revisits), robots
    plan        one unit: the columns of a million documents are some 100 MB
    transform   robots.txt of each host -> captures of one URL -> exact copies -> survivors
    commit      one decisions file a documents file, row for row; the revisits' partners

A document that fails a filter takes no part in captures and copies, so a bad page can never kill
its good copy.
"""

from __future__ import annotations

import time
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from pipelines.engine.beam_units import map_units
from pipelines.engine.units import Journal, Unit, UnitResult, unit_key
from pipelines.fingerprint import code_hash
from pipelines.recipe import Decide, Recipe
from pipelines.run_state import Run
from pipelines.store import files, schemas
from pipelines.store.tables import TableFile, read_table, write_table
from quality.optout import RobotsGroup, robots_verdict

NAME = "decide"
RULES = ("robots", "repeated_record", "older_capture", "exact_copy")
"""Bit i of a document's `rules` says that rule i took it out."""

PASSED_ON = ["page_id", "url", "site", "source", "language", "tokens"]
COLUMNS = [*PASSED_ON, "canonical_url", "url_key", "host", "captured_at", "content_hash"]
Ints = NDArray[np.int64]


def plan(run: Run) -> list[Unit]:
    documents = run.manifest.tables("extract", "documents")
    pages = run.manifest.tables("extract", "pages")
    robots = run.manifest.tables("extract", "robots")
    section = run.recipe.decide.model_dump(mode="json")
    logical = [f.logical for f in (*documents, *pages, *robots)]
    agents = run.recipe.extract.agents
    key = unit_key(NAME, code_hash("pipelines.stages.decide"), section, agents, logical)
    return [Unit(key, NAME, sum(f.rows for f in documents) * 100, (documents, pages, robots))]


def execute(run: Run, units: list[Unit]) -> None:
    map_units(run.engine, DecideWork(run.dir, run.recipe), units)


@dataclass
class DecideWork:
    run_dir: str
    recipe: Recipe
    stage: str = NAME

    def open(self) -> None: ...
    def close(self) -> None: ...

    def run(self, unit: Unit) -> UnitResult:
        started = time.process_time()
        documents, pages, robots = unit.payload
        result = UnitResult(unit.key, unit.name, bytes_in=unit.size)
        tables = [self._read(f, COLUMNS) for f in documents]
        table = pa.concat_tables(tables) if tables else _empty(schemas.DOCUMENTS, COLUMNS)
        verdicts = decide(
            table, self._robots(robots), self.recipe.decide, self.recipe.extract.agents
        )
        result.tables["decisions"] = self._write(documents, verdicts)
        result.tables["revisits"] = [self._revisits(f, pages) for f in pages]
        for reason, count in _counts(verdicts):
            result.count(reason, count)
        result.cpu_seconds = time.process_time() - started
        Journal(self.run_dir, NAME).write(result)
        return result

    def _read(self, file: TableFile, columns: list[str]) -> pa.Table:
        return read_table(files.join(self.run_dir, file.path), columns)

    def _robots(self, robots: list[TableFile]) -> dict[str, list[RobotsGroup]]:
        """The latest robots.txt of each host, as groups."""
        latest: dict[str, tuple[tuple[str, str], list[RobotsGroup]]] = {}
        for file in robots:
            for row in self._read(file, schemas.ROBOTS.names).to_pylist():
                version = (str(row["captured_at"] or ""), row["page_id"])
                seen = latest.get(row["host"])
                if seen is None or version > seen[0]:
                    seen = latest[row["host"]] = (version, [])
                if version == seen[0]:
                    seen[1].append(RobotsGroup((row["agent"],), tuple(row["rules"])))
        return {host: groups for host, (_, groups) in latest.items()}

    def _write(self, documents: list[TableFile], verdicts: pa.Table) -> list[TableFile]:
        written, start = [], 0
        for file in documents:
            part = verdicts.slice(start, file.rows)
            stem = file.path.rsplit("/", 1)[-1].rsplit(".", 2)[0]
            written.append(write_table(self.run_dir, "decide/decisions", stem, part, 65536))
            start += file.rows
        return written

    def _revisits(self, file: TableFile, pages: list[TableFile]) -> TableFile:
        """The page each revisit of a file repeats: by its reference, else by URL and digest."""
        wanted = ["page_id", "url_key", "payload_digest", "record_type", "revisit_of"]
        table = self._read(file, wanted)
        revisits = table.filter(pc.equal(table["record_type"], "revisit")).to_pylist()
        partners = find_originals(revisits, self._originals(pages) if revisits else [])
        rows = [
            {"page_id": r["page_id"], "partner": p} for r, p in zip(revisits, partners, strict=True)
        ]
        stem = file.path.rsplit("/", 1)[-1].rsplit(".", 2)[0]
        found = pa.Table.from_pylist(rows, schema=schemas.REVISITS)
        return write_table(self.run_dir, "decide/revisits", stem, found)

    def _originals(self, pages: list[TableFile]) -> list[dict[str, object]]:
        if not hasattr(self, "_all_originals"):
            rows: list[dict[str, object]] = []
            for file in pages:
                columns = ["page_id", "url_key", "payload_digest", "record_type"]
                table = self._read(file, columns)
                rows += table.filter(pc.not_equal(table["record_type"], "revisit")).to_pylist()
            self._all_originals = rows
        return self._all_originals


def decide(
    documents: pa.Table,
    robots: dict[str, list[RobotsGroup]],
    section: Decide,
    agents: list[str],
) -> pa.Table:
    """Outcome, reason and partner of every document, in order (schema DECISIONS).

    Among equals the survivor is the first by this order: captures: latest; copies: earliest
    capture, then the shorter canonical URL; ties by URL, then by page_id, then by table order.
    """
    rows = documents.num_rows
    verdict = _Verdicts(rows)
    if section.robots == "honour" and robots:
        _apply_robots(documents, robots, agents, verdict)
    time_ = pc.fill_null(documents["captured_at"].cast(pa.int64()), 0).to_numpy()
    url = _codes(documents["canonical_url"])
    length = pc.utf8_length(documents["canonical_url"]).to_numpy()
    tie = (_codes(documents["url"]), _codes(documents["page_id"]), np.arange(rows))
    order = _order(tie)
    verdict.merge("repeated_record", _codes(documents["page_id"]), _order((np.arange(rows),)))
    if section.captures == "latest":
        key = documents["url_key"].to_numpy()
        size = verdict.merge("older_capture", key, _order((-time_, order)))
        verdict.captures = size
    if section.exact_copies == "merge":
        copies = _order((time_, length, url, order))
        verdict.copies = verdict.merge("exact_copy", _codes(documents["content_hash"]), copies)
    return verdict.table(documents)


def find_originals(
    revisits: list[dict[str, str]], originals: list[dict[str, object]]
) -> list[str | None]:
    """The page_id that each revisit repeats, None where the crawl does not hold it."""
    by_id = {o["page_id"] for o in originals}
    by_digest: dict[tuple[object, object], str] = {}
    by_payload: dict[object, str] = {}
    for o in sorted(originals, key=lambda o: str(o["page_id"])):
        by_digest.setdefault((o["url_key"], o["payload_digest"]), str(o["page_id"]))
        by_payload.setdefault(o["payload_digest"], str(o["page_id"]))
    found: list[str | None] = []
    for r in revisits:
        if r["revisit_of"] in by_id:
            found.append(r["revisit_of"])
        elif r["payload_digest"] is None:
            found.append(None)
        else:
            same_url = by_digest.get((r["url_key"], r["payload_digest"]))
            found.append(same_url or by_payload.get(r["payload_digest"]))
    return found


def _apply_robots(
    documents: pa.Table, robots: dict[str, list[RobotsGroup]], agents: list[str], verdict: _Verdicts
) -> None:
    hosts = pa.array(sorted(robots), pa.string())
    asked = np.flatnonzero(pc.is_in(documents["host"], value_set=hosts).to_numpy())
    some = documents.select(["host", "url"]).take(pa.array(asked))
    for row, host, url in zip(
        asked.tolist(), some["host"].to_pylist(), some["url"].to_pylist(), strict=True
    ):
        said = robots_verdict(robots[host], agents, url)
        if not said.allowed:
            verdict.drop(row, "robots", f"{said.agent}: {said.rule}")


class _Verdicts:
    """Arrays that grow into the decisions table."""

    def __init__(self, rows: int) -> None:
        self.alive = np.ones(rows, bool)
        self.rule = np.full(rows, -1, np.int64)
        self.partner = np.full(rows, -1, np.int64)
        self.captures: Ints = np.ones(rows, np.int64)
        self.copies: Ints = np.ones(rows, np.int64)
        self.detail: dict[int, str] = {}

    def drop(self, row: int, rule: str, detail: str) -> None:
        self.alive[row] = False
        self.rule[row] = RULES.index(rule)
        self.detail[row] = detail

    def merge(self, rule: str, group: NDArray[np.generic], order: Ints) -> Ints:
        """Of living rows with one group value keep the first by `order`; the others merge into it.

        group: any[rows]; order: rank of each row, unique. Returns int64[rows], the number of rows
        merged into each survivor, itself included (1 elsewhere).
        """
        sizes = np.ones(len(self.alive), np.int64)
        living = np.flatnonzero(self.alive)
        if not len(living):
            return sizes
        by = living[np.lexsort((order[living], group[living]))]
        first = np.append(True, group[by][1:] != group[by][:-1])
        heads = by[first]
        survivor = heads[np.cumsum(first) - 1]
        losers = ~first
        sizes[heads] = np.diff(np.append(np.flatnonzero(first), len(by)))
        self.alive[by[losers]] = False
        self.rule[by[losers]] = RULES.index(rule)
        self.partner[by[losers]] = survivor[losers]
        return sizes

    def table(self, documents: pa.Table) -> pa.Table:
        """The decisions; a partner that was itself merged later points on to its survivor."""
        last = self.partner.copy()
        for _ in RULES:
            moved = last >= 0
            onward = np.where(moved, self.partner[last], -1)
            last = np.where(onward >= 0, onward, last)
        reasons = np.array([*RULES, ""], dtype=object)[self.rule]
        dropped = self.rule == RULES.index("robots")
        outcome = np.where(self.alive, "kept", np.where(dropped, "dropped", "merged"))
        bits = np.where(self.rule >= 0, 1 << np.maximum(self.rule, 0), 0).astype(np.uint64)
        ids = documents["page_id"].to_pylist()
        columns = {
            **{name: documents[name] for name in PASSED_ON},
            "outcome": outcome.tolist(),
            "reason": [r or None for r in reasons],
            "rules": bits,
            "detail": [self.detail.get(i) for i in range(len(ids))],
            "partner": [ids[p] if p >= 0 else None for p in last.tolist()],
            "captures": self.captures.astype(np.int32),
            "copies": self.copies.astype(np.int32),
        }
        return pa.table(columns, schema=schemas.DECISIONS)


def _codes(column: pa.ChunkedArray) -> Ints:
    """Each value's place in the sorted distinct values: equal strings, equal codes."""
    distinct = pc.unique(column)
    ranked = distinct.take(pc.sort_indices(distinct))
    return pc.index_in(column, value_set=ranked).to_numpy().astype(np.int64)


def _order(keys: tuple[Ints, ...]) -> Ints:
    """Rank of each row by several keys, the first the most important."""
    rank = np.empty(len(keys[0]), np.int64)
    rank[np.lexsort(keys[::-1])] = np.arange(len(keys[0]))
    return rank


def _counts(verdicts: pa.Table) -> list[tuple[str, int]]:
    pairs = verdicts.group_by(["outcome", "reason"]).aggregate([([], "count_all")]).to_pylist()
    return [(f"{p['outcome']}_{p['reason']}".removesuffix("_None"), p["count_all"]) for p in pairs]


def _empty(schema: pa.Schema, columns: list[str]) -> pa.Table:
    return schema.empty_table().select(columns)
