"""`gristmill dedup INPUT OUT.parquet`: near and exact copies among the texts of plain files.

The texts go through the three dedup stages in a folder beside the output. Added to what these find
are exact copies, white space folded, which brings together texts without a word as well.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from graph_rank.components import components
from pipelines.engine.runners import Engine
from pipelines.engine.units import Journal
from pipelines.errors import RunError, UserError
from pipelines.recipe import Dedup, Recipe, Source
from pipelines.run_state import Run
from pipelines.stages import dedup as signing
from pipelines.stages import dedup_clusters, dedup_pairs
from pipelines.store import captures, corpora, files, inputs
from pipelines.store.manifest import Manifest, StageRecord
from pipelines.store.tables import TableFile, TableWriter, read_table
from quality.refine import content_hash

MARKED = pa.schema(
    [
        ("id", pa.string()),
        ("cluster_id", pa.string()),
        ("kept", pa.bool_()),
        ("similarity", pa.float32()),
        ("partner", pa.string()),
    ]
)
_TEXTS = pa.schema([(name, pa.string()) for name in ("page_id", "site", "text")])
_FILE_BYTES = 64 << 20  # of text in one unit's file
_ROW_GROUP = 2048
Ints = NDArray[np.int64]


def dedup(
    source: str, out: str, section: Dedup | None = None, engine: Engine | None = None
) -> dict[str, int]:
    """Mark the copies among the rows (id, text) of JSONL or Parquet files; a row of `out` for each.

    cluster_id: the id of the cluster's first row. kept: of each cluster the longest text, of equal
    ones the first row. partner: the kept row's id, similarity: the exact Jaccard similarity to it
    (1 for exact copies); both null where kept. A row without an id gets its number.
    Returns what it counted. Raises UserError.
    """
    if not out.endswith(".parquet"):
        raise UserError(f"{out}: the output is Parquet; name it OUT.parquet")
    section = section or Dedup()
    signing.check(section)
    work = out + ".work" if files.is_local(out) else tempfile.mkdtemp()
    shutil.rmtree(work, ignore_errors=True)
    try:
        engine = replace(engine or Engine(), log=files.join(work, "journal", "worker.log"))
        run = Run(work, Recipe(input=source, dedup=section), engine, Manifest(work))
        given = _read(source, work)
        _commit(run, "refine", {"texts": given.files})
        _commit(run, "extract", {"documents": given.files})
        for stage in (signing, dedup_pairs, dedup_clusters):
            _do(run, stage)
        rows = _mark(run, given)
        with files.scratch(out.rsplit("/", 1)[0] if "/" in out else ".") as tmp:
            pq.write_table(rows, tmp, compression="zstd")
            files.publish(tmp, out)
    finally:
        shutil.rmtree(work, ignore_errors=True)
    return {"documents": rows.num_rows, "kept": rows["kept"].to_pylist().count(True)}


@dataclass
class _Given:
    """What stays in memory of the input: no text."""

    files: list[TableFile] = field(default_factory=list)
    ids: list[str] = field(default_factory=list)
    lengths: list[int] = field(default_factory=list)  # characters, white space folded
    contents: bytearray = field(default_factory=bytearray)  # 16 bytes each


def _read(source: str, work: str) -> _Given:
    """Copy the input's texts into tables of a run, cut so that workers can share them."""
    given = _Given()
    rows = _rows(source)
    row = next(rows, None)
    while row:
        name = f"{len(given.files):05d}"
        with TableWriter(work, "texts", name, _TEXTS, _ROW_GROUP) as writer:
            size = 0
            while row and size < _FILE_BYTES:
                own_id, text = row
                given.ids.append(own_id)
                given.lengths.append(len(" ".join(text.split())))
                given.contents += bytes.fromhex(content_hash(text))
                writer.add({"page_id": captures.hash_id(own_id), "site": None, "text": text})
                size += len(text)
                row = next(rows, None)
            given.files.append(writer.commit())
    _check_ids(source, given.ids)
    return given


