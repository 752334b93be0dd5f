"""The columns of every table, in one place: the contract between stages.

Ids are 32 hex digits (128 bits). Times are UTC seconds. A null means not known or not asked.
"""

from __future__ import annotations

from collections.abc import Iterable

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
    text_bytes=_I64, text=_S,
)  # fmt: skip
"""One row a text that the gates let through; `text` last, so that readers can leave it."""

SITES = _schema(
    site=_S, icann_domain=_S, in_sites=_I64, out_sites=_I64, pagerank=_F, harmonic=_F, trust=_F,
    spam_mass=_F, pagerank_pct=_F, harmonic_pct=_F, authority_tier=_S,
)  # fmt: skip
"""One row a site of the link graph, sorted by site. trust and spam_mass: null without seeds."""

TEXTS = _schema(page_id=_S, text=_S)
"""A document's text after cleaning, row for row with documents."""


def signals(own: Iterable[str] = ()) -> pa.Schema:
    """One row a document, in the order of its documents file: one column a signal, ours from
    `quality.signals`, then the user's `own`; all of the text after cleaning."""
    from quality.signals import (
        SIGNALS,
    )  # here: it brings numba, which questions of a run don't need

    base = _schema(
        page_id=_S, language=_S, script=_S, language_confidence=pa.float32(), text_bytes=_I64,
        tokens=_I64, content_hash=_S, quality=pa.float32(), rules_fired=pa.list_(_S),
        removed_chars=_I32, rules_drop=_B, rules_restored=_B,
    )  # fmt: skip
    ours = [pa.field(name, pa.float32()) for name in SIGNALS]
    return pa.schema([*base, *ours, *(pa.field(name, _F) for name in own)])


SIGNATURES = _schema(page_id=_S, shingles=_I32, signature=pa.binary())
"""MinHash of each text, row for row with texts: num_perm little-endian uint32."""

CANDIDATES = _schema(left=_I64, right=_I64)
"""Pairs of documents that share a band, left < right. A document's number is its place in the
texts tables, counted through all files in the manifest's order."""

CLUSTER_EDGES = _schema(left=_I64, right=_I64, left_id=_S, right_id=_S, similarity=pa.float32())
"""Verified near-duplicates with their exact Jaccard, sorted by (left, right)."""

CLUSTERS = _schema(page_id=_S, cluster_id=_S, cluster_size=_I32, sites=_I32, captures=_I32)
"""One row a document, row for row with texts. cluster_id: page_id of the cluster's first
document; a document without copies is a cluster of one. sites, captures: distinct ones in it."""

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
    page_id=_S, url=_S, site=_S, source=_S, language=_S, script=_S, tokens=_I64,
    quality=pa.float32(), authority=_F, authority_tier=_S, cluster_size=_I32, captures=_I32,
    copies=_I32, outcome=_S, reason=_S, rules=_U64, value=_F, threshold=_F, detail=_S, partner=_S,
    similarity=pa.float32(),
)  # fmt: skip
"""One row a document, in the order of its documents file. `rules`: bit i says that rule i of
the table `rules` took it out. copies: documents merged into this one, itself included."""

RULES = _schema(bit=_I32, rule=_S, kind=_S, signal=_S, source=_S)
"""What each bit of `decisions.rules` means; kind: filter, policy or merge."""

SITE_PROFILES = _schema(
    site=_S, documents=_I64, kept=_I64, tokens=_I64, median_quality=_F, duplicate_share=_F,
    languages=_S, authority=_F, authority_tier=_S,
)  # fmt: skip
"""One row a site with documents, sorted by site."""

REVISITS = _schema(page_id=_S, partner=_S)
"""The page that each revisit record repeats; partner is null when the crawl does not hold it."""

SHARDS = _schema(
    page_id=_S, url=_S, site=_S, source=_S, title=_S, captured_at=_TIME, published_at=_S,
    language=_S, script=_S, licence_url=_S, tokens=_I64, sample_key=_U64, quality=pa.float32(),
    authority=_F, authority_tier=_S, cluster_size=_I32, copies=_I32, text=_S,
)  # fmt: skip
"""A training shard's rows, sorted by sample_key: any prefix is a fair sample."""

SHARD_STATS = _schema(
    path=_S, source=_S, rows=_I64, tokens=_I64, text_bytes=_I64, file_bytes=_I64, sha256=_S,
    logical=_S, sites=_I64, key_low=_U64, key_high=_U64, languages=_S, tokenizer=_S,
)  # fmt: skip
