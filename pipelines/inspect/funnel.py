"""`gristmill funnel`: documents and tokens that each stage let through, and why not the rest."""

from __future__ import annotations

from typing import Any

from pipelines.inspect.db import rows
from pipelines.store import manifest

Row = dict[str, Any]


def funnel(run: manifest.Manifest) -> list[dict[str, Any]]:
    """Rows (stage, what, documents, tokens, cpu_seconds); tokens null before there is text.

    what: `in`, `out`, `outcome: reason`, or a remark in brackets. For each stage
    in = out + sum of the reasons; remarks count documents that stay.
    """
    table: list[dict[str, Any]] = []
    for stage, rows_of in _STAGES.items():
        if stage in run.stages:
            table += rows_of(run, table[-1] if table else {})
    return table


def _cpu(run: manifest.Manifest, *stages: str) -> float:
    return round(sum(run.stages[s].cpu_seconds for s in stages if s in run.stages), 1)


def _extract(run: manifest.Manifest, before: Row) -> list[dict[str, Any]]:
    record = run.stages["extract"]
    pages = sum(f.rows for f in record.tables["pages"])
    reasons = []
    for name, count in record.counts.items():
        outcome, _, reason = name.partition("_")
        if outcome in ("dropped", "failed", "merged"):
            reasons.append((f"{outcome}: {reason}", count))
    reasons.sort(key=lambda pair: (-pair[1], pair[0]))
    return [
        _row("extract", "in", pages, None, _cpu(run, "extract")),
        *(_row("extract", what, count) for what, count in reasons),
        _row("extract", "out", sum(f.rows for f in record.tables["documents"])),
    ]


def _refine(run: manifest.Manifest, before: Row) -> list[dict[str, Any]]:
    counts = run.stages["refine"].counts
    documents, tokens = counts.get("documents", 0), counts.get("tokens", 0)
    cpu = _cpu(run, "refine", "refine_classifier")
    return [
        _row("refine", "in", documents, None, cpu),
        _row("refine", "(cleaned by rules)", counts.get("cleaned", 0)),
        _row("refine", "out", documents, tokens),
    ]


def _dedup(run: manifest.Manifest, before: Row) -> list[dict[str, Any]]:
    counts = run.stages["dedup_clusters"].counts if "dedup_clusters" in run.stages else {}
    documents, tokens = before.get("documents", 0), before.get("tokens", 0)
    cpu = _cpu(run, "dedup", "dedup_pairs", "dedup_clusters")
    return [
        _row("dedup", "in", documents, tokens, cpu),
        _row("dedup", "(near-duplicates in clusters)", counts.get("duplicates", 0)),
        _row("dedup", "out", documents, tokens),
    ]


def _decide(run: manifest.Manifest, before: Row) -> list[dict[str, Any]]:
    found = rows(
        run,
        "SELECT outcome, reason, count(*) documents, coalesce(sum(tokens), 0)::BIGINT tokens "
        "FROM decisions GROUP BY ALL ORDER BY documents DESC, reason",
    )
    kept = [r for r in found if r["outcome"] == "kept"]
    return [
        _row("decide", "in", sum(r["documents"] for r in found), sum(r["tokens"] for r in found),
             _cpu(run, "rank", "decide", "ledger")),
        *(_row("decide", f"{r['outcome']}: {r['reason']}", r["documents"], r["tokens"])
          for r in found if r["outcome"] != "kept"),
        _row("decide", "out", sum(r["documents"] for r in kept), sum(r["tokens"] for r in kept)),
    ]  # fmt: skip


def _pack(run: manifest.Manifest, before: Row) -> list[dict[str, Any]]:
    documents, tokens = before.get("documents", 0), before.get("tokens", 0)
    table = [_row("pack", "in", documents, tokens, _cpu(run, "pack"))]
    if run.tables("pack", "shard_stats"):
        found = rows(
            run,
            "SELECT source, sum(rows)::BIGINT documents, sum(tokens)::BIGINT tokens "
            "FROM shard_stats GROUP BY ALL ORDER BY tokens DESC, source",
        )
        table += [_row("pack", f"source {r['source']}", r["documents"], r["tokens"]) for r in found]
        left = documents - sum(r["documents"] for r in found)
        if left:
            table.append(_row("pack", "in no source", left))
    return table


_STAGES = {
    "extract": _extract,
    "refine": _refine,
    "dedup": _dedup,
    "decide": _decide,
    "pack": _pack,
}


def filters(run: manifest.Manifest) -> list[dict[str, Any]]:
    """What each rule of decide takes: documents and tokens in the chain (it was the first to
    fail), alone (were it the only rule) and uniquely (no other rule fails); rules that took none
    are left out. Merges are not rules: they only see what passed."""
    if "decide" not in run.stages:
        return []
    return rows(
        run,
        """
        SELECT rule,
               count(*) FILTER (reason = rule) AS chain,
               count(*) AS alone,
               count(*) FILTER (d.rules = mask) AS uniquely,
               coalesce(sum(tokens) FILTER (reason = rule), 0)::BIGINT AS chain_tokens,
               coalesce(sum(tokens), 0)::BIGINT AS alone_tokens,
               coalesce(sum(tokens) FILTER (d.rules = mask), 0)::BIGINT AS unique_tokens
        FROM decisions d
        JOIN (SELECT rule, bit, (1::UBIGINT << bit) AS mask FROM rules WHERE kind <> 'merge') r
          ON d.rules & mask <> 0
        GROUP BY rule, bit ORDER BY bit
        """,
    )


def unreadable(run: manifest.Manifest) -> int:
    """Stretches of files that could not be read, and files that were skipped."""
    return run.stages["extract"].counts.get("stretches", 0) if "extract" in run.stages else 0


def _row(
    stage: str, what: str, documents: int, tokens: int | None = None, cpu: float | None = None
) -> dict[str, Any]:
    return {
        "stage": stage,
        "what": what,
        "documents": documents,
        "tokens": tokens,
        "cpu_seconds": cpu,
    }
