"""Reads WARC files record by record, and says where and why when it cannot.

Crawl files come cut, damaged, wrongly counted and joined from several writers. Other readers stop
at the first fault, some without a word. Here a fault costs the record it stands in: reading goes
on at the next gzip member that inflates to a WARC head, in plain files at the next WARC head. Each
readable record is one `Record`, each unreadable stretch one `Damage`, and no content raises.

How a doubtful case is settled:
- A record's declared length is believed if a blank line, a WARC head or the end follows it. If not,
  and a WARC head stands inside the content, the content ends there; if there is none, the content
  stands as declared and what follows it is a damage.
- A cut last record is a record (`short`) if its WARC head is whole.
- A member with a wrong check sum is a damage, although it inflates. In a member that holds many
  records those before the fault have been given; the last one is withheld.
- After a fault in a plain file, a WARC head inside a page of a lost record looks like a record.
"""

from __future__ import annotations

import re
from collections.abc import Generator, Iterator
from typing import BinaryIO, NamedTuple

from pipelines.store.inflate import MAGIC, Member, gzip_header
from pipelines.store.sniff import sniff
from pipelines.store.window import FileWindow, MemberRun, Window

__all__ = ["Damage", "Record", "read_records", "sniff"]

_MAX_HEAD = 1 << 20
_HEAD_END = re.compile(rb"\n\r*\n")
_BLANK_LINE = re.compile(rb"\r*\n\r*\n")
_FOLD = re.compile(r"\r*\n[ \t]+")
_HEAD = rb"WARC/[01]\.\d{1,2}[ \t]*\r*\n(?i:WARC|Content)-[A-Za-z-]{1,40}[ \t]*:"
_HEAD_START = re.compile(_HEAD)
_MEMBER_OR_HEAD = re.compile(rb"\x1f\x8b\x08[\x00-\x1f]|" + _HEAD)
_MEMBER = re.compile(rb"\x1f\x8b\x08[\x00-\x1f]")

_REFUSED = {
    "arc": "ARC files are not read; convert with `warcio recompress IN.arc.gz OUT.warc.gz`",
    "zstd": "zstd is not read; run `zstd -d` (with its dictionary), then gzip record by record",
    "bzip2": "bzip2 is not read; run `bunzip2` and give the plain .warc",
    "xz": "xz is not read; run `unxz` and give the plain .warc",
    "wacz": "a WACZ is a zip of WARC files; unzip it and give the files under archive/",
    "zip": "zip archives are not read; unzip it and give the files",
    "parquet": "a Parquet table, not a crawl file",
}


class Record(NamedTuple):
    """One WARC record. `offset` and `length` are those of the stored bytes: of the gzip member
    (length 0 if the member holds more than this record), in plain files of the record itself."""

    type: str  # WARC-Type, lower case
    offset: int
    length: int
    ordinal: int  # 0-based, in the file
    headers: dict[str, str]  # names lower case, the first of a name wins
    content: bytes  # the block after the WARC head, at most `max_bytes`; empty if not wanted
    content_length: int  # as declared; what was found if nothing usable is declared
    short: bool  # fewer bytes than declared were there
    clipped: bool  # longer than `max_bytes`: the rest was skipped


class Damage(NamedTuple):
    """A stretch of the file that holds no readable record. `length` 0: inside a gzip member whose
    other records were read. Reasons: empty_file, not_warc, garbage, bad_warc_header, bad_gzip,
    bad_crc, cut, and KIND_format for what `_REFUSED` lists."""

    offset: int
    length: int
    reason: str
    detail: str  # one line


class _Found(NamedTuple):
    """A record in the coordinates of its window. `last`: nothing but newlines follows it."""

    start: int
    end: int
    last: bool
    headers: dict[str, str]
    content: bytes
    content_length: int
    short: bool
    clipped: bool


class _Gap(NamedTuple):
    """Bytes without a record, in the coordinates of their window."""

    start: int
    end: int
    last: bool
    reason: str
    detail: str


def read_records(
    stream: BinaryIO, *, max_bytes: int = 64 << 20, want: frozenset[str] | None = None
) -> Iterator[Record | Damage]:
    """All records and damages of a seekable file, in file order.

    `want`: record types whose content is needed (None: all); the others come with empty content.
    Holds one record of at most `max_bytes` and a few MiB of buffer. Raises only what the stream
    itself raises.
    """
    return _Reader(stream, max_bytes, want).read()


