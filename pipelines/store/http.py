"""Takes a stored HTTP response apart: status, headers, body with its encodings undone.

Crawls hold what servers really sent: heads with bare line feeds, folded and repeated headers,
bodies that are not encoded as their header says, or stop half way. Whatever is valid is kept, and
`problems` names what was not.
"""

from __future__ import annotations

import io
import re
import zlib
from typing import NamedTuple

import brotli

from pipelines.store.inflate import MAGIC, Inflated, gunzip, inflate

_MAX_HEAD = 256 << 10
_MAX_LAYERS = 4
# A blank line, or markup where a header should stand.
_HEAD_END = re.compile(rb"\n\r*(?:\n|(?=<))")
_STATUS = re.compile(rb"(?:HTTP|ICY)(?:/\d+(?:\.\d+)?)?[ \t]+(\d{3})(?!\d)[ \t]*(.*)", re.I)
_FOLD = re.compile(rb"\r*\n[ \t]+")
_NAME = re.compile(rb"[!#$%&'*+.^_`|~0-9A-Za-z-]+[ \t]*\Z")
_CHUNK_LINE = re.compile(rb"[ \t]*([0-9A-Fa-f]{1,15})[ \t]*(?:;[^\n]{0,4096})?\r*\n")
_CUT_LINE = re.compile(rb"[ \t]*[0-9A-Fa-f]{0,15}[ \t]*(?:;[^\n]{0,4096})?\r?")
_NEWLINE = re.compile(rb"\r*\n")
_CONTROL = re.compile(rb"[\x00-\x08\x0e-\x1a\x1c-\x1f]")
_MAGIC = ((MAGIC, "gzip"), (b"\x28\xb5\x2f\xfd", "zstd"))
_NO_CODING = frozenset({"", "identity", "none", "binary", "8bit", "7bit", "utf-8", "utf8"})


class HttpMessage(NamedTuple):
    """A response. `problems`, in the order they were met:

    no_status_line, lf_only, bad_header (a line that is none), cut_head; bad_chunk (framing broken:
    the body ends there), cut_chunk; encoding_lie (the body is not encoded as the header says: it is
    kept as it is, or decoded as what it is), unknown_encoding, bad_X and cut_X for X in gzip,
    deflate, br, zstd (the body is what came out until then); too_large.
    """

    status: int | None
    reason: str
    headers: list[tuple[str, str]]  # as sent, repeated ones too; names lower case
    body: bytes
    problems: tuple[str, ...]


def parse_response(content: bytes, *, max_body: int) -> HttpMessage:
    """Read the block of a response record. Raises nothing on its content.

    Of the body at most `max_body` bytes are decoded and kept. `X-Crawler-Content-Encoding`, which
    Common Crawl writes where it stored the body decoded, is no content encoding.
    """
    problems: list[str] = []
    status, reason, headers, body = _head(content, problems)
    while status is not None and 100 <= status < 200 and body.startswith(b"HTTP/"):
        status, reason, headers, body = _head(body, problems)
    transfer = _tokens(headers, "transfer-encoding")
    if "chunked" in transfer and body:
        body, problem = _dechunk(body)
        problems += [problem] if problem else []
    codings = _tokens(headers, "content-encoding") + [t for t in transfer if t != "chunked"]
    body = _decode(body, codings, max_body, problems)
    return HttpMessage(status, reason, headers, body, tuple(dict.fromkeys(problems)))


def _head(
    content: bytes, problems: list[str]
) -> tuple[int | None, str, list[tuple[str, str]], bytes]:
    """Status, reason and headers of a message, and what follows them."""
    stop = content.find(b"\n", 0, _MAX_HEAD)
    line = content[:stop] if stop >= 0 else content[:_MAX_HEAD]
    status = _STATUS.match(line)
    if not status:
        problems.append("no_status_line")
    end = _HEAD_END.search(content, 0, _MAX_HEAD)
    if end:
        head, body = content[: end.start()], content[end.end() :]
    elif len(content) < _MAX_HEAD:
        head, body = content, b""
    else:  # no end in sight: all but the first line is body
        head, body = line, content[len(line) + 1 :]
    lines = _FOLD.sub(b" ", head).split(b"\n")
    if line[:5].upper() in (b"HTTP/", b"HTTP ") or status:
        lines = lines[1:]
    elif not (end and all(map(_is_header, lines))):  # no head at all
        return None, "", [], content
    if stop >= 0 and b"\r" not in content[: len(head) + 2]:
        problems.append("lf_only")
    headers = []
    for line in lines:
        if _is_header(line):
            name, _, value = line.partition(b":")
            headers.append((_text(name.strip()).lower(), _text(value.strip())))
        elif line.strip():
            problems.append("bad_header")
    if not end and not content.endswith(b"\n"):
        problems.append("cut_head")
    if not status:
        return None, "", headers, body
    return int(status[1]), _text(status[2].strip()), headers, body


def _is_header(line: bytes) -> bool:
    name, colon, _ = line.partition(b":")
    return bool(colon and _NAME.match(name))


