"""Whole runs on a small crawl: what is kept and why, identical bytes, resume, skipping."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pyarrow.parquet as pq
import pytest
import yaml

from pipelines import recipe as recipes
from pipelines import run as runs
from pipelines.engine.runners import Engine
from pipelines.inspect.verify import verify
from pipelines.inspect.why import why
from pipelines.store import manifest as manifests
from tests.crawls import Crawl, html, prose, village


def recipe_for(files, **changes):
    data = {"input": [str(f) for f in files], "pack": {"shard_text_mb": 0.02}}
    for key, value in changes.items():
        at = data
        *folders, last = key.split("__")
        for folder in folders:
            at = at.setdefault(folder, {})
        at[last] = value
    return recipes.Recipe.model_validate(data)


def finish(recipe, out, workers=1):
    return runs.run(recipe, str(out), Engine("local", workers))


def committed(run):
    """Every committed file's path and hash, by stage and table."""
    return {
        (stage, table, f.path): f.sha256
        for stage, record in run.stages.items()
        for table, files in record.tables.items()
        for f in files
    }


@pytest.fixture(scope="session")
def crawl_files(tmp_path_factory):
    return village().write(tmp_path_factory.mktemp("crawl"), 3)


@pytest.fixture(scope="session")
def done(crawl_files, tmp_path_factory):
    return finish(recipe_for(crawl_files), tmp_path_factory.mktemp("run") / "a")


def verdict(run, url):
    row = why(run, url)[0]
    return row["outcome"], row["reason"]


def test_every_page_has_its_verdict(done):
    assert verify(done) == []
    assert verdict(done, "https://site0.example.org/page/1") == ("kept", None)
    assert verdict(done, "https://site0.example.org/private/diary") == ("dropped", "robots")
    assert verdict(done, "https://site1.example.org/gone") == ("dropped", "status")
    assert verdict(done, "https://site1.example.org/tiny") == ("dropped", "too_short")
    assert verdict(done, "https://site2.example.org/noai") == ("dropped", "opt_out")
    assert verdict(done, "https://site5.example.org/deep") == ("dropped", "too_deep")
    assert verdict(done, "https://site5.example.org/pdf") == ("dropped", "not_html")
    assert verdict(done, "https://site3.example.org/robots.txt") == ("dropped", "robots_txt")


def test_a_copy_names_the_page_it_was_merged_into(done):
    row = why(done, "https://mirror.example.net/p1")[0]
    assert (row["outcome"], row["reason"]) == ("merged", "exact_copy")
    assert row["partner_url"] == "https://site3.example.org/original"
    assert verdict(done, "https://site3.example.org/original") == ("kept", None)


def test_of_two_captures_the_latest_stays(done):
    row = why(done, "https://site4.example.org/page/0")[0]
    assert (row["outcome"], row["reason"]) == ("merged", "older_capture")
    assert row["partner_url"] == "http://www.site4.example.org/page/0?utm_source=x"


def test_shards_hold_what_was_kept_and_nothing_else(done):
    shards = [pq.read_table(p) for p in done.paths("pack", "shards")]
    in_shards = sorted(i for s in shards for i in s["page_id"].to_pylist())
    decisions = [pq.read_table(p) for p in done.paths("decide", "decisions")]
    kept = sorted(
        row["page_id"] for d in decisions for row in d.to_pylist() if row["outcome"] == "kept"
    )
    assert in_shards == kept
    assert len(shards) > 1
    text = " ".join(t for s in shards for t in s["text"].to_pylist())
    assert "All rights reserved" not in text
    mix = json.loads((Path(done.run_dir) / "mix.json").read_text())
    assert mix["documents"] == len(kept)
    assert mix["kept_but_in_no_source"] == 0


@pytest.mark.parametrize("workers", [2, 3])
def test_any_number_of_workers_writes_the_same_bytes(crawl_files, done, tmp_path, workers):
    assert committed(finish(recipe_for(crawl_files), tmp_path / "b", workers)) == committed(done)


@pytest.mark.parametrize(("count", "gzip"), [(1, True), (7, True), (2, False)])
def test_the_cut_into_files_changes_nothing_that_is_kept(done, tmp_path, count, gzip):
    other = finish(recipe_for(village().write(tmp_path / "crawl", count, gzip)), tmp_path / "run")

    def outcomes(run):
        wanted = ["page_id", "url", "outcome", "reason", "partner", "tokens"]
        tables = [pq.read_table(p) for p in run.paths("ledger", "ledger")]
        rows = [row for t in tables for row in t.select(wanted).to_pylist()]
        return sorted((tuple(row.values()) for row in rows), key=str)

    assert outcomes(other) == outcomes(done)


def test_an_unchanged_recipe_runs_nothing(crawl_files, tmp_path, monkeypatch):
    first = finish(recipe_for(crawl_files), tmp_path / "run")
    before = (tmp_path / "run/manifest.json").stat().st_mtime_ns

    def forbidden(*_):
        raise RuntimeError("a pipeline ran")

    for module in ("beam_units", "runners"):
        monkeypatch.setattr(f"pipelines.engine.{module}.run_pipeline", forbidden)
    second = finish(recipe_for(crawl_files), tmp_path / "run")
    assert committed(second) == committed(first)
    assert (tmp_path / "run/manifest.json").stat().st_mtime_ns == before


ALL = {stage.name for stage in runs.STAGES}


