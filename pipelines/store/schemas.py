"""The columns of every table, in one place: the contract between stages.

Ids are 32 hex digits (128 bits). Times are UTC seconds. A null means not known or not asked.
"""

from __future__ import annotations

import pyarrow as pa

_S, _B, _I64, _I32, _F = pa.string(), pa.bool_(), pa.int64(), pa.int32(), pa.float64()
_U64 = pa.uint64()
_TIME = pa.timestamp("s", tz="UTC")


def _schema(**columns: pa.DataType) -> pa.Schema:
    return pa.schema([pa.field(name, kind) for name, kind in columns.items()])


PAGES = _schema(
    page_id=_S, url=_S, canonical_url=_S, url_key=_U64, rel_canonical=_S, host=_S, site=_S,
    icann_domain=_S, captured_at=_TIME, record_type=_S, http_status=pa.int16(), mime=_S,
    charset=_S, charset_source=_S, content_bytes=_I64, truncated=_S, payload_digest=_S,
    visible_chars=_I32, nodes=_I32, depth=_I32, language_guess=_S, script_guess=_S, opt_out=_S,
    licence_url=_S, revisit_of=_S, problems=_S, warc_path=_S, warc_offset=_I64, warc_length=_I64,
)  # fmt: skip
"""One row a captured page: every response, revisit, resource and conversion record."""

LINKS = _schema(source_site=_S, target_site=_S, links=_I64, nofollow_links=_I64)
"""Links between sites counted within one unit, sorted by (source_site, target_site)."""

ROBOTS = _schema(host=_S, captured_at=_TIME, page_id=_S, agent=_S, rules=pa.list_(_S))
"""One row an agent a robots.txt names; a robots.txt without groups has one row, agent '*'."""

DOCUMENTS = _schema(
    page_id=_S, url=_S, canonical_url=_S, url_key=_U64, site=_S, host=_S, source=_S,
    captured_at=_TIME, title=_S, published_at=_S, page_type=_S, extractor=_S, language=_S,
    script=_S, licence_url=_S, warc_path=_S, warc_offset=_I64, warc_length=_I64,
    text_bytes=_I64, tokens=_I64, content_hash=_S, text=_S,
)  # fmt: skip
"""One row a text that the gates let through; `text` last, so that readers can leave it."""

LEDGER = _schema(
    url_key=_U64, page_id=_S, url=_S, canonical_url=_S, stage=_S, outcome=_S, reason=_S,
    value=_F, threshold=_F, detail=_S, partner=_S, tokens=_I64, warc_path=_S, warc_offset=_I64,
    warc_length=_I64, text_file=_S, text_row=_I64,
)  # fmt: skip
"""What became of a page. outcome: kept, dropped, failed, merged. Rows without a page_id are
unreadable stretches or skipped files."""

LEDGER_IDS = _schema(page_id=_S, url_key=_U64)
"""Where in the ledger a page_id stands; sorted by page_id."""

DECISIONS = _schema(
    page_id=_S, url=_S, site=_S, source=_S, language=_S, tokens=_I64, outcome=_S, reason=_S,
    rules=_U64, detail=_S, partner=_S, captures=_I32, copies=_I32,
)  # fmt: skip
"""One row a document, in the order of its documents file. `rules`: one bit a rule that fired."""

REVISITS = _schema(page_id=_S, partner=_S)
"""The page that each revisit record repeats; partner is null when the crawl does not hold it."""

SHARDS = _schema(
    page_id=_S, url=_S, site=_S, source=_S, title=_S, captured_at=_TIME, published_at=_S,
    language=_S, script=_S, licence_url=_S, tokens=_I64, sample_key=_U64, copies=_I32, text=_S,
)  # fmt: skip
"""A training shard's rows, sorted by sample_key: any prefix is a fair sample."""

SHARD_STATS = _schema(
    path=_S, source=_S, rows=_I64, tokens=_I64, text_bytes=_I64, file_bytes=_I64, sha256=_S,
    logical=_S, sites=_I64, key_low=_U64, key_high=_U64, languages=_S, tokenizer=_S,
)  # fmt: skip
