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

import math
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import NamedTuple

import apache_beam as beam
import numpy as np
import pyarrow as pa
from numba import njit
from numpy.typing import NDArray

from pipelines.engine import shuffle
from pipelines.engine.runners import run_pipeline
from pipelines.engine.units import Journal, Unit, UnitResult, unit_key
from pipelines.fingerprint import code_hash
from pipelines.recipe import Dedup
from pipelines.run_state import Run
from pipelines.stages.dedup import from_column, stem
from pipelines.store import files, schemas
from pipelines.store.tables import TableFile, read_groups, write_table
from quality.minhash import NO_BAND, Signatures, bands

NAME = "dedup_pairs"
ROWS_A_BUCKET = 500_000
ROW_BYTES = 56
SKETCHED = 128  # values of a signature that its sketch tells of, at most
TAILS = 3.3  # standard deviations: 1 pair in 2,000 at the very threshold falls beyond
LEADERS = 4096  # the most leaders that a member of a hot group is compared to
PARTNERS = 16  # the most of them that it is paired with, the likeliest
SAME = 0.95  # estimate from which a member follows its leader instead of becoming one
Bits = NDArray[np.uint64]


class BandRows(NamedTuple):
    """One row for each band of each document; all arrays of equal length."""

    hash: Bits
    doc: NDArray[np.int64]  # place in all texts tables
    order: Bits  # a hash of the document that does not change with its place
    sketch: Bits  # [rows, 4]: low bits of values 0-63, of 64-127, then their high bits


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
    for wanted in shuffle.passes(sorted(keys), units[0].size):

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

    def __init__(
        self, run_dir: str, section: Dedup, buckets: int, wanted: frozenset[int]
    ) -> None:
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
            some = BandRows(*(column[chosen] for column in rows))
            yield from shuffle.pack(_to_table(some), bucket[chosen].astype(np.int64))
            at += group.num_rows


class WritePairs(beam.DoFn):
    def __init__(self, run_dir: str, section: Dedup, keys: dict[int, str]) -> None:
        self.run_dir, self.section, self.keys = run_dir, section, keys

    def process(self, grouped: tuple[int, Iterable[bytes]]) -> Iterator[int]:
        bucket, parts = grouped
        with files.storage_errors(self.run_dir):
            write_pairs(self.run_dir, self.section, self.keys[bucket], bucket, list(parts))
        yield bucket


def write_pairs(
    run_dir: str, section: Dedup, key: str, bucket: int, parts: list[bytes]
) -> None:
    """Find one bucket's pairs; write its table and its journal entry."""
    started = time.process_time()
    rows = _from_table(shuffle.unpack(parts)) if parts else _NO_ROWS
    left, right = candidate_pairs(rows, section)
    name = f"{bucket:05d}"
    table = pa.table([left, right], schema=schemas.CANDIDATES)
    result = UnitResult(key, name, bytes_in=sum(map(len, parts)))
    result.tables["candidates"] = [write_table(run_dir, "dedup/candidates", name, table, 1 << 17)]
    result.count("band_rows", len(rows.hash))
    result.count("candidates", len(left))
    result.cpu_seconds = time.process_time() - started
    Journal(run_dir, NAME).write(result)


def band_rows(signed: Signatures, count: int, first: int, order: Bits) -> BandRows:
    """All band rows of some documents, the first of them number `first`; none of a text without
    words. order: uint64[documents]."""
    hashes = bands(signed, count)
    doc = first + np.arange(len(hashes))
    columns = (hashes.ravel(), *(np.repeat(c, count, 0) for c in (doc, order, sketches(signed))))
    return BandRows(*(column[columns[0] != NO_BAND] for column in columns))


def page_order(page_ids: pa.ChunkedArray) -> Bits:
    """The first 64 bits of each page_id: an order that no cut into files can change."""
    digits = "".join(page_ids.to_pylist())
    return np.frombuffer(bytes.fromhex(digits), ">u8")[::2].astype(np.uint64)


def sketches(signed: Signatures) -> Bits:
    """Two bits of each of the first 128 values (Li and König 2010), uint64[n, 4], as bit planes.

    The bits are taken from a multiple of the value: under `a * h + b` the lowest bits of a value
    depend on the lowest bits of `h` alone, so that two shingles would agree in all values or none.
    """
    bits = signed.values[:, :SKETCHED] * np.uint32(0x9E3779B1) >> np.uint32(30)
    planes = np.zeros((len(bits), 2, SKETCHED), np.uint8)
    planes[:, 0, : bits.shape[1]] = bits & 1
    planes[:, 1, : bits.shape[1]] = bits >> 1
    return np.packbits(planes, axis=-1).reshape(len(bits), 32).view(np.uint64)


def margin(similarity: float, values: int, chance: float = 0.0) -> float:
    """How far below `similarity` the estimate from `values` values may fall: `TAILS` standard
    errors. chance: the share of unequal values that seem equal (1/4 for two bits)."""
    seen = similarity + (1 - similarity) * chance
    return TAILS * math.sqrt(seen * (1 - seen) / values) / (1 - chance)


