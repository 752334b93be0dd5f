"""WARC records as captured pages: identity, address, time and the HTTP message they hold."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping
from datetime import UTC, datetime
from types import MappingProxyType
from typing import Any, NamedTuple

import xxhash

from pipelines.store.http import HttpMessage, parse_response
from pipelines.store.warc import Record

PAGE_TYPES = frozenset({"response", "revisit", "resource", "conversion"})
"""Records that get a ledger row; request, metadata and warcinfo records are counted."""


class Captured(NamedTuple):
    """A page as the crawler stored it. `message` is null for revisits and text records."""

    page_id: str
    url: str
    record_type: str
    captured_at: datetime | None
    message: HttpMessage | None
    body: bytes
    content_type: str | None
    status: int | None
    truncated: str | None
    payload_digest: str | None
    revisit_of: str | None
    problems: tuple[str, ...]
    given: Mapping[str, Any] = MappingProxyType({})  # what a corpus row says about itself


def captured(record: Record, warc_path: str, max_body: int) -> Captured:
    """Read a page record. Never raises on its content; `problems` names what is wrong."""
    head = record.headers
    url = head.get("warc-target-uri", "").strip().strip("<>")
    declared = head.get("content-type", "").lower()
    message = None
    body, content_type, status = record.content, declared or None, None
    problems: tuple[str, ...] = ()
    if record.type in ("response", "revisit") and _holds_http(record):
        message = parse_response(record.content, max_body=max_body)
        body, status, problems = message.body, message.status, message.problems
        content_type = header(message, "content-type")
    elif len(body) > max_body:
        body, problems = body[:max_body], ("too_large",)
    truncated = head.get("warc-truncated") or ("cut" if record.short else None)
    digest = head.get("warc-payload-digest")
    if digest is None and record.type != "revisit":
        raw = hashlib.sha1(body, usedforsecurity=False).digest()
        digest = "sha1:" + base64.b32encode(raw).decode()
    refers = head.get("warc-refers-to")
    return Captured(
        page_id=page_id(record, url, digest, warc_path),
        url=url,
        record_type=record.type,
        captured_at=when(head.get("warc-date", "")),
        message=message,
        body=body,
        content_type=content_type,
        status=status,
        truncated=truncated,
        payload_digest=digest,
        revisit_of=hash_id(refers.strip()) if refers else None,
        problems=problems,
    )


def _holds_http(record: Record) -> bool:
    return "http" in record.headers.get("content-type", "http").lower() or (
        record.content[:5] == b"HTTP/"
    )


def page_id(record: Record, url: str, digest: str | None, warc_path: str) -> str:
    """128 bits as hex: of the WARC-Record-ID, else of all that tells this capture from others."""
    record_id = record.headers.get("warc-record-id", "").strip()
    if record_id:
        return hash_id(record_id)
    name = warc_path.rsplit("/", 1)[-1]
    date = record.headers.get("warc-date", "")
    return hash_id("\n".join([name, url, date, digest or "", str(record.ordinal)]))


def hash_id(text: str) -> str:
    return xxhash.xxh3_128_hexdigest(text.encode("utf-8", "surrogatepass"))


def when(date: str) -> datetime | None:
    """A WARC-Date in any of its precisions as UTC seconds; None when it is not one."""
    text = date.strip()
    for cut, form in ((19, "%Y-%m-%dT%H:%M:%S"), (16, "%Y-%m-%dT%H:%M"), (10, "%Y-%m-%d")):
        try:
            return datetime.strptime(text[:cut], form).replace(tzinfo=UTC)
        except ValueError:
            continue
    try:
        return datetime.strptime(text[:14], "%Y%m%d%H%M%S").replace(tzinfo=UTC)
    except ValueError:
        return None


def header(message: HttpMessage, name: str) -> str | None:
    """The first non-empty value of an HTTP header."""
    for key, value in message.headers:
        if key == name and value:
            return value
    return None
