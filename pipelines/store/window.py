"""A forward view of bytes that arrive in pieces: the stored file, or what its gzip members hold."""

from __future__ import annotations

import re
from typing import BinaryIO

from pipelines.store.inflate import Member

_CHUNK = 1 << 20
_OVERLAP = 256  # longer than anything `Window.find` is asked to find


class Window:
    """Bytes by position. Keeps what lies at and after the last position that needed new bytes."""

    size: int | None = None  # where the data ends, if that is known beforehand

    def __init__(self) -> None:
        self._base, self._buffer = 0, b""
        self._ended = self._ended_here = False

    def _more(self, cross: bool) -> bytes:
        """The next piece; empty at the end, and without `cross` at the end of a gzip member."""
        raise NotImplementedError

    def _seek(self, pos: int) -> int:
        """Make `_more` go on from a place at or before `pos`, which is returned."""
        raise NotImplementedError

    def get(self, pos: int, size: int, cross: bool = True) -> bytes:
        """Bytes [pos, pos + size), fewer only where the data ends (see `_more` for `cross`)."""
        at = pos - self._base
        stop = at + size
        if at < 0 or len(self._buffer) < stop:
            if at < 0 or not (self._ended if cross else self._ended_here):
                self._fill(pos, size, cross)
                if size > _CHUNK and self._base == pos:  # a large record is not held twice
                    return self._hand_over(size)
            at = pos - self._base
            stop = at + size
        return self._buffer[at:stop]

    def _fill(self, pos: int, size: int, cross: bool) -> None:
        """Make the buffer start at `pos` and hold `size` bytes, if there are as many."""
        stop = self.end
        parts = []
        if pos < self._base or (pos > stop and self.size is not None):
            stop = self._seek(pos)
            self._ended = self._ended_here = False
        elif pos < stop:
            parts.append(self._buffer[pos - self._base :])
        self._buffer = b""
        while stop < pos + size and not (self._ended if cross else self._ended_here):
            piece = self._more(cross)
            if not piece:
                self._ended, self._ended_here = cross, True
                break
            before, stop = stop, stop + len(piece)
            if before >= pos:
                parts.append(piece)
            elif stop > pos:
                parts.append(piece[pos - before :])
        self._buffer = b"".join(parts)
        self._base = stop - len(self._buffer)

    def _hand_over(self, size: int) -> bytes:
        data = self._buffer
        self._buffer = data[size:]
        self._base += min(size, len(data))
        return data[:size]

    @property
    def end(self) -> int:
        """Where the bytes read so far end; the end of the data once `get` gave fewer than asked."""
        return self._base + len(self._buffer)

    def find(
        self, pattern: re.Pattern[bytes], pos: int, limit: int | None = None, cross: bool = True
    ) -> int | None:
        """Where `pattern` first matches at or after `pos` and before `limit`."""
        while limit is None or pos < limit:
            data = self.get(pos, _CHUNK, cross)
            match = pattern.search(data)
            if match and (limit is None or pos + match.start() < limit):
                return pos + match.start()
            if len(data) < _CHUNK:
                return None
            pos += len(data) - _OVERLAP
        return None


class FileWindow(Window):
    """The stored bytes of a seekable file; seeks only to go back, or over skipped bytes."""

    size: int

    def __init__(self, stream: BinaryIO) -> None:
        super().__init__()
        self._stream = stream
        stream.seek(0, 2)
        self.size = stream.tell()
        stream.seek(0)

    def _more(self, cross: bool) -> bytes:
        return self._stream.read(_CHUNK)

    def _seek(self, pos: int) -> int:
        pos = min(pos, self.size)
        self._stream.seek(pos)
        return pos


class MemberRun(Window):
    """What a gzip member holds, with the members that carry on a record it left unfinished.

    Almost always one member: one that starts with a WARC head never carries on another.
    """

    def __init__(self, file: Window, start: int) -> None:
        super().__init__()
        self._file = file
        self.member = Member(file.get, start)
        self.marks = [(0, start)]  # position in the inflated bytes, offset in the file
        self._made = 0

    def _seek(self, pos: int) -> int:
        self.member = Member(self._file.get, self.marks[0][1])
        del self.marks[1:]
        self._made = 0
        return 0

    def _more(self, cross: bool) -> bytes:
        data = self.member.read()
        if not data and cross and not self.member.fault:
            following = Member(self._file.get, self.member.end)
            data = following.read()
            if data.lstrip(b"\r\n").startswith(b"WARC/"):
                data = b""
            if data:
                self.member = following
                self.marks.append((self._made, following.start))
        self._made += len(data)
        self._ended_here = self.member.done
        return data

    def offset(self, pos: int) -> int:
        """Offset in the file of the member that holds the inflated position."""
        if len(self.marks) == 1:
            return self.marks[0][1]
        return next(offset for made, offset in reversed(self.marks) if made <= pos)
