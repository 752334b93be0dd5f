"""The WARC reader against warcio on good files, and against known truth on damaged ones."""

from __future__ import annotations

import bz2
import gzip
import io
import json
import os
import random
import tracemalloc
import zlib
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import fsspec
import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st
from warcio.archiveiterator import ArchiveIterator
from warcio.warcwriter import WARCWriter

from pipelines.store import inflate, window
from pipelines.store.sniff import sniff
from pipelines.store.warc import Damage, Record, read_records
from pipelines.store.wat import wat_links
from tests import second_reader


def read(data: bytes, **options) -> tuple[list[Record], list[Damage]]:
    items = list(read_records(io.BytesIO(data), **options))
    records = [item for item in items if isinstance(item, Record)]
    return records, [item for item in items if isinstance(item, Damage)]


# ---- files made of drawn records


class Made(NamedTuple):
    start: int
    end: int
    type: str
    content: bytes


# A page can hold a WARC file, a gzip stream or the text of a head; none of it is a record.
NESTED = b"WARC/1.0\r\nWARC-Type: response\r\nContent-Length: 30\r\n\r\n"
PIECES = st.sampled_from(
    [
        NESTED,
        gzip.compress(NESTED, mtime=0),
        b"\r\n\r\n",
        b"\n\n",
        b"WARC/1.0",
        b"WARC/1.1\r\n",
        b"\x1f\x8b\x08\x00",
        b"<p>words of a page</p>" * 40,
        random.Random(1).randbytes(5000),
    ]
)
BODIES = st.lists(PIECES | st.binary(max_size=40), max_size=4).map(b"".join)
TYPES = st.sampled_from(["response", "metadata", "resource", "conversion"])


@st.composite
def warcs(draw) -> tuple[bytes, list[Made]]:
    """A WARC file written by warcio, gzipped or not, and what it holds."""
    out = io.BytesIO()
    writer = WARCWriter(out, gzip=draw(st.booleans()))
    made = []
    for number, (kind, body) in enumerate(
        draw(st.lists(st.tuples(TYPES, BODIES), min_size=1, max_size=6))
    ):
        head = b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\n\r\n" if kind == "response" else b""
        record = writer.create_warc_record(
            f"http://example.com/{number}/",
            kind,
            payload=io.BytesIO(head + body),
            warc_headers_dict={
                "WARC-Record-ID": f"<urn:uuid:00000000-0000-4000-8000-{number:012}>",
                "WARC-Date": "2026-10-05T12:00:00Z",
            },
        )
        start = out.tell()
        writer.write_record(record)
        made.append(Made(start, out.tell(), kind, head + body))
    return out.getvalue(), made


class Dribble(io.BytesIO):
    """A stream that gives less than it is asked for, as remote files do."""

    def read(self, size: int | None = -1) -> bytes:
        return super().read(min(size, 700) if size and size > 0 else size)


@pytest.fixture(scope="module", autouse=True, params=["usual", "small"])
def buffers(request) -> Iterator[str]:
    """Small buffers make every record cross the edge of several."""
    with pytest.MonkeyPatch.context() as patch:
        if request.param == "small":
            patch.setattr(window, "_CHUNK", 600)
            patch.setattr(inflate, "_FEED", 64)
            patch.setattr(inflate, "_STEP", 100)
        yield request.param


real = pytest.mark.parametrize("buffers", ["usual"], indirect=True)


@given(warcs())
def test_equals_warcio_on_good_files(drawn):
    data, made = drawn
    records, damages = read(data)
    assert not damages
    assert [(r.type, r.offset, r.length) for r in records] == [
        (m.type, m.start, m.end - m.start) for m in made
    ]
    theirs = ArchiveIterator(io.BytesIO(data), no_record_parse=True)
    for ours, other in zip(records, theirs, strict=True):
        assert ours.content == other.raw_stream.read()
        assert ours.headers == {k.lower(): v for k, v in other.rec_headers.headers}
        assert ours.content_length == len(ours.content)
        assert not ours.short and not ours.clipped
    assert [r.ordinal for r in records] == list(range(len(made)))
    assert list(read_records(Dribble(data))) == records
    assert [r.content for r in read(data, want=frozenset({"response"}))[0]] == [
        r.content if r.type == "response" else b"" for r in records
    ]


