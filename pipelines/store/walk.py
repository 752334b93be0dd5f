"""Finds the records in a run of plain bytes: a plain WARC file, or what a gzip member holds.

How a doubtful case is settled:
- The declared length is believed if a blank line, a WARC head or the end follows it. If not, and
  a WARC head stands inside the content, the content ends there; if there is none, the content
  stands as declared and what follows it is a gap.
- A cut last record is a record (`short`) if its WARC head is whole.
- A head without WARC-Type is no head. One without a usable length goes on to the next head.
- After a gap in a plain file, a WARC head inside a page of a lost record looks like a record.
"""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Iterator
from typing import NamedTuple

from pipelines.store.window import Window

_MAX_HEAD = 1 << 20
_HEAD_END = re.compile(rb"\n\r*\n")
_BLANK_LINE = re.compile(rb"(\r*\n)\1")
_FOLD = re.compile(r"\r*\n[ \t]+")
HEAD_START = re.compile(rb"WARC/[01]\.\d{1,2}[ \t]*\r*\n(?i:WARC|Content)-[A-Za-z-]{1,40}[ \t]*:")


class Found(NamedTuple):
    """A record in the coordinates of its window; see `warc.Record` for the other fields."""

    start: int
    end: int  # after the newlines that end the record
    last: bool  # nothing follows in the window, or in the gzip member
    headers: dict[str, str]
    content: bytes
    content_length: int
    short: bool
    clipped: bool


class Gap(NamedTuple):
    """Bytes without a record, in the coordinates of their window."""

    start: int
    end: int
    last: bool
    reason: str  # garbage, bad_warc_header, cut
    detail: str


def walk(window: Window, pos: int, max_bytes: int) -> Iterator[Found | Gap]:
    """Records and gaps of a window from `pos` on; of a block at most `max_bytes` are given."""
    while head := window.get(pos, 4096, cross=False):
        if head[0] in b"\r\n":
            pos += len(head) - len(head.lstrip(b"\r\n"))
            continue
        read = _head(window, pos, head)
        if isinstance(read, str):
            following = window.find(HEAD_START, pos + 1)
            end = window.end if following is None else following
            reason = "bad_warc_header" if read == "cut" and following is not None else read
            item: Found | Gap = Gap(pos, end, following is None, reason, looks(head))
        else:
            item = _block(window, pos, *read, max_bytes)
        yield item
        if item.last:
            return
        pos = item.end


def _head(window: Window, pos: int, head: bytes) -> tuple[dict[str, str], int] | str:
    """The WARC head at `pos` and where its block starts, or why there is none."""
    if not head.startswith(b"WARC/"):
        return "garbage"
    end = _HEAD_END.search(head)
    if not end and not HEAD_START.search(head, 1):
        head = window.get(pos, _MAX_HEAD)
        end = _HEAD_END.search(head)
    if HEAD_START.search(head, 1, end.end() if end else len(head)):
        return "bad_warc_header"  # broken off by the head of the next record
    if not end:
        return "cut" if len(head) < _MAX_HEAD else "bad_warc_header"
    headers = fields(head[: end.start()])
    if "warc-type" not in headers:
        return "bad_warc_header"
    return headers, pos + end.end()


def _block(window: Window, start: int, headers: dict[str, str], body: int, max_bytes: int) -> Found:
    """The record whose head at `start` has been read and whose block starts at `body`."""
    declared = headers.get("content-length", "")
    usable = declared.isascii() and declared.isdigit()
    length = int(declared[:18]) if usable else 0  # more digits are beyond any file too
    end = body + length
    clipped = length > max_bytes
    if usable and (window.size is None or end <= window.size):
        content = window.get(body, min(length, max_bytes))
        if len(content) == length or window.get(end - 1, 1):
            after, last, good = _boundary(window, end)
            # A check sum watches over what a gzip member holds.
            checked = window.size is None or clipped
            if good and (checked or not _swallows(window, headers, body, content)):
                return Found(start, after, last, headers, content, length, False, clipped)
            if not good and window.find(HEAD_START, body, end) is None:
                return Found(start, after, False, headers, content, length, False, clipped)
    content, end, last = _up_to_next_head(window, body, max_bytes)
    if not usable or not last:
        content = _unterminated(content)
    length = length if usable else end - body
    return Found(start, end, last, headers, content, length, usable, end - body > max_bytes)


def _boundary(window: Window, end: int) -> tuple[int, bool, bool]:
    """Where the newlines at `end` end, whether that is the end, and whether a record can end so."""
    tail = window.get(end, 64, cross=False)
    rest = tail.lstrip(b"\r\n")
    last = not rest and len(tail) < 64
    good = last or rest.startswith(b"WARC/") or bool(_BLANK_LINE.match(tail))
    return end + len(tail) - len(rest), last, good


def _swallows(window: Window, headers: dict[str, str], body: int, content: bytes) -> bool:
    """Whether a declared length leads over other records to the end of one, by chance.

    That happens where bytes are missing. Most often a WARC head in a block is part of a page: the
    digest tells. If there is none: whether no blank line follows, or the inner record ends where
    the outer one does, or beyond it at a place where records end.
    """
    if b"WARC/" not in content or not (heads := list(HEAD_START.finditer(content))):
        return False
    name, _, digest = headers.get("warc-block-digest", "").partition(":")
    if name.lower() == "sha1" and len(digest) == 32:
        raw = hashlib.sha1(content, usedforsecurity=False).digest()
        return base64.b32encode(raw).decode() != digest.upper()
    outer = body + len(content)
    if not _BLANK_LINE.match(window.get(outer, 64)):
        return True
    at = heads[-1].start()
    read = _head(window, body + at, content[at:])
    if isinstance(read, str) or not read[0].get("content-length", "").isdigit():
        return False
    end = read[1] + int(read[0]["content-length"][:18])
    return end == outer or (end > outer and bool(window.get(end, 1)) and _boundary(window, end)[2])


def _unterminated(block: bytes) -> bytes:
    """A block whose end was found by what follows, without the blank line that ends a record."""
    return block[:-4] if block.endswith(b"\r\n\r\n") else block.removesuffix(b"\n\n")


def _up_to_next_head(window: Window, body: int, max_bytes: int) -> tuple[bytes, int, bool]:
    """What lies between `body` and the next WARC head or the end, at most `max_bytes` of it; where
    that is, and whether it is the end."""
    if window.size is None:
        # The search must come last: it leaves a gzip member read to where it ends or breaks.
        content = window.get(body, max_bytes)
        following = window.find(HEAD_START, body)
        end = window.end if following is None else following
        return content[: end - body], end, following is None
    following = window.find(HEAD_START, body)
    end = window.end if following is None else following
    return window.get(body, min(end - body, max_bytes)), end, following is None


def fields(head: bytes) -> dict[str, str]:
    """The named fields of a WARC head; lines that are none are passed over."""
    try:
        text = head.decode()
    except UnicodeDecodeError:
        text = "\n".join(_text(line) for line in head.split(b"\n"))
    if "\n " in text or "\n\t" in text:
        text = _FOLD.sub(" ", text)
    fields: dict[str, str] = {}
    for line in text.split("\n"):
        name, colon, value = line.partition(":")
        if colon:
            name = name.strip().lower()
            if name not in fields:
                fields[name] = value.strip()
    return fields


def _text(line: bytes) -> str:
    try:
        return line.decode()
    except UnicodeDecodeError:
        return line.decode("latin-1")


def looks(data: bytes) -> str:
    """The start of a stretch, printable, on one line."""
    return "starts with " + repr(bytes(data[:40]))[1:]
