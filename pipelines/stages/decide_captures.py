"""decide's smaller questions: the robots.txt that counts, what a revisit repeats, site profiles."""

from __future__ import annotations

import duckdb
import pyarrow as pa
import pyarrow.compute as pc

from pipelines.store import schemas
from quality.optout import RobotsGroup


def latest_robots(table: pa.Table) -> dict[str, list[RobotsGroup]]:
    """The groups of each host's latest robots.txt; table: schema ROBOTS."""
    latest: dict[str, tuple[tuple[str, str], list[RobotsGroup]]] = {}
    for row in table.to_pylist():
        version = (str(row["captured_at"] or ""), row["page_id"])
        seen = latest.get(row["host"])
        if seen is None or version > seen[0]:
            seen = latest[row["host"]] = (version, [])
        if version == seen[0]:
            seen[1].append(RobotsGroup((row["agent"],), tuple(row["rules"])))
    return {host: groups for host, (_, groups) in latest.items()}


def find_originals(revisits: pa.Table, originals: pa.Table) -> pa.Table:
    """The page that each revisit repeats (schema REVISITS, in order): the record it refers to,
    else the one with its URL and payload digest, else one with its digest; null without any."""
    originals = originals.sort_by("page_id")
    by_reference = _look_up(revisits["revisit_of"], originals["page_id"], originals)
    keys = [_joined(t["url_key"], t["payload_digest"]) for t in (revisits, originals)]
    by_url = _look_up(keys[0], keys[1], originals)
    by_digest = _look_up(revisits["payload_digest"], originals["payload_digest"], originals)
    partner = pc.coalesce(by_reference, by_url, by_digest)
    return pa.table({"page_id": revisits["page_id"], "partner": partner}).cast(schemas.REVISITS)


def _look_up(wanted: pa.ChunkedArray, among: pa.ChunkedArray, originals: pa.Table) -> pa.Array:
    """page_id of the first original whose key equals the wanted one; null is equal to nothing."""
    at = pc.index_in(wanted, value_set=among.combine_chunks(), skip_nulls=True)
    return originals["page_id"].take(at)


def _joined(urls: pa.ChunkedArray, digests: pa.ChunkedArray) -> pa.ChunkedArray:
    return pc.binary_join_element_wise(urls.cast(pa.string()), digests, " ")


def site_profiles(decisions: pa.Table) -> pa.Table:
    """What each site brought (schema SITE_PROFILES); decisions: schema DECISIONS."""
    with duckdb.connect(config={"threads": 1, "enable_external_access": False}) as connection:
        connection.register("decisions", decisions)
        found = connection.sql(
            """
            SELECT site, count(*) AS documents,
                   count(*) FILTER (outcome = 'kept') AS kept,
                   coalesce(sum(tokens), 0)::BIGINT AS tokens,
                   round(median(quality), 4)::DOUBLE AS median_quality,
                   round(count(*) FILTER (outcome = 'merged') / count(*), 6) AS duplicate_share,
                   string_agg(DISTINCT language, ' ' ORDER BY language) AS languages,
                   any_value(authority) AS authority, any_value(authority_tier) AS authority_tier
            FROM decisions GROUP BY site ORDER BY site
            """
        ).to_arrow_table()
    return found.cast(schemas.SITE_PROFILES)