@given(
    warcs(),
    st.floats(0, 1),
    st.integers(0, 400),
    st.sampled_from(["remove", "overwrite", "zero", "insert"]),
    st.integers(0, 2**32),
)
def test_damage_costs_only_the_records_it_touches(drawn, place, size, deed, seed):
    data, made = drawn
    first = int(place * len(data))
    last = first if deed == "insert" else min(first + size, len(data))
    junk = random.Random(seed).randbytes(size)
    put = {"remove": b"", "overwrite": junk[: last - first], "insert": junk}.get(
        deed, bytes(last - first)
    )
    broken = data[:first] + put + data[last:]
    # Hypothesis does find bodies that start with the magic number of another format.
    assume(sniff("", broken) in ("warc", "wat", "wet", "text", "unknown", "gzip", "empty"))
    shift = len(broken) - len(data)
    untouched = [m for m in made if m.end <= first]
    untouched += [m._replace(start=m.start + shift) for m in made if m.start >= last]

    records, damages = read(broken)
    at = Counter(r.offset for r in records)
    by_offset = {r.offset: r for r in records}
    for m in untouched:
        assert at[m.start] == 1, "an untouched record is read exactly once"
        assert by_offset[m.start].content == m.content
        assert by_offset[m.start].type == m.type
    # What is read and what is damaged share the file out between them.
    stretches = sorted((i.offset, i.length) for i in (*records, *damages) if i.length)
    pos = 0
    for offset, length in stretches:
        assert offset >= pos, "two items claim the same bytes"
        assert not broken[pos:offset].strip(b"\r\n"), "bytes that nobody accounts for"
        pos = offset + length
    assert not broken[pos:].strip(b"\r\n")


@given(st.binary(max_size=300) | st.lists(PIECES, max_size=5).map(b"".join))
@example(b"\x1f\x8b\x08\x04\x00\x00\x00\x00\x00\x00\xff\xff")
@example(b"WARC/1.0\r\n" * 1000)
def test_any_bytes_are_accounted_for(data):
    records, damages = read(data)
    if not records:
        assert damages or not data.strip(b"\r\n")
    for damage in damages:
        assert 0 <= damage.offset <= damage.offset + damage.length <= len(data)
        assert "\n" not in damage.detail and "\r" not in damage.detail


# ---- damages by hand: what becomes of each record, where and why


def record(
    number: int, body: bytes = b"", length: int | None = None, eol: bytes = b"\r\n"
) -> bytes:
    body = body or b"HTTP/1.1 200 OK\r\n\r\nbody %d" % number
    lines = [
        b"WARC/1.0",
        b"WARC-Type: response",
        b"WARC-Target-URI: http://example.com/%d" % number,
        b"Content-Length: %d" % (len(body) if length is None else length),
    ]
    return eol.join(lines) + eol * 2 + body + eol * 2


def members(count: int) -> list[bytes]:
    return [gzip.compress(record(n), mtime=0) for n in range(count)]


def ids(records: list[Record]) -> list[int]:
    return [int(r.headers["warc-target-uri"].rsplit("/", 1)[1]) for r in records]


def test_cut_in_the_last_member_gives_what_is_there():
    body = random.Random(0).randbytes(20000)
    parts = [*members(2), gzip.compress(record(2, body))]
    data = b"".join(parts)[:-9000]
    records, damages = read(data)
    assert ids(records) == [0, 1, 2] and not damages
    last = records[-1]
    assert last.short and body.startswith(last.content) and len(last.content) > 10000
    assert (last.content_length, last.offset + last.length) == (20000, len(data))


def test_cut_in_the_last_plain_record_gives_what_is_there():
    data = record(0) + record(1)[:-9]
    records, damages = read(data)
    assert ids(records) == [0, 1] and not damages
    assert records[1].short and records[1].content == b"HTTP/1.1 200 OK\r\n\r\n" + b"b"


@pytest.mark.parametrize("cut", [3, 12, 30])
def test_cut_before_the_warc_head_is_whole_is_a_damage(cut):
    whole = gzip.compress(record(0)) + gzip.compress(record(1, random.Random(0).randbytes(99)))
    start = len(gzip.compress(record(0)))
    records, damages = read(whole[: start + cut])
    assert ids(records) == [0]
    assert [(d.offset, d.length, d.reason) for d in damages] == [(start, cut, "cut")]
    plain = record(0) + record(1)[:cut]
    records, damages = read(plain)
    assert ids(records) == [0]
    assert [(d.offset, d.length) for d in damages] == [(len(record(0)), cut)]


