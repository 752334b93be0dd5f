"""The ledger's final rows: what became of every page that came in, where `why` finds it.

Buckets by URL hash, each sorted by it, so that one question reads one row group of one file; a
second, narrow table leads from a page_id to its URL hash.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from pipelines.store import schemas

DOCUMENT_COLUMNS = ["url_key", "page_id", "url", "canonical_url", "warc_path", "warc_offset",
                    "warc_length"]  # fmt: skip
_DECISION_COLUMNS = ["outcome", "reason", "value", "threshold", "detail", "partner", "tokens"]
ROW_GROUP = 16_384
ROWS_A_BUCKET = 500_000


def final_rows(
    extract_ledger: pa.Table,
    documents: pa.Table,
    decisions: pa.Table,
    revisits: pa.Table,
    text_file: str,
) -> pa.Table:
    """The rows of one unit (schema LEDGER): what left at extract, and each document's decision.

    documents and decisions: the same rows in the same order. text_file: where the texts stand.
    """
    partners = dict(
        zip(revisits["page_id"].to_pylist(), revisits["partner"].to_pylist(), strict=True)
    )
    left = extract_ledger
    if partners:
        is_revisit = pc.fill_null(pc.equal(left["reason"], "revisit"), False).to_pylist()
        ids = left["page_id"].to_pylist()
        found = [partners.get(i) if r else None for i, r in zip(ids, is_revisit, strict=True)]
        outcome = [
            ("merged" if p else "dropped") if r else o
            for r, p, o in zip(is_revisit, found, left["outcome"].to_pylist(), strict=True)
        ]
        left = _set(_set(left, "partner", found), "outcome", outcome)
    rows = documents.num_rows
    assert decisions.num_rows == rows, "documents and decisions differ in length"
    columns: dict[str, Any] = {name: documents[name] for name in DOCUMENT_COLUMNS}
    columns |= {name: decisions[name] for name in _DECISION_COLUMNS}
    columns |= {
        "stage": pa.array(["decide"] * rows, pa.string()),
        "text_file": pa.array([text_file] * rows, pa.string()),
        "text_row": pa.array(np.arange(rows), pa.int64()),
    }
    decided = pa.table({name: columns[name] for name in schemas.LEDGER.names})
    return pa.concat_tables([left.cast(schemas.LEDGER), decided.cast(schemas.LEDGER)])


def _set(table: pa.Table, name: str, values: list[Any]) -> pa.Table:
    at = table.schema.get_field_index(name)
    return table.set_column(at, table.schema.field(name), pa.array(values, pa.string()))


def url_bucket(url_keys: pa.ChunkedArray, buckets: int) -> NDArray[np.int64]:
    """Bucket of each row; url_keys: uint64[rows]."""
    return (url_keys.to_numpy() % np.uint64(buckets)).astype(np.int64)


def id_bucket(page_id: str, buckets: int) -> int:
    return int(page_id[:15], 16) % buckets


def id_rows(rows: pa.Table) -> pa.Table:
    """The narrow table (schema LEDGER_IDS) of rows that have a page_id."""
    return rows.filter(pc.is_valid(rows["page_id"])).select(["page_id", "url_key"])


_SORT = [(name, "ascending") for name in ("url_key", "page_id", "warc_path", "warc_offset")]


def sort_rows(rows: pa.Table) -> pa.Table:
    return rows.take(pc.sort_indices(rows, sort_keys=_SORT)).combine_chunks()


def sort_ids(rows: pa.Table) -> pa.Table:
    keys = [("page_id", "ascending"), ("url_key", "ascending")]
    return rows.take(pc.sort_indices(rows, sort_keys=keys)).combine_chunks()
