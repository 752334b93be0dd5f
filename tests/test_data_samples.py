"""The sample crawl: the script still writes it, and its truth table is true of it.

Everything downstream is scored against data_samples/truth.jsonl, so each claim there is checked
against the bytes with other people's readers and parsers.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
import zlib
from collections import Counter
from html.parser import HTMLParser
from itertools import combinations
from pathlib import Path
from urllib.parse import urljoin, urlsplit

import brotli
import pytest
from fastwarc.warc import ArchiveIterator, WarcRecordType
from protego import Protego
from publicsuffixlist import PublicSuffixList
from warcio.archiveiterator import ArchiveIterator as WarcioIterator

SAMPLES = Path(__file__).resolve().parent.parent / "data_samples"
FILES = sorted((SAMPLES / "crawl").glob("*.warc.gz"))
TRUTH = [json.loads(line) for line in (SAMPLES / "truth.jsonl").read_text("utf-8").splitlines()]
SITES = [json.loads(line) for line in (SAMPLES / "sites.jsonl").read_text("utf-8").splitlines()]
CONTENT = ("article", "forum", "product", "docs")
MEMBER = b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x02\xff"  # how every gzip member here begins


def members(path: Path) -> list[bytes]:
    """Uncompressed gzip members in order; bytes that are no member come as they are."""
    data, parts = path.read_bytes(), []
    while data:
        if data.startswith(MEMBER):
            inflate = zlib.decompressobj(31)
            parts.append(inflate.decompress(data))
            data = inflate.unused_data
        else:
            end = data.find(MEMBER)
            parts.append(data[:end])
            data = data[end:]
    return parts


def headers_of(head: bytes) -> dict[str, str]:
    pairs = (line.partition(b":") for line in re.split(rb"\r?\n", head)[1:])
    return {name.decode().lower(): value.strip().decode() for name, _, value in pairs}


def parts_of(record: bytes) -> tuple[dict[str, str], dict[str, str], bytes]:
    """WARC headers, HTTP headers and stored body of a record."""
    warc, _, block = record.removesuffix(b"\r\n\r\n").partition(b"\r\n\r\n")
    end = re.search(rb"\r?\n\r?\n", block)
    if end is None:
        return headers_of(warc), {}, block
    return headers_of(warc), headers_of(block[: end.start()]), block[end.end() :]


def decoded(http: dict[str, str], body: bytes) -> bytes:
    """The body without chunks and content coding."""
    if http.get("transfer-encoding") == "chunked":
        plain = b""
        while body:
            size, _, body = body.partition(b"\r\n")
            plain += body[: int(size, 16)]
            body = body[int(size, 16) + 2 :]
        body = plain
    coding = http.get("content-encoding", "")
    if coding == "br":
        return brotli.decompress(body)
    if coding == "deflate" and body[:1] != b"\x78":
        return zlib.decompress(body, -15)
    return zlib.decompress(body, 47) if coding else body


class Stripped(HTMLParser):
    """Text outside scripts and styles, links with their rel, and the base address."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.parts: list[str] = []
        self.links: list[tuple[str, str]] = []
        self.base = ""
        self.hidden = ""
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = dict(attrs)
        if tag in ("script", "style"):
            self.hidden = tag
        if tag == "a" and values.get("href"):
            self.links.append((values["href"] or "", values.get("rel") or ""))
        if tag == "base":
            self.base = values.get("href") or ""

    def handle_endtag(self, tag: str) -> None:
        self.hidden = "" if tag == self.hidden else self.hidden

    def handle_data(self, data: str) -> None:
        if not self.hidden:
            self.parts.append(data)

    @property
    def text(self) -> str:
        return squeezed("".join(self.parts))


def squeezed(text: str) -> str:
    return "".join(text.split())