def _text(data: bytes) -> str:
    try:
        return data.decode()
    except UnicodeDecodeError:
        return data.decode("latin-1")


def _tokens(headers: list[tuple[str, str]], name: str) -> list[str]:
    """The comma-separated values of all headers of a name, lower case."""
    values = ",".join(value for key, value in headers if key == name)
    tokens = [token.partition(";")[0].strip(' \t"').lower() for token in values.split(",")]
    return [token.removeprefix("x-") for token in tokens if token not in _NO_CODING]


def _dechunk(body: bytes) -> tuple[bytes, str]:
    """The chunks of a body joined, and what was wrong with them (RFC 9112, 7.1).

    A body that does not begin with a chunk is returned as it is.
    """
    parts: list[bytes] = []
    pos = 0
    while line := _CHUNK_LINE.match(body, pos):
        size, start = int(line[1], 16), line.end()
        if size == 0:
            rest = body[start : start + 1024].lstrip()
            if parts or not rest or _is_header(rest.partition(b"\n")[0]):
                return b"".join(parts), ""
            return body, "encoding_lie"
        end = start + size
        parts.append(body[start:end])
        newline = _NEWLINE.match(body, end)
        if newline:
            pos = newline.end()
        elif end + 1 >= len(body):
            return b"".join(parts), "cut_chunk"
        elif len(parts) == 1:
            return body, "encoding_lie"
        else:
            return b"".join(parts), "bad_chunk"
    if not parts:
        return body, "encoding_lie"
    return b"".join(parts), "cut_chunk" if _CUT_LINE.fullmatch(body, pos) else "bad_chunk"


def _decode(body: bytes, codings: list[str], max_body: int, problems: list[str]) -> bytes:
    """Undo the content codings, the last applied first. At most `max_body` bytes."""
    if len(codings) > _MAX_LAYERS:
        problems.append("unknown_encoding")
        codings = []
    for coding in reversed(codings):
        if not body:
            break
        if coding not in _DECODERS:
            problems.append("unknown_encoding")
            break
        named = next((name for magic, name in _MAGIC if body.startswith(magic)), None)
        actual = named or coding
        data, fault, _ = _DECODERS[actual](body, max_body)
        # Compressed data never looks like text, but text can decode to a few bytes.
        looks_plain = not data or not _CONTROL.search(body, 0, 256)
        if fault in ("bad", "cut") and looks_plain and not named:
            problems.append("encoding_lie")
            break
        if actual != coding:
            problems.append("encoding_lie")
        if fault:
            problems.append(fault if fault == "too_large" else f"{fault}_{actual}")
        body = data
    if len(body) > max_body:
        problems.append("too_large")
    return body[:max_body]


def _deflate(body: bytes, limit: int) -> Inflated:
    """`deflate` means zlib-wrapped, but many servers send the bare stream (RFC 9110, 8.4.1.2)."""
    if body[0] & 15 == 8 and int.from_bytes(body[:2], "big") % 31 == 0:
        data, fault, used = inflate(body, 2, limit)
        trailer = body[2 + used : 6 + used]
        if not fault and trailer != zlib.adler32(data).to_bytes(4, "big"):
            fault = "bad" if len(trailer) == 4 else "cut"
        if data or not fault:
            return Inflated(data, fault, used)
    bare = inflate(body, 0, limit)
    # Plain text can pass for a short deflate stream.
    early = not bare.fault and bare.used < len(body) // 2
    return Inflated(b"", "bad", 0) if early or bare.fault == "bad" else bare


def _brotli(body: bytes, limit: int) -> Inflated:
    decoder = brotli.Decompressor()
    parts: list[bytes] = []
    pos, size, fault = 0, 0, ""
    try:
        while not decoder.is_finished():
            # Small pieces: a fault costs the output of the piece it is found in.
            piece = body[pos : pos + 4096] if decoder.can_accept_more_data() else b""
            out = decoder.process(piece, output_buffer_limit=min(1 << 20, limit + 1 - size))
            pos += len(piece)
            parts.append(out)
            size += len(out)
            if size > limit:
                fault = "too_large"
                break
            if not piece and not out:
                fault = "cut"
                break
    except brotli.error:
        fault = "bad"
    return Inflated(b"".join(parts)[:limit], fault, pos)


def _zstd(body: bytes, limit: int) -> Inflated:
    import pyarrow as pa  # rarely needed, slow to import

    parts: list[bytes] = []
    size, fault = 0, ""
    try:
        with pa.CompressedInputStream(io.BytesIO(body), "zstd") as stream:
            while size <= limit and (out := stream.read(min(8192, limit + 1 - size))):
                parts.append(out)
                size += len(out)
    except OSError as error:
        fault = "cut" if "Truncated" in str(error) else "bad"
    if size > limit:
        fault = "too_large"
    return Inflated(b"".join(parts)[:limit], fault, len(body))


_DECODERS = {"gzip": gunzip, "deflate": _deflate, "br": _brotli, "zstd": _zstd}
