"""Small crawls for tests: pages with varied prose, written as WARC by warcio."""

from __future__ import annotations

import io
import random
from datetime import UTC, datetime, timedelta
from pathlib import Path

from warcio.statusandheaders import StatusAndHeaders
from warcio.warcwriter import WARCWriter

_WORDS = (
    "mill river stone wheel grain flour baker winter summer village market road bridge water "
    "the a of and to in with from by as was is had were that this which when where after before "
    "old new young long short grey white careful slow steady second third people children story "
    "keeper engine paper letter window garden field harvest measure weight price season number"
).split()
_START = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)


def prose(seed: object, sentences: int = 14) -> str:
    """Paragraphs that no other seed gives."""
    pick = random.Random(str(seed))
    out = []
    for _ in range(sentences):
        words = [pick.choice(_WORDS) for _ in range(pick.randint(7, 16))]
        out.append(" ".join(words).capitalize() + ".")
    return "\n".join(f"<p>{' '.join(out[i : i + 4])}</p>" for i in range(0, len(out), 4))


def html(title: str, body: str, head: str = "") -> bytes:
    menu = "".join(f'<a href="/{w}">{w}</a>' for w in ("home", "about", "contact"))
    return (
        f"<!doctype html><html lang=en><head><meta charset=utf-8><title>{title}</title>{head}"
        f"</head><body><nav>{menu}</nav><main><h1>{title}</h1>{body}</main>"
        "<footer>All rights reserved</footer></body></html>"
    ).encode()


class Crawl:
    """Collects records and writes them to files of a folder, dealt round robin."""

    def __init__(self) -> None:
        self.records: list[tuple[str, bytes, dict[str, str], datetime]] = []

    def page(
        self,
        url: str,
        body: bytes,
        status: str = "200 OK",
        day: int = 0,
        **headers: str,
    ) -> Crawl:
        fields = {"Content-Type": "text/html; charset=utf-8"}
        fields |= {k.replace("_", "-"): v for k, v in headers.items()}
        head = StatusAndHeaders(status, list(fields.items()), protocol="HTTP/1.1")
        payload = io.BytesIO()
        payload.write(head.to_ascii_bytes() + body)
        when = _START + timedelta(days=day, seconds=len(self.records))
        self.records.append((url, payload.getvalue(), {}, when))
        return self

    def write(self, folder: Path, count: int = 1, gzip: bool = True) -> list[Path]:
        folder.mkdir(parents=True, exist_ok=True)
        ending = ".warc.gz" if gzip else ".warc"
        paths = [folder / f"part-{k:02d}{ending}" for k in range(count)]
        for k, path in enumerate(paths):
            with path.open("wb") as f:
                writer = WARCWriter(f, gzip=gzip)
                for n, (url, payload, extra, when) in enumerate(self.records):
                    if n % count != k:
                        continue
                    record = writer.create_warc_record(
                        url,
                        "response",
                        payload=io.BytesIO(payload),
                        length=len(payload),
                        warc_content_type="application/http; msgtype=response",
                        warc_headers_dict={
                            "WARC-Record-ID": f"<urn:uuid:00000000-0000-4000-8000-{n:012d}>",
                            "WARC-Date": when.strftime("%Y-%m-%dT%H:%M:%SZ"),
                            **extra,
                        },
                    )
                    writer.write_record(record)
        return paths


def village() -> Crawl:
    """Thirty-odd pages of six sites: articles, copies, recaptures, refusals, errors, trouble."""
    crawl = Crawl()
    for site in range(6):
        host = f"https://site{site}.example.org"
        crawl.page(
            f"{host}/robots.txt",
            b"User-agent: GPTBot\nDisallow: /private/\n",
            Content_Type="text/plain",
        )
        for n in range(4):
            link = f'<a href="https://site{(site + n) % 6}.example.org/">next</a>'
            crawl.page(f"{host}/page/{n}", html(f"Page {site} {n}", prose((site, n)) + link))
    crawl.page("https://site0.example.org/private/diary", html("Private", prose("private")))
    crawl.page("https://site1.example.org/gone", html("Gone", prose("gone")), "404 Not Found")
    crawl.page("https://site1.example.org/tiny", html("Tiny", "<p>Too little.</p>"))
    crawl.page(
        "https://site2.example.org/noai", html("No", prose("no"), "<meta name=robots content=noai>")
    )
    crawl.page("https://mirror.example.net/p0", html("Page 0 0", prose((0, 0)) + "<b>x</b>"), day=2)
    crawl.page("https://mirror.example.net/p1", html("Copy", prose("copied")), day=3)
    crawl.page("https://site3.example.org/original", html("Copy", prose("copied")), day=1)
    crawl.page("http://www.site4.example.org/page/0?utm_source=x", html("New", prose("new")), day=5)
    crawl.page("https://site5.example.org/deep", html("Deep", "<div>" * 400 + prose("deep")))
    crawl.page("https://site5.example.org/pdf", b"%PDF-1.4 not a page", Content_Type="text/html")
    return crawl