@pytest.fixture(scope="module")
def records() -> dict[str, tuple[dict[str, str], dict[str, str], bytes]]:
    """WARC headers, HTTP headers and decoded body of every response and revisit, by record id."""
    found = {}
    for path in FILES:
        for part in members(path):
            warc, http, body = parts_of(part) if part.startswith(b"WARC/") else ({}, {}, b"")
            if warc.get("warc-type") in ("response", "revisit"):
                found[warc["warc-record-id"]] = (warc, http, decoded(http, body))
    return found


@pytest.fixture(scope="module")
def pages(records: dict) -> dict[str, Stripped]:
    """Rows that are pages, parsed."""
    return {
        row["record_id"]: Stripped(text_of(records, row))
        for row in TRUTH
        if row["language"] and row["http_status"] == 200
    }


def text_of(records: dict, row: dict) -> str:
    return records[row["record_id"]][2].decode(row["charset"], "replace").lstrip("\ufeff")


def test_the_script_still_writes_what_is_committed(tmp_path):
    command = [sys.executable, str(SAMPLES / "make_crawl.py"), "--out", str(tmp_path)]
    subprocess.run(command, check=True)
    for name in ("truth.jsonl", "sites.jsonl"):
        assert (tmp_path / name).read_bytes() == (SAMPLES / name).read_bytes()
    assert [p.name for p in sorted((tmp_path / "crawl").iterdir())] == [p.name for p in FILES]
    for path in FILES:
        for ours, fresh in zip(members(path), members(tmp_path / "crawl" / path.name), strict=True):
            assert comparable(ours) == comparable(fresh)


def comparable(part: bytes) -> object:
    """A record; where its body is compressed, the content and not the compressor's choice."""
    if not part.startswith(b"WARC/"):
        return part
    warc, http, body = parts_of(part)
    if "content-encoding" not in http and warc["warc-type"] != "revisit":
        return part
    vary = ("content-length", "warc-payload-digest", "warc-block-digest")
    heads = [{k: v for k, v in head.items() if k not in vary} for head in (warc, http)]
    return heads, decoded(http, body) if body else b""


def test_other_readers_find_every_row_that_is_not_behind_damage():
    rows = {row["record_id"] for row in TRUTH}
    lost = {row["record_id"] for row in TRUTH if row["damage"] == "after_garbage"}
    by_fastwarc, by_warcio = set(), set()
    for path in FILES:
        with path.open("rb") as file:
            kinds = WarcRecordType.response | WarcRecordType.revisit
            try:
                for record in ArchiveIterator(file, record_types=kinds, parse_http=False):
                    by_fastwarc.add(f"<{record.record_id.strip('<>')}>")
            except OSError:
                assert path == FILES[-1]
        with path.open("rb") as file:
            try:
                for record in WarcioIterator(file, check_digests="raise"):
                    if record.rec_type in ("response", "revisit"):
                        by_warcio.add(record.rec_headers["WARC-Record-ID"])
                    record.raw_stream.read()
            except Exception as error:
                assert path == FILES[-1] and "disk block lost" in str(error)
    assert len(rows) == len(TRUTH) and len(lost) == 6
    assert by_fastwarc == by_warcio == rows - lost


def test_a_reader_that_goes_on_after_the_garbage_finds_the_rest(records):
    assert set(records) == {row["record_id"] for row in TRUTH}


def test_it_is_small_and_holds_what_is_promised():
    assert sum(path.stat().st_size for path in FILES) < 3_000_000
    html = [row for row in TRUTH if row["http_status"] == 200 and row["language"]]
    languages = Counter(row["language"] for row in html)
    assert len(html) >= 380
    assert set(languages) == {"en", "zh", "de", "ru", "ja", "es"} and min(languages.values()) >= 20
    assert min(Counter(row["script"] for row in html if row["script"]).values()) >= 20
    assert len({row["site"] for row in TRUTH}) >= 40
    assert {row["http_status"] for row in TRUTH} == {200, 301, 302, 304, 404, 410, 500}
    for row in html:
        if row["kind"] in CONTENT and row["case"] != "near_copy" and row["damage"] != "truncated":
            least = 200 if row["language"] in ("zh", "ja") else 600
            assert len(row["main_text"]) >= least, row["url"]


