"""gzip and deflate read piece by piece: bounded, and exact about where a stream ended and how.

The stored file and HTTP bodies both need more than `gzip.open` gives: where a member ends, what
was readable before a fault, and no more output than asked for. Streams are read as raw deflate,
with the gzip head and check sum (RFC 1952) handled here, because zlib throws away its last output
when the check sum is wrong. ISA-L inflates about twice as fast as zlib.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable
from typing import NamedTuple, cast

from isal import isal_zlib

_IsalError = cast(type[Exception], isal_zlib.error)  # its stub calls it an instance

MAGIC = b"\x1f\x8b\x08"
MAX_HEADER = 1 << 17  # an extra field of 64 KiB and a file name
_FEED = 16 << 10  # input handed over at once; what is left of it is copied by the library
_STEP = 1 << 20  # output taken at once


def gzip_header(data: bytes) -> int:
    """Length of the gzip head `data` starts with; 0: cut short, -1: this is no gzip head."""
    if len(data) < 10:
        return 0 if MAGIC.startswith(data[:3]) else -1
    flags = data[3]
    if data[:3] != MAGIC or flags & 0xE0:
        return -1
    if not flags:
        return 10
    pos = 10
    if flags & 4:
        if len(data) < 12:
            return 0
        pos = 12 + int.from_bytes(data[10:12], "little")
    for bit in (8, 16):  # file name, comment
        if flags & bit:
            pos = data.find(b"\0", pos) + 1
            if not pos:
                return 0 if len(data) < MAX_HEADER else -1
    if flags & 2:
        pos += 2
    return pos if pos <= len(data) else 0


class Member:
    """One gzip member at `start` of a file, inflated forward.

    `get(pos, size)` gives stored bytes, fewer than asked only at the end of the file. After the
    end `fault` is one of: "" (whole), "bad_gzip", "bad_crc", "cut" (the file ends inside it), and
    `end` is where the member ended (where reading stopped, when it is not whole).
    """

    __slots__ = ("_crc", "_data", "_get", "_size", "_z", "done", "end", "fault", "start")

    def __init__(self, get: Callable[[int, int], bytes], start: int) -> None:
        self._get = get
        self._crc = self._size = 0
        self.start = self.end = start
        self.done, self.fault = False, ""
        self._z = isal_zlib.decompressobj(-15)
        self._data = get(start, _FEED)
        length = gzip_header(self._data)
        if length == 0:
            self._data = get(start, MAX_HEADER)
            length = gzip_header(self._data)
        if length > 0:
            self.end += length
            self._data = self._data[length:]
        else:
            self._stop("cut" if length == 0 else "bad_gzip")

    def _stop(self, fault: str) -> None:
        self.done, self.fault = True, fault

    def read(self, size: int = _STEP) -> bytes:
        """The next inflated bytes, at most `size`; empty at the end."""
        while not self.done:
            data = self._data or self._get(self.end, _FEED)
            self._data = b""
            try:
                out = self._z.decompress(data, size)
            except _IsalError:
                self._stop("bad_gzip")
                break
            self._crc = isal_zlib.crc32(out, self._crc)
            self._size += len(out)
            if self._z.eof:
                self.end += len(data) - len(self._z.unused_data)
                self._check()
            else:
                self.end += len(data) - len(self._z.unconsumed_tail)
                if not data and not out:
                    self._stop("cut")
            if out:
                return out
        return b""

    def _check(self) -> None:
        trailer = self._get(self.end, 8)
        self.end += len(trailer)
        if len(trailer) < 8:
            self._stop("cut")
        else:
            good = (self._crc | (self._size & 0xFFFFFFFF) << 32).to_bytes(8, "little")
            self._stop("" if trailer == good else "bad_crc")


def first_bytes(get: Callable[[int, int], bytes], start: int, size: int) -> bytes:
    """The first `size` inflated bytes of a member that is broken further on, if they come out.

    ISA-L decodes some 64 KiB ahead and fails at once if the fault lies in there; zlib does not.
    """
    try:
        return zlib.decompressobj(31).decompress(get(start, _FEED), size)
    except zlib.error:
        return b""


class Inflated(NamedTuple):
    """What came out of a compressed body. `fault`: "", "bad", "cut", "too_large"."""

    data: bytes
    fault: str
    used: int  # bytes of input read


def inflate(body: bytes, start: int, limit: int) -> Inflated:
    """A raw deflate stream at `start` of `body`, at most `limit` bytes of output."""
    z = isal_zlib.decompressobj(-15)
    parts: list[bytes] = []
    pos, size, fault = start, 0, ""
    # Small pieces: a fault costs the output of the piece it is found in.
    while not z.eof:
        data = body[pos : pos + (_FEED >> 2)]
        try:
            out = z.decompress(data, min(_STEP, limit + 1 - size))
        except _IsalError:
            fault = "bad"
            break
        pos += len(data) - len(z.unused_data if z.eof else z.unconsumed_tail)
        parts.append(out)
        size += len(out)
        if size > limit:
            fault = "too_large"
            break
        if not data and not out:
            fault = "cut"
            break
    return Inflated(b"".join(parts)[:limit], fault, pos - start)


def gunzip(body: bytes, limit: int) -> Inflated:
    """All gzip members at the start of `body`; what follows the last one is left alone."""
    parts: list[bytes] = []
    pos, room, fault = 0, limit, ""
    while (length := gzip_header(body[pos : pos + MAX_HEADER])) >= 0 and pos < len(body):
        if length == 0:
            fault = "cut"
            break
        data, fault, used = inflate(body, pos + length, room)
        parts.append(data)
        room -= len(data)
        pos += length + used
        if fault:
            break
        trailer = body[pos : pos + 8]
        pos += len(trailer)
        if len(trailer) < 8:
            fault = "cut"
        elif trailer[:4] != isal_zlib.crc32(data).to_bytes(4, "little"):
            fault = "bad"
        if fault:
            break
    else:
        fault = "bad" if not parts else ""
    return Inflated(b"".join(parts), fault, pos)