def test_wrong_check_sum_names_the_lost_page():
    parts = members(3)
    parts[1] = parts[1][:-8] + b"\0\0\0\0" + parts[1][-4:]
    records, damages = read(b"".join(parts))
    assert ids(records) == [0, 2]
    assert damages == [Damage(len(parts[0]), len(parts[1]), "bad_crc", "http://example.com/1")]


def test_broken_deflate_data_names_the_lost_page():
    body = random.Random(0).randbytes(50_000)
    member = bytearray(gzip.compress(record(1, body)))
    member[40_000:40_100] = b"\xff" * 100
    parts = [members(1)[0], bytes(member), *members(1)]
    # Incompressible data is stored as it is: only the check sum tells.
    records, (damage,) = read(b"".join(parts))
    assert ids(records) == [0, 0]
    assert (damage.offset, damage.length) == (len(parts[0]), len(parts[1]))
    assert damage.detail == "http://example.com/1"
    text = " ".join(str(n) for n in range(9000)).encode()
    member = bytearray(gzip.compress(record(1, text)))
    member[9_000:9_100] = random.Random(2).randbytes(100)
    parts[1] = bytes(member)
    records, (damage,) = read(b"".join(parts))
    assert ids(records) == [0, 0]
    assert (damage.offset, damage.length) == (len(parts[0]), len(parts[1]))
    assert "http://example.com/1" in damage.detail


def test_garbage_between_members_and_at_the_ends():
    a, b = members(2)
    records, damages = read(b"JUNK" + a + b"GARBAGE\x1f\x8b\x08" + b + bytes(5))
    assert ids(records) == [0, 1]
    assert [r.offset for r in records] == [4, 4 + len(a) + 10]
    assert [(d.offset, d.length, d.reason) for d in damages] == [
        (0, 4, "garbage"),
        (4 + len(a), 10, "garbage"),
        (14 + len(a) + len(b), 5, "garbage"),
    ]


def test_one_member_for_the_whole_file():
    data = gzip.compress(b"".join(record(n) for n in range(5)))
    records, damages = read(data)
    assert ids(records) == [0, 1, 2, 3, 4] and not damages
    assert {(r.offset, r.length) for r in records} == {(0, 0)}
    assert [r.ordinal for r in records] == [0, 1, 2, 3, 4]


