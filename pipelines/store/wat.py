"""Links out of a WAT record: the JSON that Common Crawl derives from each page."""

from __future__ import annotations

import json
from typing import Any

from pipelines.store.warc import Record

_ANCHORS = ("A@/href", "AREA@/href")


def wat_links(record: Record) -> tuple[str, str, list[tuple[str, str]]] | None:
    """URL of the page, its <base href> ("" if none) and its links as (href, rel).

    None if the record is not the WAT record of an HTTP response, or cannot be read as one.
    Hrefs are as written in the page. Format: Common Crawl WAT, HTML-Metadata.
    """
    if record.type != "metadata" or "json" not in record.headers.get("content-type", ""):
        return None
    try:
        data = json.loads(record.content)
    except (ValueError, RecursionError):
        return None
    envelope = _part(data, "Envelope")
    header = _part(envelope, "WARC-Header-Metadata")
    response = _part(envelope, "Payload-Metadata", "HTTP-Response-Metadata")
    url = header.get("WARC-Target-URI") or record.headers.get("warc-target-uri")
    if not response or not isinstance(url, str):
        return None
    html = _part(response, "HTML-Metadata")
    base = _part(html, "Head").get("Base")
    found = html.get("Links")
    links = [
        (link["url"], rel if isinstance(rel := link.get("rel"), str) else "")
        for link in (found if isinstance(found, list) else ())
        if isinstance(link, dict)
        and link.get("path") in _ANCHORS
        and isinstance(link.get("url"), str)
    ]
    return url, base if isinstance(base, str) else "", links


def _part(data: Any, *path: str) -> dict[str, Any]:
    """The object at `path`; empty where there is none."""
    for name in path:
        data = data.get(name) if isinstance(data, dict) else None
    return data if isinstance(data, dict) else {}
