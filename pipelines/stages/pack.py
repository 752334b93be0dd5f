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

from pipelines.engine.beam_units import map_units
from pipelines.engine.units import Journal, Unit, UnitResult, unit_key
from pipelines.fingerprint import code_hash
from pipelines.mixing import sources
from pipelines.recipe import Recipe
from pipelines.run_state import Run
from pipelines.store import files, schemas
from pipelines.store.tables import TableFile, read_groups, read_table, write_table

NAME = "pack"
KEYS = 1 << 64
ROW_GROUP = 1024


@dataclass(frozen=True)
class Piece:
    """A documents file with its decisions, of which a shard takes one source's key interval."""

    documents: TableFile
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
    pieces = [
        Piece(d, c)
        for d, c in zip(
            run.manifest.tables("extract", "documents"),
            run.manifest.tables("decide", "decisions"),
            strict=True,
        )
    ]
    shards = plan_shards(
        [(p, _bytes_by_source(run.dir, p, where(run.recipe))) for p in pieces],
        list(where(run.recipe)),
        int(run.recipe.pack.shard_text_mb * 1e6),
    )
    units = []
    for shard, size in shards:
        logical = [(p.documents.logical, p.decisions.logical) for p in shard.pieces]
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
    documents = read_table(files.join(run_dir, piece.documents.path), sources.COLUMNS)
    decisions = read_table(files.join(run_dir, piece.decisions.path))
    found = sources.assign(sources.columns_table(documents, decisions), predicates)
    size = documents["text_bytes"].to_numpy()
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
        """One file's rows of the shard, a row group in memory at a time."""
        decisions = read_table(files.join(self.run_dir, piece.decisions.path))
        index = list(where(self.recipe)).index(shard.source)
        start = 0
        parts = [schemas.SHARDS.empty_table()]
        for group in read_groups(files.join(self.run_dir, piece.documents.path)):
            decided = decisions.slice(start, group.num_rows)
            start += group.num_rows
            found = sources.assign(sources.columns_table(group, decided), where(self.recipe))
            keys = sources.sample_keys(group["page_id"].to_pylist(), self.recipe.pack.seed)
            inside = (keys >= np.uint64(shard.low)) & (keys <= np.uint64(shard.high - 1))
            chosen = pa.array(np.flatnonzero((found == index) & inside))
            rows = group.take(chosen)
            columns: dict[str, Any] = {
                n: rows[n] for n in schemas.SHARDS.names if n in rows.column_names
            }
            columns["source"] = pa.array([shard.source] * rows.num_rows, pa.string())
            columns["sample_key"] = pa.array(keys[chosen.to_numpy()])
            columns["copies"] = decided["copies"].take(chosen)
            parts.append(
                pa.table({n: columns[n] for n in schemas.SHARDS.names}).cast(schemas.SHARDS)
            )
        return pa.concat_tables(parts)

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
