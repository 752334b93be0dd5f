"""docs/extend.md works as written: a user's own signal, extractor and source."""

from __future__ import annotations

import json

import pyarrow as pa
import pyarrow.parquet as pq

from pipelines.inspect.verify import verify
from tests.crawls import Crawl, html, prose
from tests.test_run import finish, recipe_for


def rows(run, stage, table, *columns):
    tables = [pq.read_table(p, columns=list(columns) or None) for p in run.paths(stage, table)]
    return pa.concat_tables(tables).to_pylist()


def test_an_own_signal_is_a_column_that_sources_may_ask(tmp_path):
    crawl = Crawl()
    talk = prose("talk").replace(".", "?")
    crawl.page("https://a.example.org/talk", html("Talk", talk))
    crawl.page("https://a.example.org/tale", html("Tale", prose("tale")))
    run = finish(
        recipe_for(
            crawl.write(tmp_path / "crawl"),
            refine__signals={"question_share": "tests.own:question_share"},
            pack__sources={"talk": {"where": "question_share > 0.3"}, "web": {"where": "true"}},
        ),
        tmp_path / "run",
    )
    share = {r["page_id"]: r["question_share"] for r in rows(run, "refine", "signals")}
    for shard in rows(run, "pack", "shards", "page_id", "source", "url"):
        asked = shard["url"].endswith("talk")
        assert shard["source"] == ("talk" if asked else "web")
        assert (share[shard["page_id"]] > 0.3) == asked
    assert len(share) == 2


def test_an_own_extractor_takes_the_place_of_ours(tmp_path):
    crawl = Crawl()
    crawl.page("https://a.example.org/x", html("X", "<p>First.</p><div>Not this.</div>" + prose(1)))
    run = finish(
        recipe_for(
            crawl.write(tmp_path / "crawl"), extract__extractor="tests.own:first_paragraphs"
        ),
        tmp_path / "run",
    )
    (document,) = rows(run, "extract", "documents")
    assert document["text"].startswith("First.")
    assert "Not this" not in document["text"]
    assert document["extractor"] == "tests.own:first_paragraphs"


def test_corpora_go_through_the_stages_like_the_crawl(tmp_path):
    crawl = Crawl()
    crawl.page("https://a.example.org/x", html("X", prose("same text")))
    files = crawl.write(tmp_path / "crawl")
    plain = [line.strip() for line in prose("same text").replace("</p>", "").split("<p>")]
    text = "\n".join(line for line in ["X", *plain] if line)
    books = tmp_path / "books.jsonl"
    books.write_text(
        "\n".join(
            [
                json.dumps({"id": 1, "text": prose("a book", 40).replace("<p>", ""), "title": "B"}),
                "not json",
                json.dumps({"id": 2, "body": "no text here"}),
                json.dumps({"id": 3, "text": text, "language": "en"}),
            ]
        )
    )
    table = pa.table({"id": ["p"], "html": [html("P", prose("from parquet")).decode()]})
    pq.write_table(table, tmp_path / "more.parquet")
    run = finish(
        recipe_for(
            files,
            input=[
                *map(str, files),
                {"path": str(books), "source": "books"},
                {"path": str(tmp_path / "more.parquet"), "source": "more"},
            ],
        ),
        tmp_path / "run",
    )
    assert verify(run) == []
    decided = rows(run, "decide", "decisions", "source", "outcome", "reason", "url")
    assert sorted(d["source"] for d in decided) == ["books", "books", "crawl", "more"]
    ledger = rows(run, "ledger", "ledger", "reason", "warc_offset", "detail")
    bad = sorted((r["warc_offset"], r["detail"]) for r in ledger if r["reason"] == "bad_row")
    assert [line for line, _ in bad] == [1, 2]
    assert "not JSON" in bad[0][1]
    assert "needs a string 'text' or 'html'" in bad[1][1]