def _rows(source: str) -> Iterator[tuple[str, str]]:
    """Id and text of each row. Raises UserError that names the file and the row."""
    found = inputs.resolve([Source(path=source)])
    for file in found:
        kind = inputs.kind_of(file.path)
        if kind not in ("jsonl", "parquet", "empty"):
            raise UserError(f"{file.path}: holds {kind}; give JSONL or Parquet with id and text")
        for row in corpora.rows(file.path, kind):
            if isinstance(row, corpora.BadRow):
                raise UserError(f"{file.path}: row {row.number}: {row.why}")
            own_id, text = row.data.get("id"), row.data.get("text")
            if not isinstance(text, str):
                raise UserError(f"{file.path}: row {row.number}: needs a string 'text'")
            if own_id is None:
                own_id = row.number if len(found) == 1 else f"{file.name}:{row.number}"
            yield _utf8(str(own_id)), _utf8(text)


def _utf8(text: str) -> str:
    """JSON may hold halves of a surrogate pair, which no table can."""
    return text.encode("utf-8", "replace").decode("utf-8")


def _check_ids(source: str, ids: list[str]) -> None:
    if len(set(ids)) < len(ids):
        seen: dict[str, int] = {}
        for row, own_id in enumerate(ids):
            if own_id in seen:
                raise UserError(
                    f"{source}: rows {seen[own_id]} and {row} have the same id {own_id!r}; "
                    "ids must differ, or be left out"
                )
            seen[own_id] = row


def _do(run: Run, stage: Any) -> None:
    """Plan, execute and commit one stage, as `pipelines.run` does for those of a recipe."""
    units = stage.plan(run)
    if units:
        stage.execute(run, units)
    tables: dict[str, list[TableFile]] = {}
    for unit in units:
        result = Journal(run.dir, stage.NAME).read(unit.key)
        if result is None:
            raise RunError(f"{stage.NAME}: unit {unit.name} left no result; run it again")
        for name, found in result.tables.items():
            tables.setdefault(name, []).extend(found)
    _commit(run, stage.NAME, tables)


def _commit(run: Run, stage: str, tables: dict[str, list[TableFile]]) -> None:
    run.manifest.stages[stage] = StageRecord(stage, 0, tables, {}, 0.0, 0)


def _mark(run: Run, given: _Given) -> pa.Table:
    """The verdict on each row, schema MARKED."""
    n = len(given.ids)
    if not n:
        return MARKED.empty_table()
    content = np.frombuffer(given.contents, ">u8").astype(np.uint64).reshape(n, 2)
    (path,) = run.manifest.paths("dedup_clusters", "edges")
    edges = read_table(path, ["left", "right"])
    cluster = components(edges["left"].to_numpy(), edges["right"].to_numpy(), n)
    left, right = _equal(content)
    cluster = components(left, right, n, labels=cluster)
    kept = _kept(cluster, np.array(given.lengths))
    merged = kept != np.arange(n)
    copies = np.flatnonzero(merged)
    copies = copies[np.argsort(kept[copies], kind="stable")]  # pairs of one cluster together
    signed = run.manifest.tables("dedup", "signatures")
    shingles = dedup_clusters.read_column(run.dir, signed, "shingles").to_numpy()
    exact = dedup_clusters.exact(run.dir, given.files, shingles, copies, kept[copies])
    exact[(content[copies] == content[kept[copies]]).all(axis=1)] = 1
    similarity = np.zeros(n, np.float32)
    similarity[copies] = exact
    ids = pa.array(given.ids)
    columns = {
        "id": ids,
        "cluster_id": ids.take(pa.array(cluster)),
        "kept": pa.array(~merged),
        "similarity": pa.array(similarity, mask=~merged),
        "partner": ids.take(pa.array(kept, mask=~merged)),
    }
    return pa.table(columns, schema=MARKED)


def _equal(content: NDArray[np.uint64]) -> tuple[Ints, Ints]:
    """Chains of equal rows: neighbours in the order of their hashes."""
    by = np.lexsort((content[:, 1], content[:, 0]))
    same = (content[by][1:] == content[by][:-1]).all(axis=1)
    return by[:-1][same], by[1:][same]


def _kept(cluster: Ints, length: Ints) -> Ints:
    """The row that each row's cluster keeps: the longest text, of equal ones the first."""
    by = np.lexsort((-length, cluster))
    first = np.append(True, cluster[by][1:] != cluster[by][:-1])
    kept = np.empty(len(by), np.int64)
    kept[by] = by[first][np.cumsum(first) - 1]
    return kept
