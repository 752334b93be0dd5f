"""HTTP messages as crawls store them: odd heads; bodies encoded, cut and mislabelled."""

from __future__ import annotations

import gzip
import hashlib
import json
import os
import random
import tracemalloc
import zlib
from collections import Counter
from pathlib import Path

import brotli
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.store.http import HttpMessage, parse_response
from pipelines.store.warc import Record, read_records

PAGE = b"<!doctype html><title>A page</title>" + b"".join(
    b"<p>paragraph %d of a page that can be packed</p>" % n for n in range(400)
)


def bare_deflate(data: bytes) -> bytes:
    packer = zlib.compressobj(6, zlib.DEFLATED, -15)
    return packer.compress(data) + packer.flush()


def zstd(data: bytes) -> bytes:
    sink = pa.BufferOutputStream()
    with pa.CompressedOutputStream(sink, "zstd") as out:
        out.write(data)
    return sink.getvalue().to_pybytes()


PACK = {
    "gzip": gzip.compress,
    "x-gzip": gzip.compress,
    "deflate": zlib.compress,
    "deflate bare": bare_deflate,
    "br": lambda data: brotli.compress(data, quality=4),
    "zstd": zstd,
}


def chunks(data: bytes, size: int = 1000, trailer: bytes = b"") -> bytes:
    parts = [data[i : i + size] for i in range(0, len(data), size)]
    framed = b"".join(b"%x;a=b\r\n%b\r\n" % (len(part), part) for part in parts)
    return framed + b"0\r\n" + trailer + b"\r\n"


def parse(body: bytes, *headers: str, max_body: int = 1 << 20) -> HttpMessage:
    head = "\r\n".join(["HTTP/1.1 200 OK", "Content-Type: text/html", *headers])
    return parse_response(head.encode() + b"\r\n\r\n" + body, max_body=max_body)


# ---- heads


def test_plain_message():
    assert parse_response(
        b"HTTP/1.1 404 Not Found\r\nContent-Type: text/html\r\nX-A:  b \r\n\r\nbody\r\n",
        max_body=100,
    ) == HttpMessage(
        404, "Not Found", [("content-type", "text/html"), ("x-a", "b")], b"body\r\n", ()
    )


@pytest.mark.parametrize(
    ("line", "status", "reason"),
    [
        (b"HTTP/1.1 200", 200, ""),
        (b"HTTP/1.1 200 ", 200, ""),
        (b"HTTP/2 301 Moved", 301, "Moved"),
        (b"http/1.0 200 ok", 200, "ok"),
        (b"HTTP/1.1 200OK", 200, "OK"),
        (b"ICY 200 OK", 200, "OK"),
        (b"HTTP/1.1 500 caf\xe9", 500, "café"),
    ],
)
def test_status_lines(line, status, reason):
    message = parse_response(line + b"\r\nA: b\r\n\r\nx", max_body=9)
    assert message == (status, reason, [("a", "b")], b"x", ())


def test_odd_headers():
    message = parse(
        b"x", "Set-Cookie: a=1", "X-Long: one\r\n\t two\r\n  three", "SET-COOKIE: b=2", "junk here"
    )
    assert message.headers[1:] == [
        ("set-cookie", "a=1"),
        ("x-long", "one two three"),
        ("set-cookie", "b=2"),
    ]
    assert (message.body, message.problems) == (b"x", ("bad_header",))
    raw = b"HTTP/1.1 200 OK\r\nX-Latin: caf\xe9\r\nX-Utf: caf\xc3\xa9\r\n\r\nx"
    assert parse_response(raw, max_body=9).headers == [("x-latin", "café"), ("x-utf", "café")]


def test_bare_line_feeds():
    message = parse_response(b"HTTP/1.1 200 OK\nA: b\nC: d\n\nbody\r\n\r\nmore", max_body=99)
    assert message.headers == [("a", "b"), ("c", "d")]
    assert (message.body, message.problems) == (b"body\r\n\r\nmore", ("lf_only",))


def test_no_status_line():
    for body in (
        b"<html>Note: a page\r\n\r\n</html>",
        b"plain: words and more\nno header\n\nx",
        b"",
    ):
        message = parse_response(body, max_body=99)
        assert message == (None, "", [], body, ("no_status_line",))
    message = parse_response(b"Content-Type: text/html\r\n\r\nbody", max_body=99)
    assert message == (None, "", [("content-type", "text/html")], b"body", ("no_status_line",))
    message = parse_response(b"HTTP/1.1 OK\r\nA: b\r\n\r\nbody", max_body=99)
    assert message == (None, "", [("a", "b")], b"body", ("no_status_line",))


def test_heads_without_a_blank_line():
    message = parse_response(b"HTTP/1.1 200 OK\r\nA: b\r\n<p>body\r\n\r\n</p>", max_body=99)
    assert message == (200, "OK", [("a", "b")], b"<p>body\r\n\r\n</p>", ())
    message = parse_response(b"HTTP/1.1 200 OK\r\nA: b\r\nC: d", max_body=99)
    assert (message.headers, message.body) == ([("a", "b"), ("c", "d")], b"")
    assert message.problems == ("cut_head",)
    assert parse_response(b"HTTP/1.1 304 Not Modified\r\nA: b\r\n", max_body=9).problems == ()


