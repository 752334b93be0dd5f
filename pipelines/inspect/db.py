"""DuckDB over a run's Parquet files: one view a table, and no way out of the run's folder."""

from __future__ import annotations

import os
from typing import Any

import duckdb

from pipelines.errors import UserError
from pipelines.store import files, manifest

VIEWS = {
    "pages": ("extract", "pages"),
    "links": ("extract", "links"),
    "robots": ("extract", "robots"),
    "documents": ("extract", "documents"),
    "sites": ("rank", "sites"),
    "signals": ("refine", "signals"),
    "texts": ("refine", "texts"),
    "signatures": ("dedup", "signatures"),
    "clusters": ("dedup_clusters", "clusters"),
    "cluster_edges": ("dedup_clusters", "edges"),
    "decisions": ("decide", "decisions"),
    "rules": ("decide", "rules"),
    "site_profiles": ("decide", "site_profiles"),
    "revisits": ("decide", "revisits"),
    "ledger": ("ledger", "ledger"),
    "shards": ("pack", "shards"),
    "shard_stats": ("pack", "shard_stats"),
}


def connect(run: manifest.Manifest) -> duckdb.DuckDBPyConnection:
    """A locked in-memory connection: it reads the run's own files and writes nothing."""
    connection = duckdb.connect(config={"threads": min(4, os.cpu_count() or 1)})
    if files.is_local(run.run_dir):
        folder = os.path.abspath(run.run_dir.removeprefix("file://")) + "/"
        connection.execute("SET allowed_directories = ?", [[folder]])
    else:
        fs, _ = files.filesystem(run.run_dir)
        connection.register_filesystem(fs)
    for view, (stage, table) in VIEWS.items():
        paths = [_absolute(p) for p in run.paths(stage, table)]
        if paths:
            names = ", ".join("'" + p.replace("'", "''") + "'" for p in paths)
            connection.execute(f"CREATE VIEW {view} AS SELECT * FROM read_parquet([{names}])")
    if files.is_local(run.run_dir):
        connection.execute("SET enable_external_access = false")
    connection.execute("SET lock_configuration = true")
    return connection


def _absolute(path: str) -> str:
    return os.path.abspath(path.removeprefix("file://")) if files.is_local(path) else path


def rows(run: manifest.Manifest, sql: str, values: list[Any] | None = None) -> list[dict[str, Any]]:
    """The rows of a query as dicts. Raises UserError with DuckDB's message on one line."""
    connection = connect(run)
    try:
        connection.execute(sql, values or [])
        names = [d[0] for d in connection.description or []]
        return [dict(zip(names, row, strict=True)) for row in connection.fetchall()]
    except duckdb.Error as error:
        text = " ".join(str(error).split())
        raise UserError(f"sql: {text[:400]} (views: {', '.join(VIEWS)})") from None
    finally:
        connection.close()