def test_fault_in_a_shared_member_keeps_what_came_before():
    text = b"".join(record(n, b"%d" % n * 4000) for n in range(40))
    data = bytearray(gzip.compress(text, 1))
    data[len(data) * 3 // 4] ^= 0xFF
    data += members(1)[0]
    records, (damage,) = read(bytes(data))
    numbers = ids(records)
    assert numbers[:-1] == list(range(len(numbers) - 1)) and len(numbers) > 10
    assert numbers[-1] == 0, "the member that follows is read"
    assert (damage.offset, damage.reason in ("bad_gzip", "bad_crc")) == (0, True)
    assert f"{len(numbers) - 1} records" in damage.detail


def test_records_that_cross_gzip_members():
    """Blocks of a fixed size, as bgzip makes them."""
    text = b"".join(record(n, b"page %d " % n * 50) for n in range(6))
    blocks = [gzip.compress(text[i : i + 700]) for i in range(0, len(text), 700)]
    records, damages = read(b"".join(blocks))
    assert not damages
    assert [r.content for r in records] == [b"page %d " % n * 50 for n in range(6)]


def test_plain_length_too_long():
    """The next record is not swallowed, though the length says so."""
    data = record(0) + record(1, b"a page", length=100) + record(2) + record(3)
    records, damages = read(data)
    assert ids(records) == [0, 1, 2, 3] and not damages
    assert records[1].content == b"a page" and records[1].short
    assert read(record(0, b"x", length=10**15) + record(1))[0][1].content.endswith(b"body 1")


def test_plain_length_too_short():
    data = record(0) + record(1, b"a page and more", length=6) + record(2)
    records, damages = read(data)
    assert ids(records) == [0, 1, 2]
    assert records[1].content == b"a page"
    (damage,) = damages
    assert (damage.reason, data[damage.offset :][:9]) == ("garbage", b" and more")
    assert damage.offset + damage.length == records[2].offset


@pytest.mark.parametrize("length", [b"", b"Content-Length: many\r\n", b"Content-Length: -5\r\n"])
def test_no_usable_length(length):
    head = b"WARC/1.0\r\nWARC-Type: response\r\nWARC-Target-URI: http://example.com/1\r\n"
    data = record(0) + head + length + b"\r\nthe block\r\n\r\n" + record(2)
    records, damages = read(data)
    assert ids(records) == [0, 1, 2] and not damages
    assert records[1].content == b"the block"


def test_a_page_that_holds_a_warc_file():
    nested = record(7) + record(8)
    for data in (record(0, nested) + record(1), gzip.compress(record(0, nested)) + members(1)[0]):
        records, damages = read(data)
        assert records[0].content == nested
        assert len(records) == 2 and not damages
    # And junk after it does not make its inside look like records.
    records, damages = read(record(0, nested) + b"JUNK" + record(1))
    assert ids(records) == [0, 1] and len(damages) == 1


@pytest.mark.parametrize("eol", [b"\n", b"\r\n", b"\r\r\n"])
def test_line_ends_of_the_warc_head(eol):
    data = record(0, eol=eol) + record(1, eol=eol)
    for form in (data, gzip.compress(data)):
        records, damages = read(form)
        assert ids(records) == [0, 1] and not damages
        assert records[1].content == b"HTTP/1.1 200 OK\r\n\r\nbody 1"


def test_head_fields():
    head = (
        "WARC/1.1\r\nwarc-TYPE : Response\r\nX-Long: one\r\n  two\r\n\tthree\r\nX-Long: again\r\n"
        "no field\r\nWARC-Target-URI: http://example.com/ä\r\nX-Old: "
    ).encode()
    block = head + b"caf\xe9\r\nContent-Length: 2\r\n\r\nok\r\n\r\n"
    (only,), damages = read(block)
    assert not damages and only.content == b"ok" and only.type == "response"
    assert only.headers == {
        "warc-type": "Response",
        "x-long": "one two three",
        "warc-target-uri": "http://example.com/ä",
        "x-old": "café",
        "content-length": "2",
    }


def test_broken_head_costs_one_record():
    bad = b"WARC/1.0\r\nWARC-Ty" + record(1)
    records, damages = read(record(0) + bad + record(2))
    assert ids(records) == [0, 1, 2]
    assert [(d.offset, d.length, d.reason) for d in damages] == [
        (len(record(0)), 17, "bad_warc_header")
    ]


def test_large_records_are_clipped_and_skipped():
    big = b"x" * 100_000
    for data in (record(0, big) + record(1), gzip.compress(record(0, big)) + members(2)[1]):
        records, damages = read(data, max_bytes=1000)
        assert ids(records) == [0, 1] and not damages
        assert (len(records[0].content), records[0].content_length) == (1000, 100_000)
        assert records[0].clipped and not records[0].short and not records[1].clipped


def test_bomb_is_read_in_bounded_memory(buffers):
    size = (300 if buffers == "usual" else 2) << 20
    pack = zlib.compressobj(9, zlib.DEFLATED, 31)
    head = record(0, b"x", length=size).removesuffix(b"x\r\n\r\n")
    bomb = pack.compress(head)
    for _ in range(size >> 20):
        bomb += pack.compress(bytes(1 << 20))
    bomb += pack.compress(b"\r\n\r\n") + pack.flush()
    stream = io.BytesIO(bomb + members(2)[1])
    tracemalloc.start()
    try:
        records = list(read_records(stream, max_bytes=1 << 20))
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert ids(records) == [0, 1] and records[0].clipped
    assert peak < 12 << 20


def test_other_formats_are_named():
    arc = b"filedesc://x.arc 0.0.0.0 20140301000000 text/plain 5\n1 0 x\n"
    cases = {
        "arc_format": [arc, gzip.compress(arc)],
        "zstd_format": [b"\x28\xb5\x2f\xfd" + bytes(20), b"\x5d\x2a\x4d\x18" + bytes(20)],
        "bzip2_format": [bz2.compress(record(0))],
        "wacz_format": [b"PK\x03\x04" + bytes(26) + b"archive/data.warc.gz"],
        "not_warc": [
            b"just text\n" * 50,
            b"<!doctype html><p>a page",
            random.Random(3).randbytes(5000),
            gzip.compress(b"a,b,c\n" * 100),
            gzip.compress(b"a,b\n" * 100) + gzip.compress(b"c,d\n" * 100),
            gzip.compress(gzip.compress(record(0))),
            bytes(100),
        ],
    }
    for reason, files in cases.items():
        for data in files:
            records, damages = read(data)
            assert not records
            assert [(d.offset, d.length, d.reason) for d in damages] == [(0, len(data), reason)]
    assert read(b"") == ([], [Damage(0, 0, "empty_file", "the file has no bytes")])
    assert "html" in read(b"<!doctype html><p>a page")[1][0].detail


def test_plain_records_after_gzip_members():
    records, damages = read(members(1)[0] + record(1) + record(2))
    assert ids(records) == [0, 1, 2] and not damages


def test_reads_what_fsspec_opens(tmp_path):
    data = b"JUNK".join(members(3))
    (tmp_path / "a.warc.gz").write_bytes(data)
    with fsspec.open("memory://a.warc.gz", "wb") as out:
        out.write(data)
    for url in (str(tmp_path / "a.warc.gz"), "memory://a.warc.gz"):
        with fsspec.open(url, "rb") as stream:
            assert ids([i for i in read_records(stream) if isinstance(i, Record)]) == [0, 1, 2]


def test_stream_errors_are_not_swallowed():
    class Broken(io.BytesIO):
        def read(self, size: int | None = -1) -> bytes:
            raise OSError("connection lost")

    with pytest.raises(OSError, match="connection lost"):
        list(read_records(Broken(record(0))))


# ---- what a file is


@pytest.mark.parametrize(
    ("kind", "name", "data"),
    [
        ("warc", "x", record(0)),
        ("warc", "x.wet.gz", gzip.compress(record(0))),
        ("warc", "x.warc", b"WARC/1.0\r\nWARC-Type: warcinfo\r\n"),
        ("wat", "a.warc.wat.gz", gzip.compress(b"WARC/1.0\r\nWARC-Type: warcinfo\r\n")),
        (
            "wet",
            "x",
            b"WARC/1.0\r\nWARC-Type: warcinfo\r\n\r\nWARC/1.0\r\nWARC-Type: conversion\r\n",
        ),
        (
            "wat",
            "x",
            gzip.compress(b"WARC/1.0\r\nWARC-Type: warcinfo\r\n")
            + gzip.compress(
                b"WARC/1.0\r\nWARC-Type: metadata\r\nContent-Type: application/json\r\n"
            ),
        ),
        ("cdx", "x", b" CDX N b a m s k r M S V g\nuk,org)/ 20161016214133 ..."),
        (
            "cdx",
            "x",
            b"com,example)/ 20140103030321 http://example.com/ text/html 200 B2 - - 1 2 f",
        ),
        ("cdxj", "x.cdx", b'com,example)/ 20130729195151 {"url": "http://example.com/"}'),
        ("cdxj", "x", b'!meta {"created_at": "2018"}\n'),
        ("jsonl", "x", b'{"url": "http://example.com/"}\n'),
        ("jsonl", "x.gz", gzip.compress(b'{"id": 1}\n{"id": 2}\n')),
        ("parquet", "x", b"PAR1" + bytes(9)),
        ("wacz", "x", b"PK\x03\x04" + bytes(26) + b"datapackage.json"),
        ("zip", "x", b"PK\x03\x04" + bytes(26) + b"a.txt"),
        ("html", "x.warc", b"\n<!DOCTYPE HTML>\n<p>not found"),
        ("xml", "x", b"<?xml version='1.0'?><a/>"),
        ("text", "x", b"hello"),
        ("unknown", "x", b"\x00\x01\x02"),
        ("gzip", "x", b"\x1f\x8b\x08\x00\x00"),
        ("empty", "x.warc", b""),
    ],
)
def test_sniff(kind, name, data):
    assert sniff(name, data) == kind


@given(st.binary(max_size=100), st.text(max_size=10))
def test_sniff_takes_anything(data, name):
    assert sniff(name, data)
    assert sniff(name, b"\x1f\x8b\x08\x00" + data)


# ---- WAT


def wat_record(content: object, **fields: str) -> Record:
    headers = {"content-type": "application/json", "warc-target-uri": "http://a.example/"} | fields
    block = content if isinstance(content, bytes) else json.dumps(content).encode()
    return Record("metadata", 0, 0, 0, headers, block, len(block), False, False)


def test_wat_links():
    links = [
        {"path": "A@/href", "url": "/one", "text": "One"},
        {"path": "A@/href", "url": "http://b.example/", "rel": "nofollow ugc"},
        {"path": "IMG@/src", "url": "/i.png"},
        {"path": "A@/href"},
        "junk",
    ]
    metadata = {"Head": {"Base": "http://a.example/dir/"}, "Links": links}
    envelope = {
        "WARC-Header-Metadata": {"WARC-Target-URI": "http://a.example/page"},
        "Payload-Metadata": {"HTTP-Response-Metadata": {"HTML-Metadata": metadata}},
    }
    assert wat_links(wat_record({"Envelope": envelope})) == (
        "http://a.example/page",
        "http://a.example/dir/",
        [("/one", ""), ("http://b.example/", "nofollow ugc")],
    )
    envelope["Payload-Metadata"] = {"HTTP-Request-Metadata": {}}
    assert wat_links(wat_record({"Envelope": envelope})) is None


@pytest.mark.parametrize("content", [b"", b"{", b"[" * 100_000, b"[]", b"null", b'{"Envelope": 3}'])
def test_wat_junk_is_none(content):
    assert wat_links(wat_record(content)) is None


# ---- real files, where the folder is given


def crawl_dev() -> Path:
    return Path(os.environ["GRISTMILL_CRAWL_DEV"])


def count(path: Path) -> tuple[list[Record], list[Damage]]:
    return read(path.read_bytes())


@real
@pytest.mark.crawl_dev
def test_real_damaged_files():
    """The counts of `expected/warc_nasty.json` come from the second reader."""
    table = json.loads((Path(__file__).parent / "expected" / "warc_nasty.json").read_text())
    folder = crawl_dev() / "nasty"
    assert sorted(table) == sorted(path.name for path in folder.iterdir())
    for name, expected in table.items():
        data = (folder / name).read_bytes()
        records, damages = read(data)
        kinds = Counter(r.type for r in records)
        found = second_reader.counts(data) | {
            "responses": kinds["response"],
            "revisits": kinds["revisit"],
            "others": len(records) - kinds["response"] - kinds["revisit"],
            "content_bytes": sum(len(r.content) for r in records),
            "damages": len(damages),
        }
        assert found == expected, name
        theirs, _ = second_reader.read(data)
        ours = [(r.type, r.content) for r in records]
        assert ours == [(kind, content) for kind, _, content in theirs], name


# Where the count is not simply that of fastwarc and of warcio, or something is damaged.
DIFFERENT = {
    # file: (records, damages, why)
    "webrecorder__warcio__bad.arc": (0, 1, "an ARC file, refused; warcio reads ARC"),
    "webrecorder__warcio__example-trunc.warc": (4, 1, "two NULs after a record"),
    "oduwsdl__ipwb__HTTP204.warc": (3, 2, "two lengths too short: 14 and 12 bytes left over"),
    "oduwsdl__ipwb__broken.warc": (6, 1, "a response of declared length 7: 336 bytes left over"),
}


@real
@pytest.mark.crawl_dev
def test_real_files_give_at_least_what_other_readers_give():
    rows = (crawl_dev() / "real_warc_manifest.jsonl").read_text().splitlines()
    for row in map(json.loads, rows):
        path = crawl_dev() / row["dir"] / row["file"]
        kind = sniff(row["file"], path.read_bytes()[:4096])
        counts = [row.get(name) for name in ("fastwarc", "warcio")]
        known = [n for n in counts if isinstance(n, int)]
        records, damages = count(path)
        if row["file"] in DIFFERENT:
            assert DIFFERENT[row["file"]][:2] == (len(records), len(damages)), row["file"]
        elif known:
            # The larger of the two: fastwarc stops early on LF-only WARC heads, warcio on brotli.
            assert (len(records), damages) == (max(known), []), row["file"]
        else:
            assert path.suffix == f".{kind}" and kind in ("cdx", "cdxj", "wacz")
            assert not records and len(damages) == 1


@real
@pytest.mark.crawl_dev
def test_real_crawl_addresses():
    """Every row of the truth table is found at its offset, with its length."""
    truth: dict[str, dict[int, dict]] = {}
    for line in (crawl_dev() / "truth.jsonl").read_text().splitlines():
        row = json.loads(line)
        truth.setdefault(row["warc_file"], {})[row["offset"]] = row
    for name, rows in truth.items():
        with (crawl_dev() / name).open("rb") as stream:
            for item in read_records(stream, want=frozenset()):
                assert isinstance(item, Record)
                if item.type in ("response", "revisit"):
                    row = rows.pop(item.offset)
                    assert item.length == row["length"]
                    assert item.headers["warc-target-uri"] == row["url"]
                    assert item.headers["warc-record-id"].strip("<>") == row["record_id"].strip(
                        "<>"
                    )
        assert not rows, name
