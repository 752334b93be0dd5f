"""Takes a stored HTTP response apart: status, headers, body with its encodings undone.

Crawls hold what servers really sent: heads with bare line feeds, folded and repeated headers,
bodies that are not encoded as their header says, or stop half way. Whatever is valid is kept, and
`problems` names what was not.
"""

from __future__ import annotations

import io
import re
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
_CHUNK_SIZE = re.compile(rb"[ \t]*([0-9A-Fa-f]{1,15})[ \t]*(?:;[^\n]{0,4096})?\r*\n")
_CONTROL = re.compile(rb"[\x00-\x08\x0e-\x1a\x1c-\x1f]")
_ZSTD = b"\x28\xb5\x2f\xfd"
_NO_CODING = frozenset({"", "identity", "none", "binary", "8bit", "7bit", "utf-8", "utf8"})


class HttpMessage(NamedTuple):
    """A response. `problems`, in the order they were met:

    no_status_line, lf_only, bad_header (a line that is none), cut_head; bad_chunk (framing broken:
    the body ends there), cut_chunk; encoding_lie (the body is not encoded as the header says, or
    otherwise; it is kept as it is, or decoded as what it is), unknown_encoding, bad_X and cut_X for
    X in gzip, deflate, br, zstd (the body is what came out until then); too_large.
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
    while status is not None and 100 <= status < 200 and body[:5] == b"HTTP/":
        status, reason, headers, body = _head(body, problems)
    if "chunked" in _tokens(headers, "transfer-encoding"):
        body = _dechunk(body, problems)
    body = _decode(body, _tokens(headers, "content-encoding"), max_body, problems)
    return HttpMessage(status, reason, headers, body, tuple(dict.fromkeys(problems)))


def _head(
    content: bytes, problems: list[str]
) -> tuple[int | None, str, list[tuple[str, str]], bytes]:
    line, newline, _ = content[:_MAX_HEAD].partition(b"\n")
    first = _STATUS.match(line)
    if not first and not _is_header(line):
        problems.append("no_status_line")
        return None, "", [], content
    end = _HEAD_END.search(content, 0, _MAX_HEAD)
    if end:
        head, body = content[: end.start()], content[end.end() :]
    elif len(content) < _MAX_HEAD:
        head, body = content, b""
        if not newline or not content.endswith(b"\n"):
            problems.append("cut_head")
    else:  # no end in sight: all but the first line is body
        head, body = line, content[len(line) + 1 :]
    if newline and b"\r" not in head and not line.endswith(b"\r"):
        problems.append("lf_only")
    lines = _FOLD.sub(b" ", head).split(b"\n")
    status, reason = None, ""
    if first:
        status, reason = int(first[1]), _text(first[2].strip())
        lines = lines[1:]
    else:
        problems.append("no_status_line")
    headers = []
    for line in lines:
        name, _, value = line.partition(b":")
        if _is_header(line):
            headers.append((_text(name.strip()).lower(), _text(value.strip())))
        elif line.strip():
            problems.append("bad_header")
    return status, reason, headers, body


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
    return [token.strip().strip('"').lower() for token in values.split(",") if token.strip()]


def _dechunk(body: bytes, problems: list[str]) -> bytes:
    """The chunks of a body joined; as it is if it does not begin with a chunk. RFC 9112, 7.1."""
    parts: list[bytes] = []
    pos = 0
    while pos < len(body):
        line = _CHUNK_SIZE.match(body, pos)
        if not line:
            cut = len(body) - pos < 20 and b"\n" not in body[pos:]
            problems.append("cut_chunk" if cut and parts else "bad_chunk")
            break
        size, start = int(line[1], 16), line.end()
        if size == 0:
            return b"".join(parts)
        end = start + size
        parts.append(body[start:end])
        if end > len(body):
            pos = end
            break
        if body[end : end + 1] == b"\n":
            pos = end + 1
        elif body[end : end + 2] == b"\r\n":
            pos = end + 2
        elif end + 2 > len(body):
            pos = len(body)
        else:
            problems.append("bad_chunk")
            break
    else:
        problems.append("cut_chunk")  # no chunk of size 0
    if problems[-1:] == ["bad_chunk"] and len(parts) < 2:
        problems[-1] = "encoding_lie"
        return body
    if pos > len(body):
        problems.append("cut_chunk")
    return b"".join(parts)


def _decode(body: bytes, codings: list[str], max_body: int, problems: list[str]) -> bytes:
    """Undo the content codings, the last applied first. At most `max_body` bytes."""
    codings = [coding.removeprefix("x-") for coding in codings if coding not in _NO_CODING]
    if len(codings) > _MAX_LAYERS:
        problems.append("unknown_encoding")
        codings = []
    for coding in reversed(codings):
        if not body:
            break
        if coding not in _DECODERS:
            problems.append("unknown_encoding")
            break
        actual = "gzip" if body.startswith(MAGIC) else coding
        actual = "zstd" if body.startswith(_ZSTD) else actual
        decoded = _DECODERS[actual](body, max_body)
        if actual != coding:
            problems.append("encoding_lie")
        if decoded.fault == "bad" and (not decoded.data or not _CONTROL.search(body, 0, 256)):
            problems.append("encoding_lie" if not _CONTROL.search(body, 0, 256) else f"bad_{actual}")
            break
        if decoded.fault:
            problems.append("too_large" if decoded.fault == "too_large" else f"{decoded.fault}_{actual}")
        body = decoded.data
    if len(body) > max_body:
        problems.append("too_large")
    return body[:max_body]


def _deflate(body: bytes, limit: int) -> Inflated:
    """`deflate` means zlib-wrapped, but many servers send the bare stream (RFC 9110, 8.4.1.2)."""
    if body[0] & 15 == 8 and int.from_bytes(body[:2], "big") % 31 == 0:
        wrapped = inflate(body, 2, limit)
        if wrapped.data:
            return wrapped
    bare = inflate(body, 0, limit)
    # Plain text can pass for a short deflate stream.
    early = not bare.fault and bare.used < len(body) // 2
    return Inflated(b"", "bad", 0) if early or bare.fault == "bad" else bare


def _brotli(body: bytes, limit: int) -> Inflated:
    decoder = brotli.Decompressor()
    parts: list[bytes] = []
    size, fault = 0, ""
    data = body
    try:
        while not decoder.is_finished():
            out = decoder.process(data, output_buffer_limit=min(1 << 20, limit + 1 - size))
            data = b""
            parts.append(out)
            size += len(out)
            if size > limit:
                fault = "too_large"
                break
            if not out and decoder.can_accept_more_data() and not decoder.is_finished():
                fault = "cut"
                break
    except brotli.error:
        fault = "bad"
    return Inflated(b"".join(parts)[:limit], fault, len(body))


def _zstd(body: bytes, limit: int) -> Inflated:
    import pyarrow as pa  # rarely needed, slow to import

    parts: list[bytes] = []
    size, fault = 0, ""
    try:
        with pa.CompressedInputStream(io.BytesIO(body), "zstd") as stream:
            while size <= limit and (out := stream.read(min(1 << 16, limit + 1 - size))):
                parts.append(out)
                size += len(out)
    except (OSError, pa.ArrowException):
        fault = "bad"
    if size > limit:
        fault = "too_large"
    return Inflated(b"".join(parts)[:limit], fault, len(body))


_DECODERS = {"gzip": gunzip, "deflate": _deflate, "br": _brotli, "zstd": _zstd}