def test_a_change_runs_its_stage_and_what_follows(crawl_files, tmp_path):
    out = tmp_path / "run"
    first = finish(recipe_for(crawl_files), out)
    prints = {name: r.fingerprint for name, r in first.stages.items()}

    def changed(**changes):
        after = finish(recipe_for(crawl_files, **changes), out)
        return {name for name, r in after.stages.items() if r.fingerprint != prints[name]}

    assert changed(pack__seed=3) == {"pack"}
    assert changed(decide__copies="keep") == {"decide", "ledger", "pack"}
    thresholds = {"gopher_words": {"min": 165}}
    assert changed(decide__thresholds=thresholds) == {"decide", "ledger", "pack"}
    # No rule fires on these texts: refine runs, what comes out is the same, so nothing follows.
    assert changed(refine__rules=[]) == {"refine"}
    # One more document; the links are those of before.
    assert changed(extract__gate__min_visible_chars=5) == ALL - {"refine_classifier", "rank"}
    assert changed() == set()


def test_stale_shards_do_not_stay_beside_new_ones(crawl_files, tmp_path):
    out = tmp_path / "run"
    finish(recipe_for(crawl_files), out)
    after = finish(recipe_for(crawl_files, pack__shard_text_mb=1), out)
    assert sorted(p.name for p in (out / "shards").iterdir()) == sorted(
        Path(f.path).name for f in after.tables("pack", "shards")
    )


def test_a_new_file_is_all_that_is_read(crawl_files, tmp_path, monkeypatch):
    out = tmp_path / "run"
    finish(recipe_for(crawl_files[:2]), out)
    done = []
    from pipelines.stages import extract

    execute = extract.ExtractWork.run
    monkeypatch.setattr(
        extract.ExtractWork, "run", lambda self, unit: done.append(unit.name) or execute(self, unit)
    )
    finish(recipe_for(crawl_files), out)
    assert done == ["part-02"]


CRASH_POINTS = [
    f"{when}:{n}"
    for when in ("before rename", "after rename", "before journal", "after journal")
    for n in (1, 7)
] + ["before manifest:1", "after manifest:1", "before manifest:3", "after manifest:4"]


@pytest.mark.parametrize("point", CRASH_POINTS)
def test_killed_at_any_point_a_run_ends_the_same(crawl_files, done, tmp_path, point):
    out = tmp_path / "run"
    path = tmp_path / "recipe.yaml"
    path.write_text(yaml.safe_dump(recipe_for(crawl_files).model_dump(mode="json")))
    command = [sys.executable, "-m", "pipelines.cli", "run", str(path), "--out", str(out)]
    killed = subprocess.run(
        command, env={**os.environ, "GRISTMILL_CRASH_AT": point}, capture_output=True
    )
    assert killed.returncode == -9, killed.stderr.decode()[-500:]
    half = manifests.load(str(out))
    for file in half.named() if half else []:
        assert (out / file).exists(), "the manifest names a file that is not there"
    ended = finish(recipe_for(crawl_files), out)
    assert committed(ended) == committed(done)
    assert verify(ended) == []
    runs.clean(str(out))
    assert not list(out.rglob(".tmp-*"))


def test_a_page_that_kills_its_reader_is_one_row_and_stays_so(tmp_path):
    crawl = Crawl()
    for n in range(8):
        crawl.page(f"https://a.example.org/{n}", html(f"Page {n}", prose(n)))
    files = crawl.write(tmp_path / "crawl")
    recipe = recipe_for(files, extract__extractor="tests.trouble:extractor")
    run = finish(recipe, tmp_path / "run")
    assert verdict(run, "https://a.example.org/3") == ("failed", "failed_crash")
    for n in (0, 1, 2, 4, 5, 6, 7):
        assert verdict(run, f"https://a.example.org/{n}") == ("kept", None)
    # what a resumed run is told: the page is not tried again, and decided as before
    faults = list((tmp_path / "run/journal/extract.faults").rglob("*.json"))
    assert len(faults) == 1
    for entry in (tmp_path / "run/journal/extract").iterdir():
        entry.unlink()
    again = finish(recipe, tmp_path / "run")
    assert committed(again) == committed(run)


def test_a_unit_that_always_fails_becomes_a_row_not_a_dead_job(crawl_files, tmp_path, monkeypatch):
    from pipelines.store import warc

    real = warc.read_records

    def broken(stream, **options):
        if stream.name.endswith("part-01.warc.gz"):
            raise RuntimeError("a bug that only this file meets")
        return real(stream, **options)

    monkeypatch.setattr(warc, "read_records", broken)
    run = finish(recipe_for(crawl_files), tmp_path / "run")
    rows = [r for p in run.paths("extract", "ledger") for r in pq.read_table(p).to_pylist()]
    failed = [r for r in rows if r["reason"] == "unit_failed"]
    assert [(Path(r["warc_path"]).name, r["warc_offset"]) for r in failed] == [
        ("part-01.warc.gz", 0)
    ]
    assert "a bug that only this file meets" in failed[0]["detail"]
    assert verify(run) == []


def test_a_sample_keeps_whole_sites_and_accounts_for_the_rest(crawl_files, tmp_path):
    run = finish(recipe_for(crawl_files, sample=0.5), tmp_path / "run")
    by_site: dict[str, set[bool]] = {}
    for path in run.paths("ledger", "ledger"):
        for row in pq.read_table(path).to_pylist():
            host = row["url"].split("/")[2].removeprefix("www.")
            by_site.setdefault(host, set()).add(row["reason"] == "sample")
    assert verify(run) == []
    assert all(len(answers) == 1 for answers in by_site.values()), by_site
