"""A larger crawl from a small one: every page again on other hosts with other words.

    python -m bench.grow_crawl OUT_DIR TIMES CRAWL [CRAWL ...]

Variant k of a page stands on hosts of its own and has a salted word after every tenth, so that
nothing is a copy; sizes, markup, charsets and damage stay those of the original.
"""

from __future__ import annotations

import io
import re
import sys
from pathlib import Path

from warcio.statusandheaders import StatusAndHeaders
from warcio.warcwriter import WARCWriter

from pipelines.store import files, warc

_TEXT = re.compile(rb">([^<>{}]{80,})<")


def salted(body: bytes, k: int) -> bytes:
    def change(found: re.Match[bytes]) -> bytes:
        words = found.group(1).split(b" ")
        for at in range(0, len(words), 10):
            words[at] = b"%s v%d" % (words[at], k)
        return b">" + b" ".join(words) + b"<"

    return _TEXT.sub(change, body)


def variant(source: str, target: Path, k: int) -> None:
    with files.open_read(source) as stream, target.open("wb") as f:
        writer = WARCWriter(f, gzip=True)
        for record in warc.read_records(stream):
            if isinstance(record, warc.Damage) or record.type != "response":
                continue
            url = record.headers.get("warc-target-uri", "")
            scheme, _, rest = url.partition("://")
            head = {
                "WARC-Type": "response",
                "WARC-Record-ID": record.headers.get("warc-record-id", "")[:-2] + f"{k:x}>",
                "WARC-Target-URI": f"{scheme}://v{k}-{rest}",
                "WARC-Date": record.headers.get("warc-date", ""),
                "Content-Type": "application/http; msgtype=response",
            }
            http, gap, body = record.content.partition(b"\r\n\r\n")
            plain = b"transfer-encoding" not in http.lower() and b"content-encoding" not in http
            content = http + gap + (salted(body, k) if plain else body)
            made = writer.create_warc_record(
                head["WARC-Target-URI"],
                "response",
                payload=io.BytesIO(content),
                length=len(content),
                warc_headers=StatusAndHeaders("", list(head.items()), protocol="WARC/1.0"),
            )
            writer.write_record(made)


def main() -> None:
    out, times, sources = Path(sys.argv[1]), int(sys.argv[2]), sys.argv[3:]
    out.mkdir(parents=True, exist_ok=True)
    for k in range(times):
        for source in sources:
            name = Path(source).name.removesuffix(".gz").removesuffix(".warc")
            variant(source, out / f"{name}-v{k}.warc.gz", k)


if __name__ == "__main__":
    main()