class _Reader:
    def __init__(self, stream: BinaryIO, max_bytes: int, want: frozenset[str] | None) -> None:
        self.file = FileWindow(stream)
        self.size = self.file.size
        self.max_bytes, self.want = max_bytes, want
        self.ordinal = 0

    def read(self) -> Iterator[Record | Damage]:
        head = self.file.get(0, 1 << 16)
        self.kind = sniff("", head)
        if self.kind in _REFUSED:
            yield Damage(0, self.size, f"{self.kind}_format", _REFUSED[self.kind])
            return
        if not head:
            yield Damage(0, 0, "empty_file", "the file has no bytes")
        pos, gzipped = 0, False
        while head := self.file.get(pos, 64):
            if head.startswith(MAGIC[:2]):
                pos = yield from self._members(pos)
                gzipped = True
            elif head.lstrip(b"\r\n").startswith(b"WARC/"):
                yield from self._plain(pos)
                return
            else:
                end = self._resume(pos, gzipped)
                yield self._damage(pos, end, "garbage", _looks(head))
                pos = end

    def _damage(self, start: int, end: int, reason: str, detail: str) -> Damage:
        if reason == "garbage" and end - start == self.size:
            reason, detail = "not_warc", f"no WARC record in it; looks like {self.kind}"
        return Damage(start, end - start, reason, detail)

    def _record(self, item: _Found, offset: int, length: int) -> Record:
        self.ordinal += 1
        kind = item.headers["warc-type"].lower()
        return Record(kind, offset, length, self.ordinal - 1, *item[3:])

    def _plain(self, pos: int) -> Iterator[Record | Damage]:
        for item in self._walk(self.file, pos):
            if isinstance(item, _Gap):
                yield self._damage(item.start, item.end, item.reason, item.detail)
            else:
                yield self._record(item, item.start, item.end - item.start)

    def _members(self, pos: int) -> Generator[Record | Damage, None, int]:
        """The records of the gzip member at `pos`; returns where to read on."""
        run = MemberRun(self.file, pos)
        count = 0
        ended: tuple[str, int] | None = None
        lost: _Found | _Gap | None = None
        for item in self._walk(run, 0):
            count += 1
            if item.last:
                ended = self._ended(run.member)
                if ended[0] and (ended[0] != "cut" or isinstance(item, _Gap)):
                    lost = item
                    break
            offset = run.offset(item.start)
            whole = count == 1 and item.last  # the only thing in the member
            if isinstance(item, _Found):
                stored = run.member.end - pos if whole and len(run.marks) == 1 else 0
                yield self._record(item, offset, stored)
            elif whole:
                yield self._damage(pos, run.member.end, item.reason, item.detail)
            else:
                detail = f"{item.end - item.start} bytes inside the gzip member; {item.detail}"
                yield Damage(offset, 0, item.reason, detail)
        fault, resume = ended or self._ended(run.member)
        if fault and not (fault == "cut" and count and not lost):
            start = run.offset(lost.start) if lost else run.member.start
            yield Damage(start, resume - start, fault, self._story(run, lost, count))
        return resume

    def _ended(self, member: Member) -> tuple[str, int]:
        """How a member really ended ("" if well), and where to read on."""
        if not member.fault:
            return "", member.end
        if member.fault == "bad_crc":
            following = self.file.get(member.end, 64)
            if not following or gzip_header(following) >= 0:
                return "bad_crc", member.end
        resume = self._resume(member.start + 1, True)
        # Damaged deflate data can run on through good members to the end of the file.
        ran_on = member.fault == "cut" and resume < self.size
        return ("bad_gzip" if ran_on else member.fault), resume

    def _story(self, run: MemberRun, lost: _Found | _Gap | None, count: int) -> str:
        """What is known of a lost member: its URL, the records read before the fault."""
        if isinstance(lost, _Found):
            headers = lost.headers
        else:  # the fault came before the first piece was out: ask for less
            start = Member(self.file.get, run.member.start).read(2048)
            headers = _fields(start.partition(b"\n\r\n")[0])
        url = headers.get("warc-target-uri", "")
        before = count - (lost is not None)
        parts = [_line(url)] if url else []
        if before:
            parts.append(f"{before} records of this member were read before the fault")
        return "; ".join(parts) or "no WARC head readable"

    def _resume(self, pos: int, gzipped: bool) -> int:
        """The next place to read on from: a gzip member that inflates to a WARC head, in a file
        not known to be gzipped also a WARC head; the size of the file if there is none."""
        pattern = _MEMBER if gzipped else _MEMBER_OR_HEAD
        place = self.file.find(pattern, pos)
        while place is not None:
            if self.file.get(place, 1) == b"W" or self._holds_head(place):
                return place
            place = self.file.find(pattern, place + 1)
        return self.size

    def _holds_head(self, place: int) -> bool:
        return MemberRun(self.file, place).find(_HEAD_START, 0, cross=False) is not None

    def _walk(self, window: Window, pos: int) -> Iterator[_Found | _Gap]:
        """Records and gaps of a window from `pos` on."""
        while head := window.get(pos, 4096, cross=False):
            if head[0] in b"\r\n":
                pos += len(head) - len(head.lstrip(b"\r\n"))
                continue
            read = self._head(window, pos, head)
            if isinstance(read, str):
                following = window.find(_HEAD_START, pos + 1)
                end = window.end if following is None else following
                reason = "bad_warc_header" if read == "cut" and following is not None else read
                item: _Found | _Gap = _Gap(pos, end, following is None, reason, _looks(head))
            else:
                item = self._block(window, pos, *read)
            yield item
            if item.last:
                return
            pos = item.end

    def _head(
        self, window: Window, pos: int, head: bytes
    ) -> tuple[dict[str, str], int] | str:
        """The WARC head at `pos` and where its block starts, or why there is none."""
        if not head.startswith(b"WARC/"):
            return "garbage"
        end = _HEAD_END.search(head)
        if not end:
            head = window.get(pos, _MAX_HEAD)
            end = _HEAD_END.search(head)
        if not end:
            return "cut" if len(head) < _MAX_HEAD else "bad_warc_header"
        if _HEAD_START.search(head, 1, end.end()):  # cut by the head of the next record
            return "bad_warc_header"
        headers = _fields(head[: end.start()])
        if "warc-type" not in headers:
            return "bad_warc_header"
        return headers, pos + end.end()

    def _block(self, window: Window, start: int, headers: dict[str, str], body: int) -> _Found:
        """The record whose head at `start` has been read and whose block starts at `body`."""
        declared = headers.get("content-length", "")
        wanted = self.want is None or headers["warc-type"].lower() in self.want
        room = self.max_bytes if wanted else 0
        if not (declared.isascii() and declared.isdigit()):
            following = window.find(_HEAD_START, body)
            end = window.end if following is None else following
            content = _unterminated(window.get(body, min(end - body, room)))
            clipped = wanted and end - body > room
            last = following is None
            return _Found(start, end, last, headers, content, len(content), False, clipped)
        length = int(declared[:18])  # more digits than that are beyond any file too
        end = body + length
        following = None
        short = window.size is not None and end > window.size
        if not short:
            content = window.get(body, min(length, room))
            short = len(content) < length and not window.get(end - 1, 1)
        if not short:
            tail = window.get(end, 64, cross=False)
            rest = tail.lstrip(b"\r\n")
            after = end + len(tail) - len(rest)
            last = not rest and len(tail) < 64
            if last or rest.startswith(b"WARC/") or _BLANK_LINE.match(tail):
                clipped = wanted and length > room
                return _Found(start, after, last, headers, content, length, False, clipped)
            following = window.find(_HEAD_START, body, end)
        else:
            following = window.find(_HEAD_START, body)
            after, last = window.end, following is None
            content = window.get(body, min(after - body, room))
        if following is not None:
            short = True
            after = following
            content = _unterminated(content[: following - body])
        clipped = wanted and min(length, after - body) > room
        return _Found(start, after, last, headers, content, length, short, clipped)


def _unterminated(block: bytes) -> bytes:
    """A block whose end was found by what follows, without the blank line that ends a record."""
    return block[:-4] if block.endswith(b"\r\n\r\n") else block.removesuffix(b"\n\n")


def _fields(head: bytes) -> dict[str, str]:
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


def _looks(data: bytes) -> str:
    """The start of a stretch, printable, on one line."""
    return "starts with " + repr(bytes(data[:40]))[1:]


def _line(text: str) -> str:
    return "".join(c if c.isprintable() else " " for c in text)[:2000]
