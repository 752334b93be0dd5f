"""What a recipe's `input` names: files, folders and globs as a sorted list of input files."""

from __future__ import annotations

import gzip
import hashlib
import re
from collections.abc import Iterable
from typing import NamedTuple

from pipelines.errors import UserError
from pipelines.recipe import Source
from pipelines.store import files
from pipelines.store.sniff import sniff

READ = (".warc", ".warc.gz", ".wet", ".wet.gz", ".wat", ".wat.gz", ".jsonl", ".jsonl.gz",
        ".jsonl.zst", ".json.gz", ".parquet")  # fmt: skip
KNOWN = (*READ, ".arc", ".arc.gz", ".warc.zst", ".warc.bz2", ".cdx", ".cdx.gz", ".cdxj", ".wacz")
"""Endings that a folder is searched for; a file named outright is read whatever its ending."""

SKIPPED = frozenset({"cdx", "cdxj", "wacz"})
"""Kinds that hold no records of their own: a ledger row each, nothing else."""


class InputFile(NamedTuple):
    path: str
    source: str
    name: str  # stem of the tables made from it, unique within the run
    size: int
    mark: str  # changes with the content: modification time or etag


def resolve(sources: Iterable[Source]) -> list[InputFile]:
    """All input files, sorted by path. Raises UserError that names what is missing."""
    found: dict[str, str] = {}
    for source in sources:
        for path in _paths(source.path):
            found.setdefault(path, source.source)
    taken: set[str] = set()
    items = []
    for path in sorted(found):
        try:
            size, mark = files.identity(path)
            with files.open_read(path) as f:
                f.read(1)
        except OSError as error:
            raise UserError(f"{path}: cannot be read: {error.strerror or error}") from None
        items.append(InputFile(path, found[path], _name(path, taken), size, mark))
    return items


def _paths(pattern: str) -> list[str]:
    try:
        found = files.listing(pattern)
    except OSError as error:
        raise UserError(f"input {pattern}: cannot be listed: {error.strerror or error}") from None
    if found == [pattern] or any(c in pattern for c in "*?["):
        if not found:
            raise UserError(f"input {pattern}: no file matches; check key 'input'")
        return found
    if not found and not files.exists(pattern):
        raise UserError(f"input {pattern}: no such file or folder; check key 'input'")
    if len(found) == 1 and not files.exists(pattern.rstrip("/") + "/"):
        return found
    known = [p for p in found if p.lower().endswith(KNOWN)]
    if not known:
        raise UserError(f"input {pattern}: the folder holds no WARC, WET, JSONL or Parquet file")
    return known


def _name(path: str, taken: set[str]) -> str:
    base = path.rstrip("/").rsplit("/", 1)[-1]
    for ending in sorted(KNOWN, key=len, reverse=True):
        if base.lower().endswith(ending) and len(base) > len(ending):
            base = base[: -len(ending)]
            break
    name = re.sub(r"[^A-Za-z0-9._-]+", "_", base)[:80] or "input"
    if name in taken:
        name += "-" + hashlib.blake2b(path.encode(), digest_size=4).hexdigest()
    taken.add(name)
    return name


def kind_of(path: str) -> str:
    """What a file is, by its content first and its name second: see `sniff`."""
    with files.open_read(path) as f:
        head = f.read(4096)
    if head[:2] == b"\x1f\x8b" and path.lower().endswith((".jsonl.gz", ".json.gz")):
        with files.open_read(path) as f, gzip.open(f) as plain:
            try:
                head = plain.read(4096)
            except (OSError, EOFError):
                pass
        return "jsonl"
    if path.lower().endswith(".jsonl.zst"):
        return "jsonl"
    return sniff(path, head)
