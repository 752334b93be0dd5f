"""pack: the product. Kept texts as shards of the wanted size, sorted by `sample_key`.

inputs      documents, decisions
plan        a unit a shard: whole unit files of one source until the size is reached; a file
            larger than a shard is cut by key interval
transform   read, select, sort, write: texts go from table to shard in one worker
commit      shards.parquet, mix.json and the dataset card beside the shards
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from pipelines.engine.beam_units import map_units
from pipelines.engine.units import Journal, Unit, UnitResult, unit_key
from pipelines.fingerprint import code_hash
from pipelines.mixing import sources
from pipelines.recipe import Recipe
from pipelines.run_state import Run
from pipelines.store import files, schemas
from pipelines.store.tables import TableFile, read_groups, read_table, write_table

NAME = "pack"
READS = (("extract", "documents"), ("refine", "texts"), ("refine", "signals"),
         ("decide", "decisions"))  # fmt: skip
KEYS = 1 << 64
ROW_GROUP = 1024
_DOCUMENT_COLUMNS = [*sources.DOCUMENT_COLUMNS, "url", "site"]


@dataclass(frozen=True)
class Piece:
    """The files of one unit, of which a shard takes one source's key interval."""

    documents: TableFile
    texts: TableFile
    signals: TableFile
    decisions: TableFile


@dataclass(frozen=True)
class Shard:
    name: str
    source: str
    pieces: tuple[Piece, ...]
    low: int = 0  # of sample_key, this one included
    high: int = KEYS  # this one not


def where(recipe: Recipe) -> dict[str, str]:
    return {name: source.where for name, source in recipe.pack.sources.items()}


def plan(run: Run) -> list[Unit]:
    section = run.recipe.pack.model_dump(mode="json")
    basis = [code_hash("pipelines.stages.pack"), section, run.recipe.tokenizer]
    tables = [run.manifest.tables(stage, table) for stage, table in READS]
    pieces = [Piece(*unit) for unit in zip(*tables, strict=True)]
    shards = plan_shards(
        [(p, _bytes_by_source(run.dir, p, where(run.recipe))) for p in pieces],
        list(where(run.recipe)),
        int(run.recipe.pack.shard_text_mb * 1e6),
    )
    units = []
    for shard, size in shards:
        logical = [[f.logical for f in p.__dict__.values()] for p in shard.pieces]
        key = unit_key(NAME, basis, shard.name, shard.source, logical, shard.low, shard.high)
        units.append(Unit(key, shard.name, size, shard))
    return units


