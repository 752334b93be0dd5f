"""`gristmill funnel`: documents and tokens that each stage let through, and why not the rest."""

from __future__ import annotations

from typing import Any

from pipelines.inspect.db import rows
from pipelines.store import manifest


def funnel(run: manifest.Manifest) -> list[dict[str, Any]]:
    """Rows (stage, what, documents, tokens, cpu_seconds); tokens null before there is text.

    what: `in`, `out`, or `outcome: reason`. For each stage in = out + sum of the reasons.
    """
    extract = run.stages.get("extract")
    if extract is None:
        return []
    pages = sum(f.rows for f in extract.tables["pages"])
    table: list[dict[str, Any]] = [_row("extract", "in", pages, None, extract.cpu_seconds)]
    counts = sorted(_reasons(extract.counts), key=lambda p: (-p[1], p[0]))
    table += [_row("extract", what, n, None) for what, n in counts]
    table.append(
        _row("extract", "out", sum(f.rows for f in extract.tables["documents"]),
             extract.counts.get("tokens", 0))
    )  # fmt: skip
    decide = run.stages.get("decide")
    if decide:
        table += _decide(run, decide.cpu_seconds, table[-1])
    pack = run.stages.get("pack")
    if pack:
        by_source = rows(
            run,
            "SELECT source, sum(rows)::BIGINT documents, sum(tokens)::BIGINT tokens "
            "FROM shard_stats GROUP BY ALL ORDER BY tokens DESC, source",
        ) if run.tables("pack", "shard_stats") else []  # fmt: skip
        table.append(_row("pack", "in", table[-1]["documents"], table[-1]["tokens"],
                          pack.cpu_seconds))  # fmt: skip
        table += [
            _row("pack", f"source {r['source']}", r["documents"], r["tokens"]) for r in by_source
        ]
    return table


def _decide(
    run: manifest.Manifest, cpu_seconds: float, extract_out: dict[str, Any]
) -> list[dict[str, Any]]:
    found = rows(
        run,
        "SELECT outcome, reason, count(*) documents, coalesce(sum(tokens), 0)::BIGINT tokens "
        "FROM decisions GROUP BY ALL ORDER BY documents DESC, reason",
    )
    table = [_row("decide", "in", extract_out["documents"], extract_out["tokens"], cpu_seconds)]
    for r in found:
        if r["outcome"] != "kept":
            table.append(
                _row("decide", f"{r['outcome']}: {r['reason']}", r["documents"], r["tokens"])
            )
    kept = [r for r in found if r["outcome"] == "kept"]
    table.append(
        _row("decide", "out", sum(r["documents"] for r in kept), sum(r["tokens"] for r in kept))
    )
    return table


def unreadable(run: manifest.Manifest) -> int:
    """Stretches of files that could not be read, and files that were skipped."""
    return run.stages["extract"].counts.get("stretches", 0) if "extract" in run.stages else 0


def _reasons(counts: dict[str, int]) -> list[tuple[str, int]]:
    """`dropped: status` and its count."""
    found = []
    for name, count in counts.items():
        outcome, _, reason = name.partition("_")
        if outcome in ("dropped", "failed", "merged"):
            found.append((f"{outcome}: {reason}", count))
    return found


def _row(
    stage: str, what: str, documents: int, tokens: int | None, cpu: float | None = None
) -> dict[str, Any]:
    return {
        "stage": stage,
        "what": what,
        "documents": documents,
        "tokens": tokens,
        "cpu_seconds": cpu,
    }
