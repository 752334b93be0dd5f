"""dedup, second part: pairs of documents that may be copies, by one packed pass over all bands.

inputs      signatures
plan        a unit a bucket; some 500,000 (band, document) rows each
transform   signatures -> band hashes -> packed GroupByKey -> pairs that share a band
commit      candidates, a file a bucket, each pair once a bucket

What moves is a row a band: its hash, the document and a sketch of its signature, two bits a value.
The sketch tells most chance meetings apart before a signature is read. All pairs of a band are
compared, but for bands that a template has filled: these are compared to leaders.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import apache_beam as beam
import numpy as np
import pyarrow as pa

from pipelines.engine import shuffle
from pipelines.engine.runners import run_pipeline
from pipelines.engine.units import Journal, Unit, UnitResult, unit_key
from pipelines.fingerprint import code_hash
from pipelines.recipe import Dedup
from pipelines.run_state import Run
from pipelines.stages.dedup import from_column
from pipelines.stages.dedup_sketch import NO_ROWS, BandRows, Bits, band_rows, candidate_pairs, take
from pipelines.store import files, schemas
from pipelines.store.tables import TableFile, read_groups, write_table
from quality.minhash import Signatures

NAME = "dedup_pairs"
ROWS_A_BUCKET = 500_000
ROW_BYTES = 56
PASS_BYTES = 256 << 20  # moved at a time; Beam's local runner takes about three times as much


def plan(run: Run) -> list[Unit]:
    section = run.recipe.dedup
    signed = run.manifest.tables("dedup", "signatures")
    if not signed:
        return []
    rows = sum(f.rows for f in signed) * section.bands
    buckets = shuffle.bucket_count(rows, ROWS_A_BUCKET)
    basis = [
        code_hash("pipelines.stages.dedup_pairs"),
        [section.threshold, section.num_perm, section.bands, section.hot_group],
        [f.logical for f in signed],
    ]
    size = rows * ROW_BYTES // buckets
    return [
        Unit(unit_key(NAME, basis, b, buckets), f"{b:05d}", size, (b, buckets))
        for b in range(buckets)
    ]


@dataclass(frozen=True)
class Part:
    """A signatures file and the number of its first document."""

    signatures: TableFile
    first: int


def execute(run: Run, units: list[Unit]) -> None:
    section = run.recipe.dedup
    signed = run.manifest.tables("dedup", "signatures")
    firsts = np.cumsum([0, *(f.rows for f in signed)]).tolist()
    parts = [Part(f, first) for f, first in zip(signed, firsts[:-1], strict=True)]
    keys = {u.payload[0]: u.key for u in units}
    buckets = units[0].payload[1]
    processes = run.engine.processes(sum(u.size for u in units), len(parts))
    for wanted in shuffle.passes(sorted(keys), units[0].size, PASS_BYTES):

        def build(pipeline: beam.Pipeline, wanted: list[int] = wanted) -> None:
            to_buckets = ToBuckets(run.dir, section, buckets, frozenset(wanted))
            _ = (
                pipeline
                | "pairs: signatures" >> beam.Create(parts, reshuffle=processes > 1)
                | "pairs: bands" >> beam.ParDo(to_buckets)
                | "pairs: by band hash" >> shuffle.GroupPacked()
                | "pairs: write" >> beam.ParDo(WritePairs(run.dir, section, keys))
            )

        run_pipeline(run.engine, processes, build, NAME)
    journal = Journal(run.dir, NAME)
    for unit in units:  # a bucket that nothing fell into
        if journal.read(unit.key) is None:
            write_pairs(run.dir, section, unit.key, unit.payload[0], [])


class ToBuckets(beam.DoFn):
    """One signatures file's band rows, packed by their buckets."""

    def __init__(self, run_dir: str, section: Dedup, buckets: int, wanted: frozenset[int]) -> None:
        self.run_dir, self.section, self.buckets = run_dir, section, buckets
        self.wanted = np.array(sorted(wanted), np.uint64)

    def process(self, part: Part) -> Iterator[tuple[int, bytes]]:
        at = part.first
        for group in read_groups(files.join(self.run_dir, part.signatures.path)):
            values = from_column(group["signature"], self.section.num_perm)
            signed = Signatures(values, group["shingles"].to_numpy())
            rows = band_rows(signed, self.section.bands, at, page_order(group["page_id"]))
            bucket = rows.hash % np.uint64(self.buckets)
            chosen = np.isin(bucket, self.wanted)
            packed = _to_table(take(rows, chosen))
            yield from shuffle.pack(packed, bucket[chosen].astype(np.int64))
            at += group.num_rows


class WritePairs(beam.DoFn):
    def __init__(self, run_dir: str, section: Dedup, keys: dict[int, str]) -> None:
        self.run_dir, self.section, self.keys = run_dir, section, keys

    def process(self, grouped: tuple[int, Iterable[bytes]]) -> Iterator[int]:
        bucket, parts = grouped
        with files.storage_errors(self.run_dir):
            write_pairs(self.run_dir, self.section, self.keys[bucket], bucket, list(parts))
        yield bucket


def write_pairs(run_dir: str, section: Dedup, key: str, bucket: int, parts: list[bytes]) -> None:
    """Find one bucket's pairs; write its table and its journal entry."""
    started = time.process_time()
    rows = _from_table(shuffle.unpack(parts)) if parts else NO_ROWS
    left, right = candidate_pairs(rows, section)
    name = f"{bucket:05d}"
    table = pa.table([left, right], schema=schemas.CANDIDATES)
    result = UnitResult(key, name, bytes_in=sum(map(len, parts)))
    result.tables["candidates"] = [write_table(run_dir, "dedup/candidates", name, table, 1 << 17)]
    result.count("band_rows", len(rows.hash))
    result.count("candidates", len(left))
    result.cpu_seconds = time.process_time() - started
    Journal(run_dir, NAME).write(result)


def page_order(page_ids: pa.ChunkedArray) -> Bits:
    """The first 64 bits of each page_id: an order that no cut into files can change."""
    digits = "".join(page_ids.to_pylist())
    return np.frombuffer(bytes.fromhex(digits), ">u8")[::2].astype(np.uint64)


def _to_table(rows: BandRows) -> pa.Table:
    packed = pa.py_buffer(np.ascontiguousarray(rows.sketch))
    sketch = pa.Array.from_buffers(pa.binary(32), len(rows.hash), [None, packed])
    return pa.table({"hash": rows.hash, "doc": rows.doc, "order": rows.order, "sketch": sketch})


def _from_table(table: pa.Table) -> BandRows:
    packed = table["sketch"].combine_chunks()
    sketch = np.frombuffer(packed.buffers()[1], np.uint64).reshape(-1, 4)
    hash_, doc, order = (table[name].to_numpy() for name in ("hash", "doc", "order"))
    return BandRows(hash_, doc, order, sketch[packed.offset : packed.offset + len(packed)])
