"""The demo's run against the truth tables of the sample crawl: a regression test, no benchmark."""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from itertools import combinations
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pipelines import recipe as recipes
from pipelines import run as runs
from pipelines.engine.runners import Engine
from pipelines.inspect.verify import verify
from pipelines.store.captures import hash_id

SAMPLES = Path(__file__).parent.parent / "data_samples"


@pytest.fixture(scope="module")
def demo(tmp_path_factory):
    settings = [
        f"input={SAMPLES}/crawl/*.warc.gz",
        f"refine.classifier.train={SAMPLES}/labels.jsonl",
    ]
    recipe = recipes.load("demo", settings)
    return runs.run(recipe, str(tmp_path_factory.mktemp("demo")), Engine("local", 1))


@pytest.fixture(scope="module")
def truth():
    lines = (SAMPLES / "truth.jsonl").read_text(encoding="utf-8").splitlines()
    return {hash_id(t["record_id"]): t for t in map(json.loads, lines)}


def rows(run, stage, table, *columns):
    tables = [pq.read_table(p, columns=list(columns) or None) for p in run.paths(stage, table)]
    return pa.concat_tables(tables).to_pylist()


def test_nothing_is_lost(demo, truth):
    assert verify(demo) == []
    ids = [r["page_id"] for r in rows(demo, "ledger", "ledger") if r["page_id"]]
    assert sorted(ids) == sorted(truth)
    stretches = [r for r in rows(demo, "ledger", "ledger") if not r["page_id"]]
    assert [r["reason"] for r in stretches] == ["garbage"]


def test_languages(demo, truth):
    told = [
        (r["language"], truth[r["page_id"]]["language"])
        for r in rows(demo, "refine", "signals", "page_id", "language")
        if truth[r["page_id"]]["main_text"] and truth[r["page_id"]]["language"]
    ]
    assert sum(a == b for a, b in told) / len(told) >= 0.95, Counter(
        p for p in told if p[0] != p[1]
    )
    scripts = [
        (r["script"], truth[r["page_id"]]["script"])
        for r in rows(demo, "refine", "signals", "page_id", "script")
        if truth[r["page_id"]]["main_text"] and truth[r["page_id"]]["script"]
    ]
    assert sum(a == b for a, b in scripts) / len(scripts) >= 0.95


def test_duplicate_groups(demo, truth):
    """Pairs of documents that count as one: found in one cluster, or captures of one URL."""
    same: dict[str, tuple] = {}
    keys = {r["page_id"]: r["url_key"] for r in rows(demo, "extract", "documents")}
    for r in rows(demo, "dedup_clusters", "clusters"):
        same[r["page_id"]] = (r["cluster_id"], keys[r["page_id"]])
    hashes = {r["page_id"]: r["content_hash"] for r in rows(demo, "refine", "signals")}
    pages = [
        i for i in same if truth[i]["main_text"] and truth[i]["damage"] != "truncated"
    ]  # fmt: skip
    told, found = set(), set()
    for a, b in combinations(pages, 2):
        group = truth[a]["duplicate_group"]
        if group is not None and group == truth[b]["duplicate_group"]:
            told.add((a, b))
        if same[a][0] == same[b][0] or same[a][1] == same[b][1] or hashes[a] == hashes[b]:
            found.add((a, b))
    assert len(told & found) / len(told) >= 0.95
    assert len(told & found) / len(found) >= 0.95


def test_spam_sites(demo, truth):
    """The classifier, trained on half of the pages, ranks the farm's sites by the other half."""
    from data_samples.make_labels import labels

    trained_on = {row["text"] for row in labels()}
    farm = {t["site"] for t in truth.values() if t["kind"] == "spam"}
    quality = defaultdict(list)
    for r in rows(demo, "refine", "signals", "page_id", "quality"):
        page = truth[r["page_id"]]
        if page["main_text"] and page["main_text"] not in trained_on and r["quality"] is not None:
            quality[page["site"]].append(r["quality"])
    mean = {site: sum(q) / len(q) for site, q in quality.items() if len(q) > 1}
    pairs = [(mean[f], mean[o]) for f in farm & mean.keys() for o in mean.keys() - farm]
    assert len(mean) > 40
    # The area under the curve: how often a farm's site scores below another one.
    assert sum(f < o for f, o in pairs) / len(pairs) >= 0.95


def test_opt_outs_are_honoured(demo, truth):
    outcome = {r["page_id"]: r["outcome"] for r in rows(demo, "ledger", "ledger")}
    refused = [i for i, t in truth.items() if t["opt_out"]]
    assert len(refused) > 20
    assert [truth[i]["url"] for i in refused if outcome[i] == "kept"] == []


def test_texts_are_the_main_texts(demo, truth):
    """Recall of the main text's lines, and none of the boilerplate that must not be there."""
    good = total = leaks = snippets = 0
    for r in rows(demo, "refine", "texts"):
        page = truth[r["page_id"]]
        if not page["main_text"] or page["spam"] or page["damage"]:
            continue
        squeezed = "".join(r["text"].split())
        for line in page["main_text"].splitlines():
            total += 1
            good += "".join(line.split()) in squeezed
        for snippet in page["must_not"]:
            snippets += 1
            leaks += "".join(snippet.split()) in squeezed
    print(f"main text lines found {good}/{total}, boilerplate {leaks}/{snippets}")
    assert good / total >= 0.8
    assert leaks / snippets <= 0.25
