"""dedup, third part: candidates become verified edges, and edges clusters.

inputs      candidates, signatures, texts, documents (page_id and site)
plan        one unit: 16 bytes a candidate and some 100 bytes a document in memory
transform   distinct pairs -> estimate from signatures -> exact Jaccard of the texts -> union-find
commit      edges; clusters, row for row with texts

Pairs are taken component by component, so that signatures and texts are read about once, of the
documents that need it, and never more than `BATCH_BYTES` of them at a time.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numba import njit
from numpy.typing import NDArray

from graph_rank.components import components
from pipelines.engine.beam_units import map_units
from pipelines.engine.units import Journal, Unit, UnitResult, unit_key
from pipelines.fingerprint import code_hash
from pipelines.recipe import Dedup
from pipelines.run_state import Run
from pipelines.stages.dedup import from_column
from pipelines.stages.dedup_sketch import margin
from pipelines.store import files, schemas
from pipelines.store.tables import TableFile, read_table, write_table
from quality.minhash import Signatures, signature_similarity
from quality.shingles import ShingleSets, jaccard_pairs, shingle_sets

NAME = "dedup_clusters"
BATCH_BYTES = 256 << 20
INPUTS = (("dedup", "signatures"), ("refine", "texts"), ("extract", "documents"),
          ("dedup_pairs", "candidates"))  # fmt: skip
Ints = NDArray[np.int64]


def plan(run: Run) -> list[Unit]:
    tables = [run.manifest.tables(stage, table) for stage, table in INPUTS]
    if not tables[0]:
        return []
    section = run.recipe.dedup
    basis = [
        code_hash("pipelines.stages.dedup_clusters"),
        [section.threshold, section.num_perm],
        [f.logical for table in tables for f in table],
        [f.stem for f in tables[1]],
    ]
    size = sum(f.bytes for f in tables[0])
    return [Unit(unit_key(NAME, basis), NAME, size, tables)]


def execute(run: Run, units: list[Unit]) -> None:
    map_units(run.engine, ClusterWork(run.dir, run.recipe.dedup), units)


@dataclass
class ClusterWork:
    run_dir: str
    section: Dedup
    stage: str = NAME

    def open(self) -> None: ...
    def close(self) -> None: ...

    def run(self, unit: Unit) -> UnitResult:
        started = time.process_time()
        signed, texts, documents, buckets = unit.payload
        result = UnitResult(unit.key, unit.name, bytes_in=unit.size)
        shingles = read_column(self.run_dir, signed, "shingles").to_numpy()
        left, right = distinct_pairs(self.run_dir, buckets, len(shingles))
        result.count("candidates", len(left))
        left, right = likely(self.run_dir, signed, shingles, left, right, self.section)
        result.count("compared", len(left))
        similarity = exact(self.run_dir, texts, shingles, left, right)
        keep = similarity >= self.section.threshold
        left, right, similarity = left[keep], right[keep], similarity[keep]
        page_ids = read_column(self.run_dir, documents, "page_id")
        sites = read_column(self.run_dir, documents, "site")
        labels = components(left, right, len(shingles))
        edges = edge_table(left, right, similarity, page_ids)
        clusters = cluster_table(labels, page_ids, sites)
        result.tables["edges"] = [write_table(self.run_dir, "dedup/edges", "edges", edges, 65536)]
        result.tables["clusters"] = self._write(texts, clusters)
        sizes = np.bincount(labels)
        result.count("edges", len(left))
        result.count("clusters", int((sizes > 1).sum()))
        result.count("duplicates", int((sizes[sizes > 1] - 1).sum()))
        result.cpu_seconds = time.process_time() - started
        Journal(self.run_dir, NAME).write(result)
        return result

    def _write(self, texts: list[TableFile], clusters: pa.Table) -> list[TableFile]:
        written, start = [], 0
        for file in texts:
            part = clusters.slice(start, file.rows)
            written.append(write_table(self.run_dir, "dedup/clusters", file.stem, part, 65536))
            start += file.rows
        return written


def distinct_pairs(run_dir: str, buckets: list[TableFile], n: int) -> tuple[Ints, Ints]:
    """All buckets' pairs, each once, those of one component behind each other."""
    found = np.zeros(0, np.uint64)
    more: list[NDArray[np.uint64]] = []
    for file in buckets:
        table = read_table(files.join(run_dir, file.path))
        left, right = (table[name].to_numpy().astype(np.uint64) for name in ("left", "right"))
        more.append(left << np.uint64(32) | right)
        if sum(map(len, more)) > max(len(found), 1 << 20):
            found, more = np.unique(np.concatenate((found, *more))), []
    found = np.unique(np.concatenate((found, *more)))
    left, right = (found >> np.uint64(32)).astype(np.int64), (found & _LOW).astype(np.int64)
    by = np.argsort(components(left, right, n)[left], kind="stable")
    return left[by], right[by]


def likely(
    run_dir: str, signed: list[TableFile], shingles: NDArray[np.int32], left: Ints, right: Ints,
    section: Dedup,
) -> tuple[Ints, Ints]:  # fmt: skip
    """The pairs whose signatures may be of texts as similar as `section.threshold`."""
    least = section.threshold - margin(section.threshold, section.num_perm)
    width = np.full(len(shingles), 4 * section.num_perm)
    keep = np.zeros(len(left), bool)
    for some in batches(left, right, width, BATCH_BYTES):
        docs = np.unique(np.concatenate((left[some], right[some])))
        values = np.empty((len(docs), section.num_perm), np.uint32)
        at = 0
        for column in read_rows(run_dir, signed, "signature", docs):
            values[at : at + len(column)] = from_column(column, section.num_perm)
            at += len(column)
        here = (np.searchsorted(docs, side[some]) for side in (left, right))
        keep[some] = signature_similarity(Signatures(values, shingles[docs]), *here) >= least
    return left[keep], right[keep]


