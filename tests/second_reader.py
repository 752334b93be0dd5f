"""A second, naive WARC reader that shares nothing with the first: the oracle for damaged files.

It reads the whole file into memory, tries every place that looks like a gzip member, inflates each
alone with zlib and takes the text apart with plain string code. Slow and simple. As a program it
prints the table of counts that stands in `expected/warc_nasty.json`:

    python -m tests.second_reader FOLDER > tests/expected/warc_nasty.json
"""

from __future__ import annotations

import hashlib
import json
import sys
import zlib
from pathlib import Path


def read(data: bytes) -> tuple[list[tuple[str, int, bytes]], int]:
    """Records as (type, offset, content) and the number of stretches that hold none."""
    if b"WARC/" not in data[:64] and data[:2] != b"\x1f\x8b":
        return [], 1
    if data[:2] != b"\x1f\x8b":
        records, left = split(data, 0)
        return records, int(bool(left.strip()))
    records = []
    stretches = 0
    pos = covered = 0
    while (pos := data.find(b"\x1f\x8b\x08", pos)) >= 0:
        inflater = zlib.decompressobj(31)
        try:
            text = inflater.decompress(data[pos:])
        except zlib.error:
            text = b""
        if not text.startswith(b"WARC/"):
            pos += 1
            continue
        stretches += pos > covered
        found, _ = split(text, pos)
        records += [(kind, pos, content) for kind, _, content in found]
        covered = pos = len(data) - len(inflater.unused_data)
    return records, stretches + (covered < len(data))


def split(text: bytes, offset: int) -> tuple[list[tuple[str, int, bytes]], bytes]:
    """The records of uncompressed WARC text, and what is left after the last."""
    records = []
    whole = len(text)
    while text.startswith(b"WARC/"):
        head, blank, rest = text.partition(b"\r\n\r\n")
        if not blank:
            break
        lines = [line.partition(": ") for line in head.decode().split("\r\n")]
        values = {name.lower(): value for name, _, value in reversed(lines)}
        length = int(values["content-length"])
        start = offset + whole - len(text)
        records.append((values["warc-type"], start, rest[:length]))
        text = rest[length:].lstrip(b"\r\n")
    return records, text


def counts(data: bytes) -> dict[str, int | str]:
    records, stretches = read(data)
    kinds = [kind for kind, _, _ in records]
    return {
        "sha1": hashlib.sha1(data).hexdigest(),
        "responses": kinds.count("response"),
        "revisits": kinds.count("revisit"),
        "others": sum(kind not in ("response", "revisit") for kind in kinds),
        "content_bytes": sum(len(content) for _, _, content in records),
        "damages": stretches,
    }


if __name__ == "__main__":
    files = sorted(path for path in Path(sys.argv[1]).iterdir() if path.is_file())
    table = {path.name: counts(path.read_bytes()) for path in files}
    sys.stdout.write(json.dumps(table, indent=1) + "\n")
