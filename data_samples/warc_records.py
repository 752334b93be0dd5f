"""WARC records as a crawler writes them: warcinfo, and request, response, metadata by capture.

Nothing here depends on the clock or on chance: record ids are uuid5 of address and date, addresses
of machines come from the ranges kept for documentation, gzip members carry no time.
"""

from __future__ import annotations

import base64
import zlib
from dataclasses import dataclass, field
from datetime import datetime
from hashlib import sha1
from uuid import NAMESPACE_URL, uuid5

from page_view import number

Headers = list[tuple[str, str]]

INFO = (
    "isPartOf: SAMPLE-CRAWL-2026-41\r\n"
    "publisher: Gristmill\r\n"
    "description: Sample crawl of invented sites, written for tests. CC0\r\n"
    "hostname: crawler-01.sample.invalid\r\n"
    "software: make_crawl.py (deterministic)\r\n"
    "robots: checked via robots.txt, not obeyed in this sample\r\n"
    "format: WARC File Format 1.1\r\n"
    "conformsTo: https://iipc.github.io/warc-specifications/specifications/warc-format/warc-1.1/\r\n"
    "\r\n"
)


@dataclass(frozen=True)
class Capture:
    """One fetch. `body` is as stored, content coding and chunking included; `html` the page
    before all that; `truth` its row."""

    url: str
    date: datetime
    status: int
    reason: str
    headers: Headers
    body: bytes
    mime: str
    truth: dict
    html: str = ""
    detected: str = "UTF-8"
    lf_only_head: bool = False
    truncated: bool = False
    after_garbage: bool = False
    refers_to: Capture | None = None
    server_not_modified: bool = False
    warc_headers: Headers = field(default_factory=list)

    @property
    def is_revisit(self) -> bool:
        return self.truth["kind"] == "revisit"

    def record_id(self, record_type: str) -> str:
        name = f"sample:{record_type}:{self.date:%Y%m%d%H%M%S}:{self.url}"
        return f"<urn:uuid:{uuid5(NAMESPACE_URL, name)}>"

    @property
    def id(self) -> str:
        return self.record_id("revisit" if self.is_revisit else "response")


def stamp(date: datetime) -> str:
    return f"{date:%Y-%m-%dT%H:%M:%SZ}"


def digest(data: bytes) -> str:
    return "sha1:" + base64.b32encode(sha1(data).digest()).decode()


def machine(host: str) -> str:
    """An address of the three ranges set aside for documentation."""
    net = ("192.0.2", "198.51.100", "203.0.113")[number(host + " net", 3)]
    return f"{net}.{1 + number(host, 254)}"


def http_date(date: datetime) -> str:
    return date.strftime("%a, %d %b %Y %H:%M:%S GMT")


def record(headers: Headers, block: bytes) -> bytes:
    head = "".join(f"{name}: {value}\r\n" for name, value in headers)
    return f"WARC/1.1\r\n{head}Content-Length: {len(block)}\r\n\r\n".encode() + block + b"\r\n\r\n"


def member(data: bytes) -> bytes:
    """One gzip member without name and time, deflate level 9."""
    deflate = zlib.compressobj(9, zlib.DEFLATED, -15)
    body = deflate.compress(data) + deflate.flush()
    tail = zlib.crc32(data).to_bytes(4, "little") + (len(data) & 0xFFFFFFFF).to_bytes(4, "little")
    return b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x02\xff" + body + tail


def warcinfo(filename: str, date: datetime) -> bytes:
    headers = [
        ("WARC-Type", "warcinfo"),
        ("WARC-Date", stamp(date)),
        ("WARC-Record-ID", f"<urn:uuid:{uuid5(NAMESPACE_URL, 'sample:warcinfo:' + filename)}>"),
        ("WARC-Filename", filename),
        ("Content-Type", "application/warc-fields"),
    ]
    return record(headers, INFO.encode())


def request(capture: Capture) -> bytes:
    host, _, path = capture.url.partition("://")[2].partition("/")
    block = (
        f"GET /{path} HTTP/1.1\r\nUser-Agent: SampleBot/1.0 (+https://bot.sample.invalid/)\r\n"
        "Accept: text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8\r\n"
        "Accept-Language: en-US,en;q=0.5\r\nAccept-Encoding: br,gzip\r\n"
        f"Host: {host}\r\nConnection: Keep-Alive\r\n\r\n"
    ).encode()
    headers = [
        ("WARC-Type", "request"),
        ("WARC-Date", stamp(capture.date)),
        ("WARC-Record-ID", capture.record_id("request")),
        ("Content-Type", "application/http; msgtype=request"),
        ("WARC-IP-Address", machine(host)),
        ("WARC-Target-URI", capture.url),
    ]
    return record(headers, block)


def http_head(capture: Capture) -> bytes:
    line = f"HTTP/1.1 {capture.status} {capture.reason}"
    lines = [line, *(f"{name}: {value}" for name, value in capture.headers), "", ""]
    return ("\n" if capture.lf_only_head else "\r\n").join(lines).encode()


def response(capture: Capture) -> bytes:
    """The response record, or the revisit record where the capture is one."""
    host = capture.url.split("/")[2]
    block = http_head(capture) + capture.body
    headers = [
        ("WARC-Type", "revisit" if capture.is_revisit else "response"),
        ("WARC-Date", stamp(capture.date)),
        ("WARC-Record-ID", capture.id),
        ("WARC-Concurrent-To", capture.record_id("request")),
        ("Content-Type", "application/http; msgtype=response"),
        ("WARC-IP-Address", machine(host)),
        ("WARC-Target-URI", capture.url),
    ]
    payload = capture.body
    if capture.refers_to is not None:
        payload = capture.refers_to.body
        profile = (
            "server-not-modified" if capture.server_not_modified else "identical-payload-digest"
        )
        headers.append(("WARC-Profile", f"http://netpreserve.org/warc/1.1/revisit/{profile}"))
        headers += capture.warc_headers
    headers.append(("WARC-Payload-Digest", digest(payload)))
    headers.append(("WARC-Block-Digest", digest(block)))
    if not capture.is_revisit and capture.mime:
        headers.append(("WARC-Identified-Payload-Type", capture.mime))
    if capture.truncated:
        headers.append(("WARC-Truncated", "length"))
    return record(headers, block)


def metadata(capture: Capture) -> bytes:
    language = capture.truth["language"]
    guess = f'{{"reliable":true,"languages":[{{"code":"{language}"}}]}}' if language else "{}"
    block = (
        f"fetchTimeMs: {80 + number(capture.url, 900)}\r\n"
        f"charset-detected: {capture.detected}\r\nlanguages-cld2: {guess}\r\n\r\n"
    ).encode()
    headers = [
        ("WARC-Type", "metadata"),
        ("WARC-Date", stamp(capture.date)),
        ("WARC-Record-ID", capture.record_id("metadata")),
        ("WARC-Concurrent-To", capture.id),
        ("Content-Type", "application/warc-fields"),
        ("WARC-Target-URI", capture.url),
    ]
    return record(headers, block)


def file_bytes(filename: str, captures: list[Capture], garbage: bytes) -> bytes:
    """A whole .warc.gz: a member a record, `garbage` before the first capture that follows it."""
    parts = [member(warcinfo(filename, datetime(2026, 10, 5)))]
    spilt = False
    for capture in captures:
        if capture.after_garbage and not spilt:
            parts.append(garbage)
            spilt = True
        parts.append(member(request(capture)))
        parts.append(member(response(capture)))
        if not capture.is_revisit:
            parts.append(member(metadata(capture)))
    return b"".join(parts)
