"""The command line as a user meets it: answers, and one line for everything that is wrong."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.crawls import Crawl, html, prose, village


def gristmill(*arguments, check=None, prefix=(), **environment):
    command = [*prefix, sys.executable, "-m", "pipelines.cli", *map(str, arguments)]
    done = subprocess.run(
        command, capture_output=True, text=True, env={**os.environ, **environment}, timeout=300
    )
    if check is not None:
        assert done.returncode == check, done.stderr[-2000:]
    return done


@pytest.fixture(scope="session")
def crawl(tmp_path_factory):
    village().write(tmp_path_factory.mktemp("cli") / "crawl", 2)
    return next((tmp_path_factory.getbasetemp()).glob("cli*/crawl"))


@pytest.fixture(scope="session")
def finished(crawl, tmp_path_factory):
    out = tmp_path_factory.mktemp("cli-run") / "a"
    done = gristmill("run", "web", "--set", f"input={crawl}", "--out", out, check=0)
    return out, done.stdout


def test_a_run_ends_with_what_came_of_it(finished):
    out, printed = finished
    assert "pages in" in printed
    assert str(out) in printed


def test_a_second_run_says_that_nothing_changed(finished, crawl):
    out, printed = finished
    again = gristmill("run", "web", "--set", f"input={crawl}", "--out", out, check=0)
    assert again.stdout == printed
    stages = [line.split(":")[0] for line in again.stderr.splitlines() if "unchanged" in line]
    assert stages[0] == "extract"
    assert {"rank", "refine", "dedup", "decide", "ledger", "pack"} <= set(stages)


def test_why_in_words_and_for_machines(finished):
    out, _ = finished
    words = gristmill("why", out, "https://site1.example.org/gone", check=0).stdout
    assert "dropped at extract: status, 404" in words
    row = json.loads(
        gristmill("why", out, "https://mirror.example.net/p1", "--json", check=0).stdout
    )[0]
    assert row["partner_url"] == "https://site3.example.org/original"
    by_id = json.loads(gristmill("why", out, row["page_id"], "--json", check=0).stdout)
    assert by_id == [row]


def test_funnel_adds_up(finished):
    out, _ = finished
    rows = json.loads(gristmill("funnel", out, "--json", check=0).stdout)["funnel"]
    for stage in ("extract", "decide"):
        mine = {r["what"]: r["documents"] for r in rows if r["stage"] == stage}
        reasons = sum(n for what, n in mine.items() if what not in ("in", "out"))
        assert mine["in"] == mine["out"] + reasons
    assert "robots" in gristmill("funnel", out, check=0).stdout


def test_sample_repeats_itself_and_filters(finished):
    out, _ = finished
    first = gristmill("sample", out, "-n", 3, "--json", check=0).stdout
    assert gristmill("sample", out, "-n", 3, "--json", check=0).stdout == first
    assert len(json.loads(first)) == 3
    dropped = json.loads(gristmill("sample", out, "--dropped", "--json", check=0).stdout)
    assert {r["reason"] for r in dropped} >= {"robots", "exact_copy", "older_capture"}
    some = gristmill("sample", out, "--where", "site = 'example.org'", "--json", check=0).stdout
    assert {r["site"] for r in json.loads(some)} == {"example.org"}


def test_sql_reads_the_run_and_nothing_else(finished, tmp_path):
    out, _ = finished
    query = "SELECT count(*) AS n FROM pages"
    assert json.loads(gristmill("sql", out, query, "--json", check=0).stdout)[0]["n"] > 30
    secret = tmp_path / "secret.csv"
    secret.write_text("a\n1\n")
    for wrong in (
        f"SELECT * FROM read_csv('{secret}')",
        f"COPY pages TO '{tmp_path}/out.csv'",
        "SET enable_external_access = true",
        "SELECT * FROM pagess",
    ):
        refused(gristmill("sql", out, wrong), 2)
    assert not (tmp_path / "out.csv").exists()


def test_verify_finds_a_changed_byte(finished, tmp_path):
    out, _ = finished
    copy = tmp_path / "copy"
    shutil.copytree(out, copy)
    assert "0 problems" in gristmill("verify", copy, check=0).stdout
    shard = next((copy / "shards").iterdir())
    data = bytearray(shard.read_bytes())
    data[len(data) // 2] ^= 1
    shard.write_bytes(data)
    found = gristmill("verify", copy, check=1).stdout
    assert shard.name in found


def test_clean_removes_leftovers_only(finished, tmp_path):
    out, _ = finished
    copy = tmp_path / "copy"
    shutil.copytree(out, copy)
    (copy / "extract/pages/.tmp-1234").write_text("half")
    (copy / "extract/pages/old.000000000000.parquet").write_text("old")
    assert "removed 2 files" in gristmill("clean", copy, check=0).stdout
    assert "0 problems" in gristmill("verify", copy, check=0).stdout


def test_the_plan_comes_before_the_run(crawl, tmp_path):
    out = tmp_path / "run"
    rows = json.loads(
        gristmill(
            "run", "web", "--set", f"input={crawl}", "--out", out, "--dry-run", "--json", check=0
        ).stdout
    )
    assert rows[0]["stage"] == "extract"
    assert rows[0]["units"] == 2
    assert rows[0]["bytes_in"] == sum(p.stat().st_size for p in crawl.iterdir())
    assert not out.exists()


def refused(done, code, *words):
    """One line on stderr, the right exit code, no traceback, and the words that help."""
    assert done.returncode == code, done.stderr
    assert "Traceback" not in done.stderr
    lines = [line for line in done.stderr.splitlines() if line.strip()]
    assert len(lines) == 1, done.stderr
    for word in words:
        assert word in lines[0], lines[0]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("run", "web", "--set", "input=nowhere/*.warc.gz"), ("nowhere", "no file matches")),
        (("run", "web", "--set", "input=nowhere"), ("nowhere", "no such file")),
        (("run", "web"), ("input", "--set input=")),
        (("run", "wib"), ("wib", "did you mean 'web'")),
        (("run", "demo", "--set", "pack.shard_text_mbb=3"), ("shard_text_mbb", "shard_text_mb'")),
        (("run", "demo", "--set", "extract.gate.min_visible_charz=3"), ("min_visible_chars'",)),
        (("run", "demo", "--set", "pack.seed=many"), ("pack.seed", "integer")),
        (("run", "demo", "--set", "tokenizer=gpt9"), ("tokenizer", "gpt9", "o200k_base")),
        (("run", "demo", "--set", "pack.sources.web.where=langage = 'zh'"), ("sources.web.where",)),
        (("run", "demo", "--until", "shred"), ("shred", "extract")),
        (("run", "demo", "--sample", "lots"), ("--sample", "1%")),
        (("run", "demo", "--runner", "spark"), ("spark", "flink")),
        (("run", "demo", "--set", "extract.extractor=no.such:thing"), ("extract.extractor",)),
        (("run", "demo", "--set", "extract.gate.domain_blocklist=no.txt"), ("no.txt",)),
        (("why", "nowhere", "https://a.example/"), ("nowhere", "manifest.json")),
        (("sql", "nowhere", "SELECT 1"), ("nowhere",)),
    ],
)  # fmt: skip
def test_what_is_wrong_is_one_line(arguments, words, tmp_path):
    extra = ("--out", tmp_path / "run") if arguments[0] == "run" else ()
    refused(gristmill(*arguments, *extra), 2, *words)


def test_a_folder_without_crawls(tmp_path):
    (tmp_path / "notes.txt").write_text("nothing here")
    done = gristmill("run", "web", "--set", f"input={tmp_path}", "--out", tmp_path / "run")
    refused(done, 2, str(tmp_path), "holds no WARC")


def test_an_unreadable_file(tmp_path):
    (tmp_path / "a.warc.gz").symlink_to(tmp_path / "gone.warc.gz")
    done = gristmill("run", "web", "--set", f"input={tmp_path}/*.gz", "--out", tmp_path / "run")
    refused(done, 2, "a.warc.gz")


def test_a_page_the_run_never_saw(finished):
    out, _ = finished
    refused(gristmill("why", out, "https://never.example.org/"), 2, "not in this run's ledger")


def test_a_file_where_the_run_should_go(crawl, tmp_path):
    (tmp_path / "run").write_text("in the way")
    done = gristmill("run", "web", "--set", f"input={crawl}", "--out", tmp_path / "run")
    refused(done, 1, str(tmp_path / "run"), "--out")


@pytest.mark.parametrize("workers", [1, 2])
def test_a_full_disk_is_one_line_and_leaves_earlier_commits(tmp_path, workers):
    """A file size limit stands in for a full disk: the write fails in the same place."""
    crawl = Crawl()
    for n in range(40):
        crawl.page(f"https://a.example.org/{n}", html(f"Page {n}", prose(n, 400)))
    crawl.write(tmp_path / "crawl", 2)
    out = tmp_path / "run"
    command = ("run", "web", "--set", f"input={tmp_path}/crawl", "--out", out, "--workers", workers)
    gristmill(*command, "--until", "extract", check=0)
    before = (out / "manifest.json").read_bytes()
    limit = ("bash", "-c", 'ulimit -f 60; exec "$@"', "-")
    done = gristmill(*command, "--set", "extract.gate.min_visible_chars=1", prefix=limit)
    refused(done, 1, "file size limit", "again")
    assert (out / "manifest.json").read_bytes() == before
    assert gristmill("verify", out).returncode == 0
    gristmill(*command, "--set", "extract.gate.min_visible_chars=1", check=0)


@pytest.mark.parametrize("damage", [b"", b"{", b'{"format": 99}', b"[]"])
def test_a_corrupt_earlier_run(finished, crawl, tmp_path, damage):
    out, _ = finished
    copy = tmp_path / "copy"
    shutil.copytree(out, copy)
    (copy / "manifest.json").write_bytes(damage)
    done = gristmill("run", "web", "--set", f"input={crawl}", "--out", copy)
    refused(done, 1, "manifest.json")


def test_a_table_that_was_cut_is_made_again(finished, crawl, tmp_path):
    out, _ = finished
    copy = tmp_path / "copy"
    shutil.copytree(out, copy)
    victim = next(Path(copy / "extract/documents").iterdir())
    victim.write_bytes(victim.read_bytes()[:100])
    gristmill("run", "web", "--set", f"input={crawl}", "--out", copy, check=0)
    assert "0 problems" in gristmill("verify", copy, check=0).stdout
