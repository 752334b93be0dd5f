"""Says what a file is: by its first bytes, and by its name only where those leave a choice."""

from __future__ import annotations

import re

from pipelines.store.inflate import MAGIC, Member

_MAGIC = (
    (b"\x28\xb5\x2f\xfd", "zstd"),
    (b"BZh", "bzip2"),
    (b"\xfd7zXZ\0", "xz"),
    (b"PAR1", "parquet"),
    (b"WARC/", "warc"),
    (b"filedesc:", "arc"),
    (b"PK\x03\x04", "zip"),
)
_SKIPPABLE = re.compile(rb"[\x50-\x5f]\x2a\x4d\x18")  # a zstd frame that carries a dictionary
_TYPE = re.compile(rb"^WARC-Type:[ \t]*([a-z]+)", re.I | re.M)
_CDX = re.compile(rb"CDX( [A-Za-z])+\s|[^\s{]+ \d{14} \S+ \S+ \S+ \S+ [^\n]*\S")
_CDXJ = re.compile(rb"![A-Za-z]+\b|[^\s{]+ \d{4,14} *\{")
_JSON = re.compile(rb'\{\s*("|\})')
_HTML = re.compile(rb"<(!doctype html|html|head|body|title|meta|script|!--)", re.I)
_BINARY = re.compile(rb"[\x00-\x08\x0e-\x1a\x1c-\x1f]")


def sniff(name: str, head: bytes) -> str:
    """What the file `name` is that starts with `head` (a few KiB are enough).

    One of: empty, warc, wat, wet, arc, cdx, cdxj, wacz, zip, jsonl, parquet, zstd, bzip2, xz, gzip
    (of something not listed), html, xml, text, unknown. gzip is looked into: a .cdx.gz is "cdx".
    """
    if not head:
        return "empty"
    if head.startswith(MAGIC[:2]):
        inside = _inflate_start(head)
        return sniff(name, inside) if inside and not inside.startswith(MAGIC[:2]) else "gzip"
    kind = next((kind for magic, kind in _MAGIC if head.startswith(magic)), None)
    if kind == "warc":
        return _warc_family(name.lower(), head)
    if kind == "zip":
        is_wacz = name.lower().endswith(".wacz") or b"datapackage.json" in head
        return "wacz" if is_wacz or b"archive/" in head else "zip"
    if kind == "bzip2":
        return kind if head[4:10] == b"1AY&SY" else "text"
    if kind is None and _SKIPPABLE.match(head):
        kind = "zstd"
    return kind or _text_kind(head)


def _inflate_start(head: bytes) -> bytes:
    """What the gzip members at the start of a file hold, as far as `head` reaches."""

    def get(at: int, size: int) -> bytes:
        return head[at : at + size]

    inside = b""
    pos = 0
    while pos < len(head) and len(inside) < 1 << 16:
        member = Member(get, pos)
        while len(inside) < 1 << 16 and (piece := member.read(1 << 16)):
            inside += piece
        if not member.done or member.fault:
            break
        pos = member.end
    return inside


def _warc_family(name: str, head: bytes) -> str:
    types = {found.lower() for found in _TYPE.findall(head)}
    pages = types & {b"response", b"request", b"revisit", b"resource"}
    if b"conversion" in types and not pages:
        return "wet"
    if b"metadata" in types and not pages and b"application/json" in head:
        return "wat"
    if not pages:
        for kind in ("wat", "wet"):
            if f".{kind}" in name:
                return kind
    return "warc"


def _text_kind(head: bytes) -> str:
    text = head.removeprefix(b"\xef\xbb\xbf").lstrip()
    if _CDXJ.match(text):
        return "cdxj"
    if _CDX.match(text):
        return "cdx"
    if _JSON.match(text):
        return "jsonl"
    if _HTML.match(text):
        return "html"
    if text.startswith(b"<?xml"):
        return "xml"
    return "unknown" if _BINARY.search(head) else "text"