def test_interim_responses_are_skipped():
    data = b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nA: b\r\n\r\nbody"
    assert parse_response(data, max_body=9) == (200, "OK", [("a", "b")], b"body", ())


# ---- bodies


@pytest.mark.parametrize("name", PACK)
def test_content_encodings(name):
    coding = name.split()[0]
    packed = PACK[name](PAGE)
    assert parse(packed, f"Content-Encoding: {coding.upper()}")[3:] == (PAGE, ())
    # and within chunks, with trailers; and twice
    framed = chunks(packed, 100, b"X-Trailer: 1\r\n")
    head = ["Transfer-Encoding: chunked", f"Content-Encoding: {coding}"]
    assert parse(framed, *head)[3:] == (PAGE, ())
    twice = gzip.compress(packed)
    assert parse(twice, f"Content-Encoding: {coding}, gzip")[3:] == (PAGE, ())
    assert parse(twice, f"Content-Encoding: {coding}", "Content-Encoding: gzip")[3:] == (PAGE, ())
    assert parse(twice, f"Content-Encoding: {coding}", "Transfer-Encoding: gzip")[3:] == (PAGE, ())


@pytest.mark.parametrize("name", PACK)
def test_cut_bodies_keep_what_came_out(name):
    page = random.Random(4).randbytes(400_000).hex().encode()
    packed = PACK[name](page)
    message = parse(packed[: len(packed) * 3 // 4], f"Content-Encoding: {name.split()[0]}")
    assert page.startswith(message.body) and len(message.body) > len(page) // 2
    assert message.problems == (f"cut_{name.split()[0].removeprefix('x-')}",)


@pytest.mark.parametrize("coding", ["gzip", "deflate"])
def test_faults_in_a_body_keep_what_came_before(coding):
    page = random.Random(5).randbytes(40_000).hex().encode()
    packed = bytearray(PACK[coding](page))
    packed[30_000:30_100] = random.Random(6).randbytes(100)
    message = parse(bytes(packed), f"Content-Encoding: {coding}")
    assert message.problems == (f"bad_{coding}",)
    assert message.body[:40_000] == page[:40_000]


def test_cut_right_after_the_head():
    assert parse(gzip.compress(PAGE)[:12], "Content-Encoding: gzip")[3:] == (b"", ("cut_gzip",))
    assert parse(zstd(PAGE)[:12], "Content-Encoding: zstd")[3:] == (b"", ("cut_zstd",))


def test_wrong_check_sum_and_trailing_bytes():
    packed = gzip.compress(PAGE)
    assert parse(packed[:-8] + bytes(8), "Content-Encoding: gzip")[3:] == (PAGE, ("bad_gzip",))
    assert parse(packed + b"\0\0\0\0 junk", "Content-Encoding: gzip")[3:] == (PAGE, ())
    assert parse(packed + gzip.compress(b"more"), "Content-Encoding: gzip").body == PAGE + b"more"


@pytest.mark.parametrize("coding", ["gzip", "deflate", "br", "zstd"])
@pytest.mark.parametrize(
    "body",
    [PAGE, b"{}", b"hello", b"\n\n<p>", b"x" * 5000, "ünïcödé".encode(), b"\x89PNG\r\n\x1a\n"],
)
def test_header_says_encoded_but_the_body_is_plain(coding, body):
    assert parse(body, f"Content-Encoding: {coding}")[3:] == (body, ("encoding_lie",))


def test_header_names_another_encoding():
    assert parse(gzip.compress(PAGE), "Content-Encoding: br")[3:] == (PAGE, ("encoding_lie",))
    assert parse(zstd(PAGE), "Content-Encoding: gzip")[3:] == (PAGE, ("encoding_lie",))
    assert parse(PAGE, "Content-Encoding: UTF-8", "Content-Encoding: identity")[3:] == (PAGE, ())
    assert parse(PAGE, "Content-Encoding: compress")[3:] == (PAGE, ("unknown_encoding",))
    layers = ", ".join(["gzip"] * 50)
    assert parse(PAGE, f"Content-Encoding: {layers}").problems == ("unknown_encoding",)


def test_crawler_header_is_no_content_encoding():
    headers = ["X-Crawler-Content-Encoding: gzip", "X-Crawler-Transfer-Encoding: chunked"]
    assert parse(PAGE, *headers)[3:] == (PAGE, ())


def test_empty_bodies():
    for header in ("Content-Encoding: gzip", "Transfer-Encoding: chunked", "Content-Encoding: br"):
        assert parse(b"", header)[3:] == (b"", ())
    assert parse(gzip.compress(b""), "Content-Encoding: gzip")[3:] == (b"", ())
    assert parse(b"0\r\n\r\n", "Transfer-Encoding: chunked")[3:] == (b"", ())


@pytest.mark.parametrize(
    ("body", "expected", "problems"),
    [
        (b"5\r\nhello\r\n6\r\n world\r\n0\r\n\r\n", b"hello world", ()),
        (b"5\nhello\n0\n\n", b"hello", ()),
        (b" 05 \r\nhello\r\n0;last\r\nTrailer: 1\r\n\r\n", b"hello", ()),
        (b"5\r\nhello\r\n", b"hello", ("cut_chunk",)),
        (b"5\r\nhello\r\n6", b"hello", ("cut_chunk",)),
        (b"5\r\nhello\r", b"hello", ("cut_chunk",)),
        (b"b\r\nhello", b"hello", ("cut_chunk",)),
        (b"5\r\nhello\r\nzz\r\nworld", b"hello", ("bad_chunk",)),
        (b"5\r\nhello\r\n3\r\nworld\r\n0\r\n\r\n", b"hellowor", ("bad_chunk",)),
        (b"<p>not chunked</p>", b"<p>not chunked</p>", ("encoding_lie",)),
        (b"12\r\napostles and more words", b"12\r\napostles and more words", ("encoding_lie",)),
        (b"0\r\n\r\nis where it starts", b"0\r\n\r\nis where it starts", ("encoding_lie",)),
    ],
)
def test_chunks(body, expected, problems):
    assert parse(body, "Transfer-Encoding: chunked")[3:] == (expected, problems)


def test_size_limit():
    for name, pack in PACK.items():
        coding = f"Content-Encoding: {name.split()[0]}"
        assert parse(pack(PAGE), coding, max_body=50)[3:] == (PAGE[:50], ("too_large",))
        assert parse(pack(PAGE), coding, max_body=len(PAGE))[3:] == (PAGE, ())
    assert parse(PAGE, max_body=50)[3:] == (PAGE[:50], ("too_large",))


@pytest.mark.parametrize("name", PACK)
def test_bombs_are_never_inflated_whole(name):
    bomb = PACK[name](bytes(64 << 20))
    tracemalloc.start()
    try:
        message = parse(bomb, f"Content-Encoding: {name.split()[0]}", max_body=1 << 20)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert (len(message.body), message.problems) == (1 << 20, ("too_large",))
    assert peak < 8 << 20


PARTS = st.sampled_from(
    [
        b"HTTP/1.1 200 OK\r\n",
        b"Transfer-Encoding: chunked\r\n",
        b"Content-Encoding: gzip\r\n",
        b"Content-Encoding: deflate, br\r\n",
        b"Content-Encoding: zstd\n",
        b"\r\n",
        b"5\r\nhello\r\n",
        gzip.compress(b"page" * 50, mtime=0),
        brotli.compress(b"page" * 50),
        b"\x28\xb5\x2f\xfd",
    ]
)


@given(st.lists(PARTS | st.binary(max_size=20), max_size=8).map(b"".join), st.integers(0, 300))
def test_any_bytes_give_a_message(content, max_body):
    message = parse_response(content, max_body=max_body)
    assert len(message.body) <= max_body
    assert all(name == name.lower() and "\n" not in value for name, value in message.headers)


@given(
    st.binary(max_size=3000),
    st.lists(st.sampled_from(["gzip", "deflate", "br", "zstd"]), max_size=3),
    st.integers(0, 700),
)
def test_what_was_encoded_comes_back(body, codings, size):
    packed = body
    for coding in codings:
        packed = PACK[coding](packed)
    headers = [f"Content-Encoding: {', '.join(codings)}"] if codings else []
    if size:
        packed = chunks(packed, size)
        headers.append("Transfer-Encoding: chunked")
    assert parse(packed, *headers)[3:] == (body, ())


# ---- real pages, where the folder is given

# Rows of the truth table whose body is not whole in the file, or not as it was sent.
INCOMPLETE = {"truncated_warc", "truncated_mid_char", "truncated_unflagged", "chunked_cut"}


@pytest.mark.crawl_dev
def test_bodies_of_the_real_crawl():
    folder = Path(os.environ["GRISTMILL_CRAWL_DEV"])
    truth: dict[str, dict[int, dict]] = {}
    for line in (folder / "truth.jsonl").read_text().splitlines():
        row = json.loads(line)
        truth.setdefault(row["warc_file"], {})[row["offset"]] = row
    problems: Counter[tuple[str, str]] = Counter()
    for name, rows in truth.items():
        with (folder / name).open("rb") as stream:
            for item in read_records(stream, want=frozenset({"response"})):
                if not isinstance(item, Record) or item.type != "response":
                    continue
                row = rows[item.offset]
                message = parse_response(item.content, max_body=1 << 26)
                assert message.status == row["http_status"]
                kind = row["injected"] or ""
                problems.update((problem, kind) for problem in message.problems)
                if kind in INCOMPLETE:
                    assert 0 < len(message.body) < row["body_bytes"]
                else:
                    assert hashlib.sha1(message.body).hexdigest() == row["body_sha1"], row["url"]
    assert problems == {
        ("cut_chunk", "chunked_cut"): 8,
        ("encoding_lie", "enc_lie_gzip_header_plain_body"): 8,
    }