def plan_shards(
    pieces: list[tuple[Piece, list[int]]], names: list[str], shard_bytes: int
) -> list[tuple[Shard, int]]:
    """Shards and their text bytes; pieces: each file with its text bytes a source.

    Files are taken in order until the next would pass `shard_bytes`; a larger one is cut into
    equal key intervals.
    """
    shards: list[tuple[Shard, int]] = []
    for i, source in enumerate(names):
        groups: list[tuple[tuple[Piece, ...], int]] = []
        group: list[Piece] = []
        size = 0
        for piece, sizes in pieces:
            if not sizes[i]:
                continue
            if group and size + sizes[i] > shard_bytes:
                groups.append((tuple(group), size))
                group, size = [], 0
            group.append(piece)
            size += sizes[i]
        if group:
            groups.append((tuple(group), size))
        number = 0
        for members, bytes_ in groups:
            cuts = max(1, -(-bytes_ // shard_bytes))
            for cut in range(cuts):
                low, high = KEYS * cut // cuts, KEYS * (cut + 1) // cuts
                name = f"{source}-{number:05d}"
                shards.append((Shard(name, source, members, low, high), bytes_ // cuts))
                number += 1
    return shards


def _bytes_by_source(run_dir: str, piece: Piece, predicates: dict[str, str]) -> list[int]:
    documents = read_table(files.join(run_dir, piece.documents.path), sources.DOCUMENT_COLUMNS)
    signals = read_table(files.join(run_dir, piece.signals.path))
    decisions = read_table(files.join(run_dir, piece.decisions.path))
    found = sources.assign(sources.columns_table(documents, signals, decisions), predicates)
    size = signals["text_bytes"].to_numpy()
    return [int(size[found == i].sum()) for i in range(len(predicates))]


def execute(run: Run, units: list[Unit]) -> None:
    map_units(run.engine, PackWork(run.dir, run.recipe), units)


@dataclass
class PackWork:
    run_dir: str
    recipe: Recipe
    stage: str = NAME

    def open(self) -> None: ...
    def close(self) -> None: ...

    def run(self, unit: Unit) -> UnitResult:
        started = time.process_time()
        shard: Shard = unit.payload
        rows = pa.concat_tables(self._rows(shard, piece) for piece in shard.pieces)
        order = pc.sort_indices(rows, [("sample_key", "ascending"), ("page_id", "ascending")])
        result = UnitResult(unit.key, unit.name, bytes_in=unit.size)
        table = rows.take(order)
        file = write_table(self.run_dir, "shards", shard.name, table, ROW_GROUP)
        result.tables["shards"] = [file]
        stats = pa.Table.from_pylist([self._stats(shard, table, file)], schemas.SHARD_STATS)
        result.tables["shard_stats"] = [
            write_table(self.run_dir, "pack/shard_stats", shard.name, stats)
        ]
        result.count("documents", table.num_rows)
        result.count("tokens", pc.sum(table["tokens"]).as_py() or 0)
        result.cpu_seconds = time.process_time() - started
        Journal(self.run_dir, NAME).write(result)
        return result

    def _rows(self, shard: Shard, piece: Piece) -> pa.Table:
        """One unit's rows of the shard, a row group of texts in memory at a time."""
        documents = read_table(self._path(piece.documents), _DOCUMENT_COLUMNS)
        signals = read_table(self._path(piece.signals))
        decisions = read_table(self._path(piece.decisions))
        predicates = where(self.recipe)
        found = sources.assign(sources.columns_table(documents, signals, decisions), predicates)
        keys = sources.sample_keys(decisions["page_id"].to_pylist(), self.recipe.pack.seed)
        inside = (keys >= np.uint64(shard.low)) & (keys <= np.uint64(shard.high - 1))
        chosen = np.flatnonzero((found == list(predicates).index(shard.source)) & inside)
        columns: dict[str, Any] = {
            name: (decisions if name in decisions.column_names else documents)[name].take(
                pa.array(chosen)
            )
            for name in schemas.SHARDS.names
            if name not in ("source", "sample_key", "text")
        }
        columns["source"] = pa.array([shard.source] * len(chosen), pa.string())
        columns["sample_key"] = pa.array(keys[chosen])
        columns["text"] = self._texts(piece, chosen)
        return pa.table({n: columns[n] for n in schemas.SHARDS.names}).cast(schemas.SHARDS)

    def _texts(self, piece: Piece, chosen: NDArray[np.int64]) -> pa.ChunkedArray:
        """The texts of some rows, in order, without the others ever being held together."""
        parts: list[pa.Array] = [pa.array([], pa.string())]
        start = 0
        for group in read_groups(self._path(piece.texts), ["text"]):
            mine = chosen[(chosen >= start) & (chosen < start + group.num_rows)] - start
            parts += group["text"].take(pa.array(mine)).chunks
            start += group.num_rows
        return pa.chunked_array(parts)

    def _path(self, file: TableFile) -> str:
        return files.join(self.run_dir, file.path)

    def _stats(self, shard: Shard, table: pa.Table, file: TableFile) -> dict[str, Any]:
        languages = sorted(
            table.group_by("language").aggregate([("tokens", "sum")]).to_pylist(),
            key=lambda r: (-(r["tokens_sum"] or 0), str(r["language"])),
        )
        keys = table["sample_key"]
        return {
            "path": file.path,
            "source": shard.source,
            "rows": table.num_rows,
            "tokens": pc.sum(table["tokens"]).as_py() or 0,
            "text_bytes": pc.sum(pc.binary_length(table["text"])).as_py() or 0,
            "file_bytes": file.bytes,
            "sha256": file.sha256,
            "logical": file.logical,
            "sites": pc.count_distinct(table["site"]).as_py(),
            "key_low": keys[0].as_py() if len(keys) else None,
            "key_high": keys[-1].as_py() if len(keys) else None,
            "languages": " ".join(f"{r['language']}:{r['tokens_sum']}" for r in languages),
            "tokenizer": self.recipe.tokenizer,
        }
