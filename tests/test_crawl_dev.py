"""Runs over real crawls: every record accounted for, whatever is wrong with it."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pipelines.inspect.verify import verify
from pipelines.store.captures import hash_id
from tests.test_run import finish, recipe_for

pytestmark = pytest.mark.crawl_dev
FOLDER = Path(os.environ.get("GRISTMILL_CRAWL_DEV", "."))


def ledger(run):
    tables = [pq.read_table(p) for p in run.paths("ledger", "ledger")]
    return pa.concat_tables(tables).to_pylist()


def truth(path):
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


@pytest.fixture(scope="module")
def crawl(tmp_path_factory):
    files = sorted(FOLDER.glob("*.warc.gz"))
    return finish(recipe_for(files), tmp_path_factory.mktemp("run"), 2)


def test_every_record_of_the_crawl_has_one_row(crawl):
    assert verify(crawl) == []
    rows = ledger(crawl)
    expected = sorted(hash_id(t["record_id"]) for t in truth(FOLDER / "truth.jsonl"))
    assert sorted(r["page_id"] for r in rows if r["page_id"]) == expected
    assert [r for r in rows if not r["page_id"]] == []
    assert [r for r in rows if r["outcome"] == "failed"] == []


def test_what_the_truth_says_of_damage_is_what_the_ledger_says(crawl):
    rows = {r["page_id"]: r for r in ledger(crawl)}
    reasons = {
        "empty_body": {"empty"},
        "whitespace_body": {"empty"},
        "huge_page": {"too_large"},
        "deep_nesting_20000": {"too_deep", "too_many_nodes"},
        "status_404": {"status"},
        "redirect": {"status"},
        "robots_generated": {"robots_txt"},
        "revisit_record": {"revisit"},
    }
    for page in truth(FOLDER / "truth.jsonl"):
        row = rows[hash_id(page["record_id"])]
        if page["injected"] in reasons:
            assert row["reason"] in reasons[page["injected"]], page["url"]
        if row["reason"] == "exact_copy":
            assert row["partner"] in rows


@pytest.mark.parametrize("folder", ["real", "fixtures", "nasty"])
def test_real_odd_and_damaged_files_are_all_accounted_for(folder, tmp_path):
    files = [p for p in sorted((FOLDER / folder).iterdir()) if p.name != "truth.jsonl"]
    run = finish(recipe_for(files), tmp_path / "run", 2)
    assert verify(run) == []
    rows = ledger(run)
    assert [r for r in rows if (r["reason"] or "").startswith(("failed_", "unit_failed"))] == []
    spoken_for = {Path(r["warc_path"]).name for r in rows}
    silent = {p.name for p in files} - spoken_for
    # files that hold nothing but warcinfo, request or metadata records
    counts = run.stages["extract"].counts
    assert len(silent) <= counts.get("records_warcinfo", 0) + counts.get("records_wat", 0)
    if folder == "nasty":
        expected = json.loads(Path("tests/expected/warc_nasty.json").read_text())
        expected.pop("truth.jsonl")
        pages = sum(f["responses"] + f["revisits"] for f in expected.values())
        assert len([r for r in rows if r["page_id"]]) == pages
        damages = sum(f["damages"] for f in expected.values())
        assert len([r for r in rows if not r["page_id"]]) == damages
