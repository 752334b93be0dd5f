"""Pages of the real crawl files that tests marked `crawl_dev` use, beside what is known of them."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from fastwarc.warc import ArchiveIterator, WarcRecordType


def real_pages() -> Iterator[tuple[dict[str, Any], str | None, bytes]]:
    """(truth row, Content-Type, body) of every HTML page that came whole and unencoded."""
    folder = Path(os.environ["GRISTMILL_CRAWL_DEV"])
    lines = (folder / "truth.jsonl").read_text("utf-8").splitlines()
    truth = {row["record_id"]: row for row in map(json.loads, lines)}
    for path in sorted(folder.glob("*.warc.gz")):
        with path.open("rb") as stream:
            for record in ArchiveIterator(
                stream, record_types=WarcRecordType.response, parse_http=False
            ):
                row = truth[f"<{record.record_id.strip('<>')}>"]
                head, _, body = record.reader.read().partition(b"\r\n\r\n")
                if not row["is_html"] or len(body) != row["body_bytes"]:
                    continue
                fields = [line.partition(b":") for line in head.split(b"\r\n")]
                types = [value for name, _, value in fields if name.lower() == b"content-type"]
                yield row, types[0].strip().decode("latin-1") if types else None, body
