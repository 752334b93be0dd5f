"""`gristmill extract PAGES OUT.parquet`: the text of every page of a plain file."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from typing import Any

import pyarrow as pa

from pipelines import recipe as recipes
from pipelines import run as runs
from pipelines.engine.runners import Engine
from pipelines.errors import UserError
from pipelines.store import corpora, files, inputs, manifest
from pipelines.store.tables import read_table

EXTRACTED = pa.schema(
    [
        (name, pa.string())
        for name in ("id", "page_id", "url", "text", "title", "page_type", "outcome", "reason")
    ]
)
_OPEN = {"status": None, "opt_outs": "record", "min_visible_chars": None}


def extract(source: str, out: str, engine: Engine, settings: list[str]) -> int:
    """Every page of a WARC or JSONL (id, url, html) file as a row of `out`; returns the rows.

    No gate is asked but those of `settings` (recipe keys): what cannot be extracted keeps its row,
    with an empty text and the reason. Raises UserError.
    """
    if not out.endswith(".parquet"):
        raise UserError(f"{out}: the output is Parquet; name it OUT.parquet")
    data: dict[str, Any] = {"input": source, "extract": {"gate": dict(_OPEN)}}
    recipe = recipes.build(data, settings, "gristmill extract")
    work = out + ".work"
    try:
        done = runs.run(recipe, work, engine, until="extract")
        rows = pa.Table.from_pylist(list(_rows(done)), schema=EXTRACTED)
        with files.scratch(out.rsplit("/", 1)[0] if "/" in out else ".") as tmp:
            pa.parquet.write_table(rows, tmp, compression="zstd")
            files.publish(tmp, out)
    finally:
        if files.is_local(work):
            shutil.rmtree(work, ignore_errors=True)
    return int(rows.num_rows)


def _rows(done: manifest.Manifest) -> Iterator[dict[str, Any]]:
    """Pages in the order they came, each with its document or its reason."""
    tables = [done.paths("extract", name) for name in ("pages", "documents", "ledger")]
    for pages, documents, ledger in zip(*tables, strict=True):
        texts = _by_page(documents, ["page_id", "text", "title", "page_type"])
        left = _by_page(ledger, ["page_id", "outcome", "reason"])
        own_ids: Iterator[Any] | None = None
        for row in read_table(pages, ["page_id", "url", "record_type", "warc_path"]).to_pylist():
            own = row["page_id"]
            if row["record_type"] == "document":
                own_ids = own_ids or _ids(row["warc_path"])
                own = next(own_ids)
            queue = texts.get(row["page_id"]) or left[row["page_id"]]
            found = queue.pop(0)
            yield {
                "id": str(own),
                "page_id": row["page_id"],
                "url": row["url"],
                "text": found.get("text") or "",
                "title": found.get("title"),
                "page_type": found.get("page_type"),
                "outcome": found.get("outcome", "kept"),
                "reason": found.get("reason"),
            }


def _by_page(path: str, columns: list[str]) -> dict[str, list[dict[str, Any]]]:
    found: dict[str, list[dict[str, Any]]] = {}
    for row in read_table(path, columns).to_pylist():
        found.setdefault(row["page_id"], []).append(row)
    return found


def _ids(path: str) -> Iterator[Any]:
    for row in corpora.rows(path, inputs.kind_of(path)):
        if isinstance(row, corpora.Row):
            own = row.data.get("id")
            yield row.number if own is None else own