def exact(
    run_dir: str, texts: list[TableFile], shingles: NDArray[np.int32], left: Ints, right: Ints
) -> NDArray[np.float64]:
    """Jaccard similarity of the shingle sets of each pair of texts, float64[pairs].

    shingles: the number of shingles of every text. Quick when neighbouring pairs share texts.
    """
    similarity = np.zeros(len(left))
    for some in batches(left, right, shingles.astype(np.int64) * 8, BATCH_BYTES):
        docs = np.unique(np.concatenate((left[some], right[some])))
        offsets = np.concatenate(([0], np.cumsum(shingles[docs], dtype=np.int64)))
        hashes = np.empty(offsets[-1], np.uint64)
        at = 0
        for column in read_rows(run_dir, texts, "text", docs):
            found = shingle_sets([text or "" for text in column.to_pylist()]).hashes
            hashes[at : at + len(found)] = found
            at += len(found)
        here = (np.searchsorted(docs, side[some]) for side in (left, right))
        similarity[some] = jaccard_pairs(ShingleSets(hashes, offsets), *here)
    return similarity


def batches(left: Ints, right: Ints, weight: Ints, limit: int) -> Iterator[slice]:
    """Cut pairs, in their order, where the documents they name would weigh more than `limit`.

    weight: int64[documents]. A pair alone may weigh more.
    """
    cuts = _cuts(left, right, weight, limit).tolist()
    return (slice(a, b) for a, b in pairwise(cuts))


@njit(cache=True, nogil=True)
def _cuts(left, right, weight, limit):  # type: ignore[no-untyped-def]
    cuts = [0]
    batch = np.full(len(weight), -1, np.int64)  # in which a document was last counted
    total = 0
    for i in range(len(left)):
        number, a, b = len(cuts) - 1, left[i], right[i]
        more = weight[a] * (batch[a] != number) + weight[b] * (batch[b] != number)
        if total + more > limit and i > cuts[-1]:
            cuts.append(i)
            number, total, more = number + 1, 0, weight[a] + weight[b]
        batch[a] = batch[b] = number
        total += more
    if len(left):
        cuts.append(len(left))
    return np.array(cuts)


def read_rows(
    run_dir: str, table: list[TableFile], column: str, rows: Ints
) -> Iterator[pa.ChunkedArray]:
    """A column's values in some rows, a row group at a time; groups without any are not read.

    rows: ascending places in the table, counted through all its files.
    """
    first = 0
    for file in table:
        low, high = np.searchsorted(rows, (first, first + file.rows))
        if low < high:
            with files.open_read(files.join(run_dir, file.path)) as f:
                parquet = pq.ParquetFile(f)
                start = first
                for group in range(parquet.num_row_groups):
                    end = start + parquet.metadata.row_group(group).num_rows
                    low, high = np.searchsorted(rows, (start, end))
                    if low < high:
                        found = parquet.read_row_group(group, columns=[column])
                        yield found[column].take(pa.array(rows[low:high] - start))
                    start = end
        first += file.rows


def read_column(run_dir: str, table: list[TableFile], column: str) -> pa.ChunkedArray:
    """A column of all files, in table order."""
    parts = [read_table(files.join(run_dir, f.path), [column]) for f in table]
    return pa.concat_tables(parts)[column]


def edge_table(
    left: Ints, right: Ints, similarity: NDArray[np.float64], page_ids: pa.ChunkedArray
) -> pa.Table:
    """Edges sorted by (left, right), schema CLUSTER_EDGES."""
    by = np.lexsort((right, left))
    left, right = left[by], right[by]
    ids = [page_ids.take(pa.array(side)) for side in (left, right)]
    columns = [left, right, *ids, similarity[by].astype(np.float32)]
    return pa.table(columns, schema=schemas.CLUSTER_EDGES)


def cluster_table(labels: Ints, page_ids: pa.ChunkedArray, sites: pa.ChunkedArray) -> pa.Table:
    """One row a document, schema CLUSTERS. labels: the first document of each one's cluster."""
    size = np.bincount(labels, minlength=len(labels))
    columns = [
        page_ids,
        page_ids.take(pa.array(labels)),
        size[labels].astype(np.int32),
        _distinct(labels, size, sites).astype(np.int32),
        _distinct(labels, size, page_ids).astype(np.int32),
    ]
    return pa.table(columns, schema=schemas.CLUSTERS)


def _distinct(labels: Ints, size: Ints, column: pa.ChunkedArray) -> Ints:
    """How many values of a column each document's cluster holds, int64[documents]."""
    found = np.ones(len(labels), np.int64)
    shared = np.flatnonzero(size[labels] > 1)  # the rest is a cluster of one
    values = pc.fill_null(column.take(pa.array(shared)), "")
    codes = pc.index_in(values, value_set=pc.unique(values)).to_numpy().astype(np.int64)
    pairs = np.unique(np.stack((labels[shared], codes)), axis=1)
    count = np.bincount(pairs[0], minlength=len(labels))
    found[shared] = count[labels[shared]]
    return found


_LOW = np.uint64(0xFFFFFFFF)
