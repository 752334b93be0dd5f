"""What stands beside the shards: shards.parquet, mix.json and a dataset card."""

from __future__ import annotations

from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from pipelines.recipe import Recipe
from pipelines.store import files
from pipelines.store.manifest import Manifest
from pipelines.store.tables import read_table


def publish(manifest: Manifest, recipe: Recipe, tokenizer_id: str) -> None:
    """Write the three files at the run's top. All are derived from committed tables."""
    stats = _stats(manifest)
    with files.scratch(manifest.run_dir) as tmp:
        pq.write_table(stats, tmp, compression="zstd")
        files.publish(tmp, files.join(manifest.run_dir, "shards.parquet"))
    mix = describe(manifest, recipe, stats, tokenizer_id)
    files.write_json(files.join(manifest.run_dir, "mix.json"), mix, indent=1)
    with files.scratch(manifest.run_dir) as tmp:
        with open(tmp, "w", encoding="utf-8") as f:
            f.write(_card(mix, stats))
        files.publish(tmp, files.join(manifest.run_dir, "README.md"))


def _stats(manifest: Manifest) -> pa.Table:
    parts = [read_table(p) for p in manifest.paths("pack", "shard_stats")]
    return pa.concat_tables(parts).combine_chunks() if parts else pa.table({})


def describe(
    manifest: Manifest, recipe: Recipe, stats: pa.Table, tokenizer_id: str
) -> dict[str, Any]:
    """The mix as asked and as drawn, with the bytes it was drawn from."""
    rows = stats.to_pylist()
    total = sum(r["tokens"] for r in rows) or 1
    drawn = {}
    for name, source in recipe.pack.sources.items():
        mine = [r for r in rows if r["source"] == name]
        tokens = sum(r["tokens"] for r in mine)
        drawn[name] = {
            "where": source.where,
            "shards": len(mine),
            "documents": sum(r["rows"] for r in mine),
            "tokens": tokens,
            "share": round(tokens / total, 6),
            "text_bytes": sum(r["text_bytes"] for r in mine),
            "epochs": 1.0,
        }
    kept = manifest.stages["decide"].counts.get("kept", 0)
    in_shards = sum(r["rows"] for r in rows)
    return {
        "stages": [{"name": "stable", "sources": drawn}],
        "tokens": sum(r["tokens"] for r in rows),
        "documents": in_shards,
        "kept_but_in_no_source": kept - in_shards,
        "seed": recipe.pack.seed,
        "sample_key": "xxh3_64(page_id, seed)",
        "tokenizer": tokenizer_id,
        "from": {name: record.fingerprint for name, record in manifest.stages.items()},
        "shards": [
            {"path": r["path"], "sha256": r["sha256"], "source": r["source"], "rows": r["rows"]}
            for r in rows
        ],
    }


def _card(mix: dict[str, Any], stats: pa.Table) -> str:
    sources = mix["stages"][0]["sources"]
    configs = "\n".join(
        f"- config_name: {name}\n  data_files: shards/{name}-*.parquet"
        for name, s in sources.items()
        if s["documents"]
    )
    languages: dict[str, int] = {}
    for row in stats.to_pylist():
        for pair in row["languages"].split():
            language, _, tokens = pair.partition(":")
            languages[language] = languages.get(language, 0) + int(tokens)
    top = sorted(languages.items(), key=lambda p: (-p[1], p[0]))
    lines = [
        "---",
        *(["configs:", configs] if configs else []),
        "---",
        "",
        "# Pretraining shards",
        "",
        f"{mix['documents']:,} documents, {mix['tokens']:,} tokens ({mix['tokenizer']}), made by "
        "Gristmill. Every shard is sorted by `sample_key`: any prefix of every shard is a fair "
        "sample. `mix.json` says what was asked and drawn, `manifest.json` from which bytes.",
        "",
        "| source | documents | tokens | share |",
        "|---|---:|---:|---:|",
        *(
            f"| {name} | {s['documents']:,} | {s['tokens']:,} | {s['share']:.1%} |"
            for name, s in sources.items()
        ),
        "",
        "| language | tokens |",
        "|---|---:|",
        *(f"| {language} | {tokens:,} |" for language, tokens in top[:20]),
        "",
        "The texts are those of their pages' authors; `licence_url` is what a page itself states.",
        "",
    ]
    return "\n".join(lines)
