"""Documents of published corpora and industry data (JSONL, Parquet) as captured pages.

A row needs `text` (taken as it is) or `html` (read like a page). `id`, `url`, `title`, `language`
(or `lang`), `source` and `published_at` (or `date`) are used when there; other columns are left.
"""

from __future__ import annotations

import gzip
import io
import json
from collections.abc import Iterator
from typing import Any, NamedTuple

import pyarrow as pa
import pyarrow.parquet as pq

from pipelines.store import files
from pipelines.store.captures import Captured, hash_id, when

MAX_LINE = 64 << 20


class Row(NamedTuple):
    number: int  # line of a JSONL file or row of a Parquet file, from 0
    data: dict[str, Any]


class BadRow(NamedTuple):
    number: int
    why: str


_COLUMNS = ("id", "url", "text", "html", "title", "language", "lang", "source", "published_at",
            "date")  # fmt: skip


def rows(path: str, kind: str) -> Iterator[Row | BadRow]:
    """All rows of a corpus file; one that cannot be used is a BadRow that says why."""
    found = _parquet(path) if kind == "parquet" else _jsonl(path)
    for item in found:
        if isinstance(item, Row) and not isinstance(_body(item.data), str):
            has = ", ".join(sorted(str(k) for k in item.data)[:8]) or "nothing"
            yield BadRow(item.number, f"needs a string 'text' or 'html'; has {has}")
        else:
            yield item


def _body(data: dict[str, Any]) -> Any:
    return data.get("text") if data.get("text") is not None else data.get("html")


def _jsonl(path: str) -> Iterator[Row | BadRow]:
    with files.open_read(path) as raw:
        stream: Any = raw
        if path.endswith(".gz"):
            stream = gzip.GzipFile(fileobj=raw)
        elif path.endswith(".zst"):
            stream = io.BufferedReader(pa.CompressedInputStream(raw, "zstd"))
        number = -1
        try:
            while line := stream.readline(MAX_LINE):
                number += 1
                if not line.strip():
                    continue
                try:
                    data = json.loads(line)
                except (ValueError, RecursionError) as error:
                    yield BadRow(number, f"not JSON: {' '.join(str(error).split())[:120]}")
                    continue
                if isinstance(data, dict):
                    yield Row(number, data)
                else:
                    yield BadRow(number, f"a JSON {type(data).__name__}, not an object")
        except (OSError, EOFError) as error:
            yield BadRow(number + 1, f"the rest cannot be read: {error}")


def _parquet(path: str) -> Iterator[Row | BadRow]:
    number = 0
    try:
        with files.open_read(path) as f:
            parquet = pq.ParquetFile(f)
            names = [c for c in _COLUMNS if c in parquet.schema_arrow.names]
            for batch in parquet.iter_batches(batch_size=512, columns=names):
                for data in batch.to_pylist():
                    yield Row(number, data)
                    number += 1
    except (pa.ArrowException, OSError) as error:
        yield BadRow(number, f"the rest cannot be read: {' '.join(str(error).split())[:200]}")


def captured(row: Row, path: str) -> Captured:
    """A corpus row in the shape of a captured page."""
    data = row.data
    name = path.rsplit("/", 1)[-1]
    own_id = data.get("id")
    url = str(data.get("url") or "")
    date = data.get("published_at") or data.get("date")
    given = {
        "title": _text(data.get("title")),
        "language": _text(data.get("language") or data.get("lang")),
        "source": _text(data.get("source")),
        "published_at": _text(date),
    }
    html = data.get("text") is None
    return Captured(
        page_id=hash_id(f"{name}\n{own_id if own_id is not None else row.number}"),
        url=url or f"urn:gristmill:{name}:{own_id if own_id is not None else row.number}",
        record_type="document",
        captured_at=when(str(date)) if date else None,
        message=None,
        body=str(_body(data)).encode("utf-8", "replace"),
        content_type="text/html; charset=utf-8" if html else "text/plain",
        status=None,
        truncated=None,
        payload_digest=None,
        revisit_of=None,
        problems=(),
        given={k: v for k, v in given.items() if v},
    )


def _text(value: Any) -> str | None:
    return str(value) if value is not None and str(value).strip() else None


def is_html(page: Captured) -> bool:
    """True for a page without an HTTP message whose own type says HTML."""
    return "html" in (page.content_type or "")
