"""How answers look in a terminal; with `as_json` the same facts for machines."""

from __future__ import annotations

import json
import re
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from pipelines.inspect.why import sentence
from pipelines.store import files
from pipelines.store.manifest import Manifest

_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069]")


def _console() -> Console:
    import sys

    wide = None if sys.stdout.isatty() else 160
    return Console(width=wide, highlight=False, soft_wrap=not sys.stdout.isatty())


def safe(value: Any) -> str:
    """Crawled text must not drive the terminal: control characters become spaces."""
    return _CONTROL.sub(" ", str(value))


def dump(value: Any) -> None:
    print(json.dumps(value, ensure_ascii=False, default=str))


def rows(found: list[dict[str, Any]], as_json: bool) -> None:
    if as_json:
        dump(found)
        return
    if not found:
        print("no rows")
        return
    table = Table(box=None, pad_edge=False, header_style="bold")
    for name in found[0]:
        numbers = all(isinstance(r[name], int | float | None) for r in found)
        table.add_column(name, justify="right" if numbers else "left", overflow="fold")
    for row in found:
        table.add_row(*(Text("" if v is None else _number(v)) for v in row.values()))
    _console().print(table)


def _number(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float):
        return f"{value:.6g}"
    return safe(value)


def funnel(
    found: list[dict[str, Any]], filters: list[dict[str, Any]], unreadable: int, as_json: bool
) -> None:
    if as_json:
        dump({"funnel": found, "filters": filters, "unreadable_stretches": unreadable})
        return
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("stage")
    table.add_column("")
    for name in ("documents", "tokens", "CPU s"):
        table.add_column(name, justify="right")
    last = ""
    for row in found:
        ends = row["what"] in ("in", "out")
        cpu = row["cpu_seconds"]
        table.add_row(
            row["stage"] if row["stage"] != last else "",
            Text(row["what"] if ends else "  " + row["what"].replace("_", " ")),
            f"{row['documents']:,}",
            "" if row["tokens"] is None else f"{row['tokens']:,}",
            "" if cpu is None else f"{cpu:.1f}",
            style="bold" if ends else "",
        )
        last = row["stage"]
    _console().print(table)
    if filters:
        print("\nWhat each rule of decide takes, in documents (and tokens):")
        rows(
            [
                {"rule": r["rule"]} | {k: f"{r[k]:,} ({r[t]:,})" for k, t in _COUNTS}
                for r in filters
            ],
            False,
        )
    if unreadable:
        print(f"{unreadable} unreadable stretches or skipped files: see `sql`, view ledger")


_COUNTS = (
    ("chain", "chain_tokens"),
    ("alone", "alone_tokens"),
    ("uniquely", "unique_tokens"),
)


def why(found: list[dict[str, Any]], as_json: bool) -> None:
    if as_json:
        dump([{**row, "verdict": sentence(row)} for row in found])
        return
    for number, row in enumerate(found):
        if number:
            print()
        print(f"{safe(row['url'])}\n  {safe(sentence(row))}")
        if row["partner"]:
            print(f"  partner    {safe(row.get('partner_url') or 'not in this run')}")
            print(f"             {row['partner']}")
        print(f"  page_id    {row['page_id']}")
        place = f"{row['warc_path']} at {row['warc_offset']}"
        print(f"  record     {place}, {row['warc_length']} bytes")
        if row["canonical_url"] != row["url"]:
            print(f"  canonical  {safe(row['canonical_url'])}")
        if row["tokens"] is not None:
            print(f"  tokens     {row['tokens']:,}")
        if row["text_file"]:
            print(f"  text       {row['text_file']}, row {row['text_row']}")


def sample(found: list[dict[str, Any]], chars: int, as_json: bool) -> None:
    if as_json:
        dump(found)
        return
    for row in found:
        verdict = row.get("reason") or row.get("outcome") or ""
        facts = f"{row['language']}, {row['tokens']} tokens {verdict}".strip()
        print(f"--- {safe(row['url'])} ({facts}) {row['page_id']}")
        if row["title"]:
            print(f"    {safe(row['title'])}")
        if row["text_before"]:
            gone = len(row["text_before"]) - len(row["text"])
            print(f"    cleaning took {gone} characters; `--json` has the text before")
        text = row["text"]
        print(safe(text[:chars].replace("\r", "")) + (" ..." if len(text) > chars else ""))
        print()
    if not found:
        print("no documents")


def plan(found: list[dict[str, Any]], as_json: bool) -> None:
    if as_json:
        dump(found)
        return
    for row in found:
        if row["units"] is None:
            print(f"{row['stage']:8} {row['note']}")
        else:
            todo = row["units"] - row["done"]
            print(
                f"{row['stage']:8} {todo:,} of {row['units']:,} units to do, "
                f"{row['bytes_in'] / 1e6:,.1f} MB in, about {row['disk'] / 1e6:,.1f} MB to disk"
            )


def summary(manifest: Manifest, as_json: bool) -> None:
    """What a run ends with: what came in, what went out, where it stands."""
    extract, pack = manifest.stages.get("extract"), manifest.stages.get("pack")
    pages = sum(f.rows for f in extract.tables["pages"]) if extract else 0
    shards = manifest.tables("pack", "shards")
    failed = sum(n for name, n in extract.counts.items() if name[:7] == "failed_") if extract else 0
    facts = {
        "pages": pages,
        "failed": failed,
        "documents": extract.counts.get("documents", 0) if extract else 0,
        "kept": pack.counts.get("documents", 0) if pack else None,
        "tokens": pack.counts.get("tokens", 0) if pack else None,
        "shards": len(shards),
        "cpu_seconds": round(sum(r.cpu_seconds for r in manifest.stages.values()), 1),
        "out": manifest.run_dir,
    }
    if as_json:
        dump(facts)
        return
    print(f"{pages:,} pages in, {facts['documents']:,} documents", end="")
    if pack:
        print(
            f", {facts['kept']:,} in {len(shards)} shards with {facts['tokens']:,} tokens:\n"
            f"{files.join(manifest.run_dir, 'shards')}/  (manifest.json, mix.json, shards.parquet)"
        )
    else:
        print(f"; tables in {manifest.run_dir}/")
    if "refine" in manifest.stages and not manifest.tables("refine_classifier", "model"):
        print("quality is null in every row: train a classifier by key refine.classifier")
    if failed > pages * 0.01:
        print(f"{failed:,} pages failed to be read: `gristmill funnel {manifest.run_dir}` says how")