def candidate_pairs(
    rows: BandRows, section: Dedup
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Documents that share a band and whose sketches may be of `section.threshold` or more.

    Returns (left, right), left < right, sorted and each pair once. The result depends on neither
    the order of the rows nor on what other bands are among them. Of a group of more than
    `hot_group` members it holds each member's likeliest partners (see `_to_leaders`).
    """
    values = min(section.num_perm, SKETCHED)
    least = section.threshold - margin(section.threshold, values, 1 / 4)
    same = max(SAME, section.threshold + margin(section.threshold, values, 1 / 4))
    far, near = (math.floor(values * 3 / 4 * (1 - j)) for j in (least, min(same, 1.0)))
    by = np.lexsort((rows.doc, rows.order, rows.hash))
    pairs = _pairs_kernel(
        rows.hash[by], rows.doc[by], rows.order[by], rows.sketch[by], far, near, section.hot_group
    )
    pairs = np.unique(pairs)
    return (pairs >> np.uint64(32)).astype(np.int64), (pairs & _LOW).astype(np.int64)


_LOW = np.uint64(0xFFFFFFFF)
_NO_ROWS = BandRows(
    np.zeros(0, np.uint64), np.zeros(0, np.int64), np.zeros(0, np.uint64),
    np.zeros((0, 4), np.uint64),
)  # fmt: skip


def _to_table(rows: BandRows) -> pa.Table:
    packed = pa.py_buffer(np.ascontiguousarray(rows.sketch))
    sketch = pa.Array.from_buffers(pa.binary(32), len(rows.hash), [None, packed])
    return pa.table({"hash": rows.hash, "doc": rows.doc, "order": rows.order, "sketch": sketch})


def _from_table(table: pa.Table) -> BandRows:
    packed = table["sketch"].combine_chunks()
    sketch = np.frombuffer(packed.buffers()[1], np.uint64).reshape(-1, 4)
    numbers = (table[name].to_numpy() for name in ("hash", "doc", "order"))
    return BandRows(*numbers, sketch[packed.offset : packed.offset + len(packed)])


@njit
def _difference(a, b):  # type: ignore[no-untyped-def]
    """Values at which two sketches differ."""
    found = 0
    for word in range(2):
        x = (a[word] ^ b[word]) | (a[word + 2] ^ b[word + 2])
        x -= (x >> np.uint64(1)) & np.uint64(0x5555555555555555)
        x = (x & np.uint64(0x3333333333333333)) + (
            (x >> np.uint64(2)) & np.uint64(0x3333333333333333)
        )
        x = (x + (x >> np.uint64(4))) & np.uint64(0x0F0F0F0F0F0F0F0F)
        found += np.int64((x * np.uint64(0x0101010101010101)) >> np.uint64(56))
    return found


@njit
def _pair(a, b):  # type: ignore[no-untyped-def]
    return np.uint64(min(a, b)) << np.uint64(32) | np.uint64(max(a, b))


@njit(cache=True, nogil=True)
def _pairs_kernel(hashes, docs, orders, sketches, far, near, hot):  # type: ignore[no-untyped-def]
    """Pairs (left << 32 | right) of each run of equal hashes whose sketches differ in `far` values
    at most; the same pair may come from several runs."""
    pairs = np.empty(1024, np.uint64)
    found = start = 0
    while start < len(hashes):
        end = start + 1
        while end < len(hashes) and hashes[end] == hashes[start]:
            end += 1
        size = end - start
        most = size * PARTNERS if size > hot else size * (size - 1) // 2
        if found + most > len(pairs):
            larger = np.empty(max(2 * len(pairs), found + most), np.uint64)
            larger[:found] = pairs[:found]
            pairs = larger
        if size > hot:
            some = slice(start, end)
            found += _to_leaders(
                hashes[start], docs[some], orders[some], sketches[some], far, near, pairs[found:]
            )
        else:
            for i in range(start, end):
                for j in range(i + 1, end):
                    if docs[i] != docs[j] and _difference(sketches[i], sketches[j]) <= far:
                        pairs[found] = _pair(docs[i], docs[j])
                        found += 1
        start = end
    return pairs[:found]


@njit
def _to_leaders(key, docs, orders, sketches, far, near, pairs):  # type: ignore[no-untyped-def]
    """Write the pairs of a hot group, return how many.

    Members are taken in an order of their sketches, so that copies stand near each other; each is
    paired with the likeliest of the last leaders before it, and becomes a leader itself unless one
    of them is all but the same. Time and pairs grow with the members, not with their square. The
    order differs from band to band, so that no cluster hangs on one leader that later fails a
    filter.
    """
    word, turn = np.int64(key & np.uint64(3)), key >> np.uint64(2) & np.uint64(63)
    salt = (key & np.uint64(7)) * np.uint64(0x9E3779B97F4A7C15)
    sorted_by_mix = np.argsort((orders ^ salt) * np.uint64(0xD6E8FEB86659FD93), kind="mergesort")
    bits = sketches[:, word][sorted_by_mix]
    turned = bits << turn | bits >> (np.uint64(64) - turn & np.uint64(63))
    leaders = np.empty((LEADERS, sketches.shape[1]), np.uint64)
    names = np.empty(LEADERS, np.int64)
    distance = np.empty(PARTNERS, np.int64)
    partner = np.empty(PARTNERS, np.int64)
    led = found = 0
    for member in sorted_by_mix[np.argsort(turned, kind="mergesort")]:
        count, limit = 0, far
        for i in range(min(led, LEADERS)):
            apart = _difference(leaders[i], sketches[member])
            if apart <= limit:
                at = min(count, PARTNERS - 1)
                while at > 0 and distance[at - 1] > apart:
                    distance[at], partner[at] = distance[at - 1], partner[at - 1]
                    at -= 1
                distance[at], partner[at] = apart, names[i]
                count = min(count + 1, PARTNERS)
                if count == PARTNERS:
                    limit = distance[count - 1] - 1
        for i in range(count):
            if partner[i] != docs[member]:
                pairs[found] = _pair(partner[i], docs[member])
                found += 1
        if count == 0 or distance[0] > near:
            leaders[led % LEADERS], names[led % LEADERS] = sketches[member], docs[member]
            led += 1
    return found
