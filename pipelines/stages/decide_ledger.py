"""decide, second half: close the ledger with one packed pass by URL hash.

inputs      extract's ledger, documents (without text), decisions, revisits
plan        a unit a bucket; some 500,000 rows each
transform   unit files -> final rows -> packed GroupByKey -> sorted bucket files
commit      as many rows as pages and unreadable stretches came in
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import apache_beam as beam
import numpy as np

from pipelines.engine import shuffle
from pipelines.engine.runners import run_pipeline
from pipelines.engine.units import Journal, Unit, UnitResult, unit_key
from pipelines.fingerprint import code_hash
from pipelines.run_state import Run
from pipelines.store import files, ledger, schemas
from pipelines.store.tables import TableFile, read_table, write_table

NAME = "ledger"
ROW_BYTES = 400


@dataclass(frozen=True)
class Part:
    """The files of one extract unit."""

    ledger: TableFile
    documents: TableFile
    decisions: TableFile
    revisits: TableFile
    texts: TableFile


def plan(run: Run) -> list[Unit]:
    parts = _parts(run)
    logical = [f.logical for p in parts for f in (p.ledger, p.documents, p.decisions, p.revisits)]
    paths = [p.texts.path for p in parts]
    rows = sum(p.ledger.rows + p.documents.rows for p in parts)
    buckets = shuffle.bucket_count(rows, ledger.ROWS_A_BUCKET)
    basis = [code_hash("pipelines.stages.decide_ledger"), logical, paths]
    return [
        Unit(
            unit_key(NAME, basis, b, buckets), f"{b:05d}", rows * ROW_BYTES // buckets, (b, buckets)
        )
        for b in range(buckets)
    ]


def _parts(run: Run) -> list[Part]:
    tables = run.manifest.tables
    return [
        Part(*files_)
        for files_ in zip(
            tables("extract", "ledger"),
            tables("extract", "documents"),
            tables("decide", "decisions"),
            tables("decide", "revisits"),
            tables("refine", "texts"),
            strict=True,
        )
    ]


def execute(run: Run, units: list[Unit]) -> None:
    parts = _parts(run)
    keys = {u.payload[0]: u.key for u in units}
    buckets = units[0].payload[1]
    total = sum(u.size for u in units)
    processes = run.engine.processes(total, len(parts))
    for wanted in shuffle.passes(sorted(keys), units[0].size):

        def build(pipeline: beam.Pipeline, wanted: list[int] = wanted) -> None:
            _ = (
                pipeline
                | "ledger: parts" >> beam.Create(parts, reshuffle=processes > 1)
                | "ledger: final rows" >> beam.ParDo(ToBuckets(run.dir, buckets, frozenset(wanted)))
                | "ledger: by URL hash" >> shuffle.GroupPacked()
                | "ledger: write" >> beam.ParDo(WriteBucket(run.dir, keys))
            )

        run_pipeline(run.engine, processes, build, NAME)
    journal = Journal(run.dir, NAME)
    for unit in units:  # a bucket that nothing fell into
        if journal.read(unit.key) is None:
            write_bucket(run.dir, unit.key, unit.payload[0], [], [])


class ToBuckets(beam.DoFn):
    """One unit's final rows and its page_ids, packed by their buckets."""

    def __init__(self, run_dir: str, buckets: int, wanted: frozenset[int]) -> None:
        self.run_dir, self.buckets, self.wanted = run_dir, buckets, wanted

    def process(self, part: Part) -> Iterator[tuple[int, tuple[str, bytes]]]:
        def read(file: TableFile, columns: list[str] | None = None) -> Any:
            return read_table(files.join(self.run_dir, file.path), columns)

        rows = ledger.final_rows(
            read(part.ledger),
            read(part.documents, ledger.DOCUMENT_COLUMNS),
            read(part.decisions),
            read(part.revisits),
            part.texts.path,
        )
        for bucket, data in shuffle.pack(rows, ledger.url_bucket(rows["url_key"], self.buckets)):
            if bucket in self.wanted:
                yield bucket, ("rows", data)
        ids = ledger.id_rows(rows)
        buckets = [ledger.id_bucket(i, self.buckets) for i in ids["page_id"].to_pylist()]
        for bucket, data in shuffle.pack(ids, np.array(buckets, np.int64)):
            if bucket in self.wanted:
                yield bucket, ("ids", data)


class WriteBucket(beam.DoFn):
    def __init__(self, run_dir: str, keys: dict[int, str]) -> None:
        self.run_dir, self.keys = run_dir, keys

    def process(self, grouped: tuple[int, Iterable[tuple[str, bytes]]]) -> Iterator[int]:
        bucket, parts = grouped
        rows: list[bytes] = []
        ids: list[bytes] = []
        for kind, data in parts:
            (rows if kind == "rows" else ids).append(data)
        with files.storage_errors(self.run_dir):
            write_bucket(self.run_dir, self.keys[bucket], bucket, rows, ids)
        yield bucket


def write_bucket(run_dir: str, key: str, bucket: int, rows: list[bytes], ids: list[bytes]) -> None:
    """Sort and write one bucket's two tables and its journal entry."""
    started = time.process_time()
    name = f"{bucket:05d}"
    all_rows = shuffle.unpack(rows) if rows else schemas.LEDGER.empty_table()
    all_ids = shuffle.unpack(ids) if ids else schemas.LEDGER_IDS.empty_table()
    result = UnitResult(key, name)
    result.tables = {
        "ledger": [
            write_table(run_dir, "ledger", name, ledger.sort_rows(all_rows), ledger.ROW_GROUP)
        ],
        "ledger_ids": [
            write_table(run_dir, "ledger_ids", name, ledger.sort_ids(all_ids), ledger.ROW_GROUP)
        ],
    }
    result.count("rows", all_rows.num_rows)
    result.count("ids", all_ids.num_rows)
    result.cpu_seconds = time.process_time() - started
    Journal(run_dir, NAME).write(result)


def check_whole(run: Run, results: list[UnitResult]) -> None:
    """Every page and every stretch that came in has its final row."""
    extract = run.manifest.stages["extract"]
    pages = sum(f.rows for f in extract.tables["pages"])
    stretches = extract.counts.get("stretches", 0)
    rows = sum(r.counts["rows"] for r in results)
    ids = sum(r.counts["ids"] for r in results)
    if rows != pages + stretches or ids != pages:
        raise AssertionError(
            f"ledger: {pages} pages and {stretches} stretches came in, {rows} rows went out"
        )