def test_main_text_stands_in_its_page_line_by_line(pages):
    for row in TRUTH:
        if row["main_text"] is None:
            assert row["kind"] not in (*CONTENT, "spam")
            continue
        text, place = pages[row["record_id"]].text, 0
        for line in row["main_text"].splitlines():
            place = text.find(squeezed(line), place)
            assert place >= 0, (row["url"], line)
            place += len(squeezed(line))


def test_boilerplate_stands_in_its_page_and_not_in_its_main_text(pages):
    for row in TRUTH:
        if row["kind"] in CONTENT and row["damage"] != "truncated":
            assert 2 <= len(row["must_not"]) <= 3, row["url"]
        for phrase in row["must_not"]:
            assert squeezed(phrase) in pages[row["record_id"]].text, (row["url"], phrase)
            assert phrase not in (row["main_text"] or "")


def shingles(text: str) -> set[tuple[str, ...]]:
    words = re.findall(r"[\u3040-\u30ff\u4e00-\u9fff]|\w+", text.lower())
    return {tuple(words[i : i + 5]) for i in range(max(1, len(words) - 4))}


def test_copies_are_alike_and_others_are_not():
    """Five-word shingles: 0.75 within a group, 0.3 across; nobody's threshold falls in doubt."""
    rows = [(row, shingles(row["main_text"])) for row in TRUTH if row["main_text"]]
    for (one, a), (other, b) in combinations(rows, 2):
        shared = len(a & b) / len(a | b)
        group = one["duplicate_group"]
        if group and group == other["duplicate_group"] and one["damage"] != "truncated":
            assert shared >= 0.75, (one["url"], other["url"])
        else:
            assert shared <= 0.3, (one["url"], other["url"])
            assert one["main_text"] != other["main_text"]


def test_every_group_has_two_members_and_every_case_a_group():
    sizes = Counter(row["duplicate_group"] for row in TRUTH if row["duplicate_group"])
    assert min(sizes.values()) >= 2 and len(sizes) > 60
    copies = ("near_copy", "mirror", "id_page", "doorway", "url_variant", "recapture_c", "revisit")
    for row in TRUTH:
        if (row["case"] or "").startswith(copies):
            assert row["duplicate_group"], row["url"]


def test_charsets_are_as_stated(records):
    for row in TRUTH:
        broken = row["damage"] in ("truncated", "invalid_utf8")
        if row["charset"] and not broken:
            records[row["record_id"]][2].decode(row["charset"])
    seen = {row["charset"] for row in TRUTH}
    assert seen >= {"gbk", "gb2312", "big5", "shift_jis", "windows-1251", "iso-8859-1"}
    starts = {records[row["record_id"]][2][:2] for row in TRUTH}
    assert starts >= {b"\xef\xbb", b"\xff\xfe", b"\xfe\xff"}  # byte order marks
    lies = [row for row in TRUTH if row["damage"] == "charset_lie"]
    assert lies and all(row["charset"] not in row["mime"] for row in lies)


def test_transfer_and_damage_are_as_stated(records):
    sent = {(h.get("transfer-encoding"), h.get("content-encoding")) for _, h, _ in records.values()}
    assert sent == {
        (None, None), ("chunked", None), ("chunked", "gzip"),
        (None, "gzip"), (None, "deflate"), (None, "br"),
    }  # fmt: skip
    damaged = {row["damage"]: records[row["record_id"]] for row in TRUTH if row["damage"]}
    assert damaged["truncated"][0]["warc-truncated"] == "length"
    assert int(damaged["truncated"][1]["content-length"]) > len(damaged["truncated"][2])
    assert b"\x00" in damaged["nul_bytes"][2]
    with pytest.raises(UnicodeDecodeError):
        damaged["invalid_utf8"][2].decode("utf-8")
    assert b"<div>" * 400 in damaged["deep_nesting"][2]
    assert len(damaged["large_page"][2]) > 300_000


