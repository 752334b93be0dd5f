"""`gristmill why`: everything the run knows about one page, by URL or page_id."""

from __future__ import annotations

import re
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from pipelines.errors import UserError
from pipelines.store import files, ledger, manifest
from quality import urls

_ID = re.compile(r"[0-9a-f]{32}")


def why(run: manifest.Manifest, url_or_id: str) -> list[dict[str, Any]]:
    """The ledger rows of a page, latest capture first, with the partner's URL where there is one.

    Reads one row group of one bucket. Raises UserError when the run never saw the page.
    """
    if "ledger" not in run.stages:
        raise UserError(f"{run.run_dir}: the ledger is not closed yet; run up to stage decide")
    question = url_or_id.strip()
    if _ID.fullmatch(question.replace("-", "").lower()):
        found = by_id(run, question.replace("-", "").lower())
    else:
        found = by_url(run, question)
    if not found:
        raise UserError(f"{url_or_id}: not in this run's ledger; no page of that URL or id came in")
    for row in found:
        if row["partner"]:
            partner = by_id(run, row["partner"])
            row["partner_url"] = partner[0]["url"] if partner else None
    return found


def by_url(run: manifest.Manifest, url: str) -> list[dict[str, Any]]:
    key, canonical = urls.url_key(url), urls.canonical_url(url)
    rows = _bucket(run, key)
    exact = [r for r in rows if r["url"] == url]
    return exact or [r for r in rows if r["canonical_url"] == canonical] or rows


def by_id(run: manifest.Manifest, page_id: str) -> list[dict[str, Any]]:
    buckets = run.tables("ledger", "ledger_ids")
    file = buckets[ledger.id_bucket(page_id, len(buckets))]
    rows = _lookup(files.join(run.run_dir, file.path), "page_id", page_id)
    keys = sorted({r["url_key"] for r in rows})
    return [r for key in keys for r in _bucket(run, key) if r["page_id"] == page_id]


def _bucket(run: manifest.Manifest, key: int) -> list[dict[str, Any]]:
    buckets = run.tables("ledger", "ledger")
    path = files.join(run.run_dir, buckets[key % len(buckets)].path)
    return _lookup(path, "url_key", key)


def _lookup(path: str, column: str, value: Any) -> list[dict[str, Any]]:
    """Rows of a file sorted by `column` that equal `value`, read from the row groups that may."""
    with files.open_read(path) as f:
        parquet = pq.ParquetFile(f)
        at = parquet.schema_arrow.get_field_index(column)
        found: list[dict[str, Any]] = []
        for group in range(parquet.num_row_groups):
            stats = parquet.metadata.row_group(group).column(at).statistics
            if stats is None or stats.min <= value <= stats.max:
                table = parquet.read_row_group(group)
                scalar = pa.scalar(value, parquet.schema_arrow.field(column).type)
                found += table.filter(pc.equal(table[column], scalar)).to_pylist()
        return found


def sentence(row: dict[str, Any]) -> str:
    """The verdict in words."""
    reason = str(row["reason"] or "").replace("_", " ")
    text = {
        "kept": "kept",
        "merged": f"merged into another page: {reason}",
        "dropped": f"dropped at {row['stage']}: {reason}",
        "failed": f"could not be read at {row['stage']}: {reason.removeprefix('failed ')}",
    }[row["outcome"]]
    if row["value"] is not None:
        text += f", {row['value']:g}"
        if row["threshold"] is not None:
            text += f" against {row['threshold']:g}"
    if row["detail"]:
        text += f" ({row['detail']})"
    return text
