"""Reads WARC files record by record, and says where and why when it cannot.

Crawl files come cut, damaged, wrongly counted and joined from several writers. Other readers stop
at the first fault, some without a word. Here a fault costs the record it stands in: reading goes
on at the next gzip member that inflates to a WARC head, in plain files at the next WARC head. Each
readable record is one `Record`, each unreadable stretch one `Damage`, and no content raises.

Doubtful cases: `walk.py` says which bytes make a record. A gzip member with a wrong check sum is a
damage, although it inflates; in a member that holds many records those before the fault have been
given, and the last one is withheld.
"""

from __future__ import annotations

import re
from collections.abc import Generator, Iterator
from typing import BinaryIO, NamedTuple

from pipelines.store.inflate import MAGIC, Member, first_bytes, gzip_header
from pipelines.store.sniff import sniff
from pipelines.store.walk import HEAD_START, Found, Gap, fields, looks, walk
from pipelines.store.window import FileWindow, MemberRun

__all__ = ["Damage", "Record", "read_records", "sniff"]

_MEMBER = re.compile(rb"\x1f\x8b\x08[\x00-\x1f]")
_MEMBER_OR_HEAD = re.compile(_MEMBER.pattern + rb"|" + HEAD_START.pattern)

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


def read_records(
    stream: BinaryIO, *, max_bytes: int = 64 << 20, want: frozenset[str] | None = None
) -> Iterator[Record | Damage]:
    """All records and damages of a seekable file, in file order.

    `want`: record types whose content is needed (None: all); the others come with empty content.
    Holds one record of at most `max_bytes` (twice while it is put together) and a few MiB of
    buffer. Raises only what the stream itself raises.
    """
    return _Reader(stream, max_bytes, want).read()


class _Reader:
    def __init__(self, stream: BinaryIO, max_bytes: int, want: frozenset[str] | None) -> None:
        self.file = FileWindow(stream)
        self.size = self.file.size
        self.max_bytes, self.want = max_bytes, want
        self.ordinal = 0
        # The file starts with a good gzip member: a plain head is then no place to resume.
        self.gzipped = False

    def read(self) -> Iterator[Record | Damage]:
        head = self.file.get(0, 1 << 16)
        self.kind = sniff("", head)
        if self.kind in _REFUSED:
            yield Damage(0, self.size, f"{self.kind}_format", _REFUSED[self.kind])
            return
        if not head:
            yield Damage(0, 0, "empty_file", "the file has no bytes")
        pos = 0
        while head := self.file.get(pos, 64):
            if head.startswith(MAGIC[:2]):
                pos = yield from self._members(pos)
            elif head.lstrip(b"\r\n").startswith(b"WARC/"):
                yield from self._plain(pos)
                return
            else:
                end = self._resume(pos, self.size)
                yield self._damage(pos, end, "garbage", looks(head))
                pos = end

    def _damage(self, start: int, end: int, reason: str, detail: str) -> Damage:
        if reason == "garbage" and end - start == self.size:
            reason, detail = "not_warc", f"no WARC record in it; looks like {self.kind}"
        return Damage(start, end - start, reason, detail)

    def _record(self, item: Found, offset: int, length: int) -> Record:
        self.ordinal += 1
        kind = item.headers["warc-type"].lower()
        if self.want is not None and kind not in self.want:
            item = item._replace(content=b"")
        return Record(kind, offset, length, self.ordinal - 1, *item[3:])

    def _plain(self, pos: int) -> Iterator[Record | Damage]:
        for item in walk(self.file, pos, self.max_bytes):
            if isinstance(item, Gap):
                yield self._damage(item.start, item.end, item.reason, item.detail)
            else:
                yield self._record(item, item.start, item.end - item.start)

    def _members(self, pos: int) -> Generator[Record | Damage, None, int]:
        """The records of the gzip member at `pos`; returns where to read on."""
        run = MemberRun(self.file, pos)
        count = 0
        ended: tuple[str, int] | None = None
        lost: Found | Gap | None = None
        for item in walk(run, 0, self.max_bytes):
            count += 1
            if item.last:
                ended = self._ended(run.member)
                if ended[0] and (ended[0] != "cut" or isinstance(item, Gap)):
                    lost = item
                    break
            offset = run.offset(item.start)
            whole = count == 1 and item.last  # the only thing in the member
            if isinstance(item, Found):
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
            self.gzipped |= member.start == 0
            return "", member.end
        if member.fault == "bad_crc" and self._at_member(member.end):
            # Either the check sum or the data is wrong; such data can have run on through the next
            # members. A page that is itself a WARC file is not followed by another member.
            inner = self._resume(member.start + 1, member.end)
            while inner < member.end and not self._is_whole(inner):
                inner = self._resume(inner + 1, member.end)
            return "bad_crc", inner
        resume = self._resume(member.start + 1, self.size)
        ran_on = member.fault == "cut" and resume < self.size
        return ("bad_gzip" if ran_on else member.fault), resume

    def _at_member(self, pos: int) -> bool:
        following = self.file.get(pos, 64)
        return not following or gzip_header(following) >= 0

    def _is_whole(self, place: int) -> bool:
        member = Member(self.file.get, place)
        while member.read():
            pass
        return not member.fault and self._at_member(member.end)

    def _story(self, run: MemberRun, lost: Found | Gap | None, count: int) -> str:
        """What is known of a lost member: its URL, the records read before the fault."""
        if isinstance(lost, Found):
            headers = lost.headers
        else:  # the fault came before the first piece was out: ask for less
            start = first_bytes(self.file.get, run.member.start, 4096)
            headers = fields(start.partition(b"\n\r\n")[0])
        url = headers.get("warc-target-uri", "")
        before = count - (lost is not None)
        parts = [_line(url)] if url else []
        if before:
            parts.append(f"{before} records of this member were read before the fault")
        return "; ".join(parts) or "no WARC head readable"

    def _resume(self, pos: int, limit: int) -> int:
        """The next place before `limit` to read on from: a gzip member that inflates to a WARC
        head, in a file that does not start with a member also a WARC head; `limit` if there is
        none."""
        pattern = _MEMBER if self.gzipped else _MEMBER_OR_HEAD
        place = self.file.find(pattern, pos, limit)
        while place is not None:
            if self.file.get(place, 1) == b"W" or self._holds_head(place):
                return place
            place = self.file.find(pattern, place + 1, limit)
        return limit

    def _holds_head(self, place: int) -> bool:
        return MemberRun(self.file, place).find(HEAD_START, 0, cross=False) is not None


def _line(text: str) -> str:
    return "".join(c if c.isprintable() else " " for c in text)[:2000]