def test_revisits_point_at_an_earlier_capture_of_the_same_bytes(records):
    responses = {(w["warc-target-uri"], w["warc-payload-digest"]) for w, _, _ in records.values()}
    revisits = [w for w, _, _ in records.values() if w["warc-type"] == "revisit"]
    assert Counter("warc-refers-to" in w for w in revisits) == {True: 5, False: 5}
    for warc in revisits:
        assert (warc["warc-target-uri"], warc["warc-payload-digest"]) in responses
        if target := warc.get("warc-refers-to"):
            earlier = records[target][0]
            assert earlier["warc-payload-digest"] == warc["warc-payload-digest"]
            assert earlier["warc-date"] == warc["warc-refers-to-date"] < warc["warc-date"]


def test_opt_outs_are_really_said(records):
    robots = {
        row["host"]: records[row["record_id"]][2].decode()
        for row in TRUTH
        if row["kind"] == "robots"
    }
    parsed = {host: Protego.parse(text) for host, text in robots.items()}
    said = Counter(row["opt_out"] for row in TRUTH if row["opt_out"])
    assert len(said) == 7
    for row in TRUTH:
        host, signal = row["host"], row["opt_out"]
        if row["kind"] == "robots" or host not in robots:
            continue
        _, http, body = records[row["record_id"]]
        expected = None
        if not parsed[host].can_fetch(row["url"], "CCBot"):
            open_to_others = parsed[host].can_fetch(row["url"], "SampleBot")
            expected = "robots_ai_agents" if open_to_others else "robots_path"
        elif "ai-train=no" in robots[host]:
            expected = "robots_ai_train"
        elif "noai" in http.get("x-robots-tag", ""):
            expected = "x_robots_noai"
        elif http.get("tdm-reservation") == "1":
            expected = "tdm_header"
        elif b'<meta name="robots" content="noai' in body:
            expected = "meta_noai"
        elif b'<meta name="tdm-reservation" content="1">' in body:
            expected = "tdm_meta"
        assert signal == expected, row["url"]
        if row["licence"] and body:
            assert f'rel="license" href="{row["licence"]}"'.encode() in body


def test_sites_are_registrable_domains_and_their_links_are_in_the_pages(pages):
    suffixes = PublicSuffixList()
    followed: dict[str, set[str]] = {row["site"]: set() for row in SITES}
    nofollow: dict[str, set[str]] = {row["site"]: set() for row in SITES}
    for row in TRUTH:
        assert suffixes.privatesuffix(row["host"]) == row["site"]
        for href, rel in pages[row["record_id"]].links if row["record_id"] in pages else []:
            target = suffixes.privatesuffix(urlsplit(urljoin(row["url"], href)).netloc)
            (nofollow if "nofollow" in rel else followed)[row["site"]].add(target or "")
    for row in SITES:
        name = row["site"]
        assert row["links_to"] == sorted(followed[name] - {name})
        assert row["nofollow_to"] == sorted(nofollow[name] - followed[name])
        assert {r["spam"] for r in TRUTH if r["site"] == name} == {row["spam"]}


def test_the_farm_links_to_itself_and_good_sites_hardly_to_the_farm():
    farm = {row["site"] for row in SITES if row["role"] == "farm"}
    assert len(farm) >= 6
    for row in SITES:
        if row["role"] == "farm":
            assert farm - {row["site"]} <= set(row["links_to"])
    fooled = {row["site"] for row in SITES if not row["spam"] and farm & set(row["links_to"])}
    assert fooled == {"quietestuary-notes.org", "reprintriver.com", "zhuanzai-hui.cn"}


def test_relative_links_need_the_base_address(pages):
    urls = {row["url"] for row in TRUTH}
    with_base = [r for r in TRUTH if r["record_id"] in pages and pages[r["record_id"]].base]
    assert {row["site"] for row in with_base} == {"kettelwerk.de", "cocinatresolmos.es"}
    for row in with_base:
        page = pages[row["record_id"]]
        own = [h for h, _ in page.links if not h.startswith(("/", "http", "#"))]
        assert own and all(urljoin(page.base, href) in urls for href in own), row["url"]
