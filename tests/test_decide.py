"""decide's promises: a bad page never kills its good copy, whatever the order of the rows."""

from __future__ import annotations

from datetime import UTC, datetime

import numpy as np
import pyarrow as pa
from hypothesis import given, settings
from hypothesis import strategies as st

from pipelines.recipe import Decide
from pipelines.stages.decide import PASSED_ON, decide
from pipelines.store import schemas
from quality.filters import Filter

WORDS = (Filter("enough_words", "words", 50, None, None, "test"),)
SIZES = st.integers(1, 6)

document = st.fixed_dictionaries(
    {
        "cluster": st.integers(0, 5),
        "text": st.integers(0, 2),  # pages of one cluster and text are exact copies
        "words": st.integers(0, 100),
        "quality": st.sampled_from([None, 0.1, 0.5, 0.9]),
        "url": st.integers(0, 9),
        "day": st.integers(0, 3),
    }
)


def table(documents):
    rows = []
    for n, d in enumerate(documents):
        rows.append(
            {
                "page_id": f"{n:032x}",
                "url": f"https://s{d['url']}.example/",
                "site": "s",
                "source": "crawl",
                "canonical_url": f"https://s{d['url']}.example/",
                "url_key": 1000 * d["cluster"] + d["url"],
                "host": "s.example",
                "captured_at": datetime(2026, 1, 1 + d["day"], tzinfo=UTC),
                "language": "en",
                "script": "Latn",
                "tokens": d["words"],
                "quality": d["quality"],
                "content_hash": f"{d['cluster']}-{d['text']}",
                "rules_drop": False,
                "words": float(d["words"]),
                "cluster_size": 1,
                "authority": None,
                "authority_tier": "unknown",
            }
        )
    types = {f.name: f.type for s in (schemas.DOCUMENTS, schemas.signals(), schemas.DECISIONS)
             for f in s}  # fmt: skip
    names = list(rows[0])
    return pa.Table.from_pylist(rows, schema=pa.schema([(n, types[n]) for n in names]))


def edges(documents):
    """All pairs of a cluster are near-duplicates."""
    pairs = [
        (a, b)
        for a in range(len(documents))
        for b in range(a + 1, len(documents))
        if documents[a]["cluster"] == documents[b]["cluster"]
    ]
    return pa.table(
        {"left": pa.array([a for a, _ in pairs], pa.int64()),
         "right": pa.array([b for _, b in pairs], pa.int64()),
         "similarity": pa.array([0.8] * len(pairs), pa.float32())}
    )  # fmt: skip


def decided(documents):
    t = table(documents)
    verdicts = decide(t, WORDS, edges(documents), {}, Decide(captures="all"), [])
    return verdicts.table(t.select(PASSED_ON)).to_pylist()


@given(st.lists(document, min_size=1, max_size=25), st.randoms(use_true_random=False))
def test_the_best_passing_page_of_a_cluster_survives_in_any_order(documents, random):
    rows = decided(documents)
    for cluster in {d["cluster"] for d in documents}:
        members = [i for i, d in enumerate(documents) if d["cluster"] == cluster]
        passing = [i for i in members if documents[i]["words"] >= 50]
        kept = [i for i in members if rows[i]["outcome"] == "kept"]
        assert len(kept) == bool(passing)
        for i in members:
            if documents[i]["words"] < 50:
                assert (rows[i]["outcome"], rows[i]["reason"]) == ("dropped", "enough_words")
                assert (rows[i]["value"], rows[i]["threshold"]) == (documents[i]["words"], 50)
        if passing:
            best = max(documents[i]["quality"] or -1 for i in passing)
            assert (documents[kept[0]]["quality"] or -1) == best
            assert rows[kept[0]]["copies"] == len(passing)
            for i in set(passing) - set(kept):
                assert rows[i]["partner"] == rows[kept[0]]["page_id"]
                same = documents[i]["text"] == documents[kept[0]]["text"]
                assert rows[i]["reason"] == ("exact_copy" if same else "near_copy")
                assert rows[i]["similarity"] == (1.0 if same else np.float32(0.8))
    shuffled = documents[:]
    random.shuffle(shuffled)
    chosen = [
        d for d, row in zip(shuffled, decided(shuffled), strict=True) if row["outcome"] == "kept"
    ]
    before = [d for d, row in zip(documents, rows, strict=True) if row["outcome"] == "kept"]

    def key(d):
        return [str(d[k]) for k in ("cluster", "quality", "words", "day", "url")]

    assert sorted(map(key, chosen)) == sorted(map(key, before))


@given(st.lists(document, min_size=1, max_size=25))
@settings(max_examples=30)
def test_a_page_that_fails_does_not_bridge_two_that_pass(documents):
    """a ~ b ~ c with b failing: a and c are not copies of each other and both stay."""
    rows = [{**d, "cluster": n, "text": n, "words": 60} for n, d in enumerate(documents[:2])]
    bridge = {**documents[0], "cluster": 9, "text": 9, "words": 10}
    chain = [*rows, bridge]
    middle = len(rows)
    pairs = pa.table(
        {"left": pa.array(range(middle), pa.int64()),
         "right": pa.array([middle] * middle, pa.int64()),
         "similarity": pa.array([0.9] * middle, pa.float32())}
    )  # fmt: skip
    t = table(chain)
    verdicts = decide(t, WORDS, pairs, {}, Decide(captures="all"), [])
    outcome = [r["outcome"] for r in verdicts.table(t.select(PASSED_ON)).to_pylist()]
    assert outcome == ["kept"] * middle + ["dropped"]


@given(st.lists(document, min_size=2, max_size=20))
def test_of_captures_of_one_url_the_latest_passing_one_survives(documents):
    one_url = [{**d, "url": 1, "cluster": n, "text": n} for n, d in enumerate(documents)]
    t = table(one_url)
    t = t.set_column(t.schema.get_field_index("url_key"), "url_key",
                     pa.array([7] * len(one_url), pa.uint64()))  # fmt: skip
    none = edges([])
    verdicts = decide(t, WORDS, none, {}, Decide(), [])
    rows = verdicts.table(t.select(PASSED_ON)).to_pylist()
    passing = [d for d in one_url if d["words"] >= 50]
    kept = [d for d, r in zip(one_url, rows, strict=True) if r["outcome"] == "kept"]
    assert len(kept) == bool(passing)
    if passing:
        assert kept[0]["day"] == max(d["day"] for d in passing)
        assert max(r["captures"] for r in rows) == len(passing)
