"""`gristmill rank EDGES OUT.parquet`: the scores of every name in a plain list of links.

Edges are a Parquet file with columns source and target, or text with two names a line, separated by
tabs or spaces (gzip too). Level `host` cleans the names and leaves them apart; every link between
two of them counts, inside one organisation as well, since none was asked for. Level `site` folds
them as a run does, level `domain` to ICANN domains.
"""

from __future__ import annotations

import gzip
import io
import os
import zlib
from collections.abc import Callable, Iterator
from itertools import islice
from typing import BinaryIO, NamedTuple

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from graph_rank.sites import clean_host, site_of
from pipelines.errors import UserError, one_line
from pipelines.recipe import Rank
from pipelines.stages.rank_scores import ENDS, NoTrustedSite, gather, read_trusted, score
from pipelines.store import files

COLUMNS = ["site", "in_sites", "out_sites", "pagerank", "pagerank_pct", "harmonic", "harmonic_pct",
           "trust", "spam_mass"]  # fmt: skip
BATCH = 1 << 18
_DEFAULTS = Rank()


class Ranked(NamedTuple):
    """What was read and written. rows: links in the file; dropped: with an end that is no name."""

    sites: int
    edges: int
    rows: int
    dropped: int


def rank(
    edges: str,
    out: str,
    level: str = "host",
    trusted: str | None = None,
    section: Rank = _DEFAULTS,
) -> Ranked:
    """Write `COLUMNS` of every name that has a link, sorted by name.

    Addresses, names of one label and unknown top-level domains are no names; links to oneself and
    repeated links are none. trusted: a file, one name a line. Raises UserError.
    """
    if level not in LEVELS:
        raise UserError(f"--level {level}: not a level; levels are {', '.join(LEVELS)}")
    if not out.endswith(".parquet"):
        raise UserError(f"{out}: the output is Parquet; name it OUT.parquet")
    name_of = LEVELS[level]
    core = read_trusted(trusted, name_of, "--trusted") if trusted else []
    if level == "host":
        section = section.model_copy(update={"same_organisation": True})
    raw = gather(_read(edges))
    pairs = _named(raw, name_of)
    if raw.num_rows and not pairs.num_rows:
        first = " and ".join(repr(str(raw[end][0])[:60]) for end in ENDS)
        raise UserError(
            f"{edges}: none of its {raw.num_rows} rows holds two host names (the first: {first}); "
            "write names such as www.example.org"
        )
    try:
        table = score(pairs, section, core)
    except NoTrustedSite as error:
        raise UserError(f"--trusted: {trusted}: {error} (level {level})") from None
    with files.storage_errors(out), files.scratch(os.path.dirname(out) or ".") as tmp:
        pq.write_table(table.select(COLUMNS), tmp, compression="zstd")
        files.publish(tmp, out)
    found = int(pc.sum(table["out_sites"]).as_py() or 0)
    return Ranked(table.num_rows, found, raw.num_rows, raw.num_rows - pairs.num_rows)


def _site(host: str) -> str | None:
    site = site_of(host)
    return site.site if site else None


def _icann_domain(host: str) -> str | None:
    site = site_of(host)
    return site.icann_domain if site else None


LEVELS: dict[str, Callable[[str], str | None]] = {
    "host": clean_host,
    "site": _site,
    "domain": _icann_domain,
}


def _named(raw: pa.Table, name_of: Callable[[str], str | None]) -> pa.Table:
    """The pairs with names in place of what was read, without those that have none at an end."""
    ends = [raw[end].combine_chunks() for end in ENDS]
    seen = pc.unique(pa.concat_arrays([end.dictionary for end in ends])).drop_null()
    names = pa.array([name_of(name) for name in seen.to_pylist()], pa.string())
    columns = []
    for end in ends:
        known = names.take(pc.index_in(end.dictionary, value_set=seen))
        codes = pc.if_else(known.is_valid().take(end.indices), end.indices, None)
        columns.append(pa.DictionaryArray.from_arrays(codes, known))
    return pa.table(columns, names=list(ENDS)).drop_null()


def _read(path: str) -> Iterator[pa.Table]:
    """Batches of the pairs in the file, each column a dictionary of strings."""
    try:
        with files.open_read(path) as f:
            head = f.read(4)
            f.seek(0)
            if head == b"PAR1":
                yield from _parquet(path, f)
            else:
                plain = gzip.GzipFile(fileobj=f) if head[:2] == b"\x1f\x8b" else f
                yield from _text(io.TextIOWrapper(plain, "utf-8", "replace"))
    except (OSError, EOFError, zlib.error, pa.ArrowException) as error:
        why = getattr(error, "strerror", None) or one_line(error)
        raise UserError(f"{path}: cannot be read: {why}") from None


def _parquet(path: str, f: BinaryIO) -> Iterator[pa.Table]:
    columns = ["source", "target"]
    schema = pq.ParquetFile(f).schema_arrow
    for name in columns:
        if name not in schema.names:
            raise UserError(
                f"{path}: no column '{name}'; its columns are {', '.join(schema.names)}"
            )
        kind = schema.field(name).type
        kind = kind.value_type if pa.types.is_dictionary(kind) else kind
        if not (pa.types.is_string(kind) or pa.types.is_large_string(kind)):
            raise UserError(
                f"{path}: column '{name}' is {kind}; it must hold host names as strings"
            )
    file = pq.ParquetFile(f, read_dictionary=columns)
    for batch in file.iter_batches(BATCH, columns=columns):
        yield _pairs(batch.column("source"), batch.column("target"))


def _text(lines: io.TextIOWrapper) -> Iterator[pa.Table]:
    """Two words a line; a line with fewer or more is a pair without names. `#` begins a comment."""
    while block := list(islice(lines, BATCH)):
        rows = pc.ascii_trim_whitespace(pa.array(block, pa.string()))
        rows = rows.filter(pc.invert(pc.match_substring_regex(rows, "^(#|$)")))
        words = pc.ascii_split_whitespace(rows)
        two = pc.equal(pc.list_value_length(words), 2)
        names = words.filter(two).flatten()
        yield _pairs(names[::2], names[1::2])
        others = rows.filter(pc.invert(two))
        yield _pairs(others, pa.nulls(len(others), pa.string()))


def _pairs(source: pa.Array, target: pa.Array) -> pa.Table:
    coded = [end if pa.types.is_dictionary(end.type) else end.dictionary_encode()
             for end in (source, target)]  # fmt: skip
    kind = pa.dictionary(pa.int32(), pa.string())
    return pa.table([end.cast(kind) for end in coded], names=list(ENDS))
