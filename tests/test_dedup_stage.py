"""Near-duplicates: signatures, pairs and clusters against datasketch, brute force and SciPy."""

from __future__ import annotations

import json
import random
from collections import Counter, defaultdict
from itertools import combinations

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from datasketch import MinHash
from hypothesis import given
from hypothesis import strategies as st
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components

from pipelines.engine.runners import Engine
from pipelines.engine.units import Journal
from pipelines.errors import UserError
from pipelines.plain.dedup import dedup as mark
from pipelines.recipe import Dedup, Recipe
from pipelines.run_state import Run
from pipelines.stages import dedup, dedup_clusters, dedup_pairs, dedup_sketch
from pipelines.store.captures import hash_id
from pipelines.store.manifest import Manifest, StageRecord
from pipelines.store.tables import read_table, write_table
from quality.minhash import Signatures, bands, folded, sign, signatures
from quality.shingles import ShingleSets, shingle_hashes

WORDS = [f"{a}{b}" for a in ("ba", "do", "ki", "lu", "mo", "ne", "su") for b in "bcdfghjklmnpqrst"]
HAN = [chr(0x4E00 + i) for i in range(600)]


def prose(rng, length, vocabulary=WORDS):
    return [rng.choice(vocabulary) for _ in range(length)]


def edited(rng, tokens, edits, vocabulary=WORDS):
    out = list(tokens)
    for _ in range(edits):
        at = rng.randrange(len(out))
        out[at : at + rng.choice([0, 1, 1])] = [rng.choice(vocabulary)]
    return out


def collection(seed, families=40):
    """Token lists: English and Chinese texts, each with copies from untouched to a third alike."""
    rng = random.Random(seed)
    found = []
    for family in range(families):
        vocabulary = HAN if family % 3 == 0 else WORDS
        base = prose(rng, rng.randint(30, 200), vocabulary)
        found.append(base)
        for _ in range(rng.randint(0, 6)):
            edits = int(rng.choice([0, 0.005, 0.01, 0.02, 0.03, 0.05]) * len(base))
            found.append(edited(rng, base, edits, vocabulary))
    found += [prose(rng, n) for n in (1, 3, 4, 5, 6)] * 2
    rng.shuffle(found)
    return found


def joined(tokens):
    return ("" if tokens and tokens[0] in HAN else " ").join(tokens)


def similarities(tokens):
    """Jaccard similarity of every pair that shares a shingle, from plain sets."""
    sets = [
        {tuple(t[i : i + 5]) for i in range(max(1, len(t) - 4))} if t else set() for t in tokens
    ]
    return {
        (i, j): len(sets[i] & sets[j]) / len(sets[i] | sets[j])
        for i, j in combinations(range(len(sets)), 2)
        if sets[i] & sets[j]
    }


class Done:
    """A finished run of the three stages over hand-made texts and documents."""

    def __init__(self, folder, parts, section=None):
        """parts: a list of (page_id, site, text) for each file."""
        recipe = Recipe(input="none", dedup=section or Dedup())
        self.run = Run(str(folder), recipe, Engine("local", 1), Manifest(str(folder)))
        texts, documents = [], []
        for number, rows in enumerate(parts):
            page_id, site, text = (list(c) for c in zip(*rows, strict=True)) if rows else ([],) * 3
            ids, sites, bodies = (pa.array(c, pa.string()) for c in (page_id, site, text))
            name = f"file-{number}"
            table = pa.table({"page_id": ids, "text": bodies})
            texts.append(write_table(str(folder), "refine/texts", name, table, 64))
            table = pa.table({"page_id": ids, "site": sites})
            documents.append(write_table(str(folder), "extract/documents", name, table))
        self.commit("refine", {"texts": texts})
        self.commit("extract", {"documents": documents})
        for stage in (dedup, dedup_pairs, dedup_clusters):
            self.do(stage)

    def commit(self, stage, tables, counts=None):
        self.run.manifest.stages[stage] = StageRecord(stage, 0, tables, counts or {}, 0, 0)

    def do(self, stage):
        units = stage.plan(self.run)
        stage.execute(self.run, units)
        tables, counts = defaultdict(list), Counter()
        for unit in units:
            result = Journal(self.run.dir, stage.NAME).read(unit.key)
            counts.update(result.counts)
            for name, files in result.tables.items():
                tables[name] += files
        self.commit(stage.NAME, dict(tables), dict(counts))

    def table(self, stage, name):
        return pa.concat_tables(read_table(p) for p in self.run.manifest.paths(stage, name))

    def rows(self, name):
        return self.table("dedup_clusters", name).to_pylist()

    def edges(self):
        """Similarity of each edge, by its two page_ids in either order."""
        rows = self.rows("edges")
        return {frozenset((r["left_id"], r["right_id"])): r["similarity"] for r in rows}

    def partition(self):
        members = defaultdict(set)
        for row in self.rows("clusters"):
            members[row["cluster_id"]].add(row["page_id"])
        return {frozenset(m) for m in members.values()}


def rows_of(texts, sites=7):
    return [(hash_id(f"{i}"), f"site{i % sites}.example", text) for i, text in enumerate(texts)]


def cut(rows, *sizes):
    parts, at = [], 0
    for size in sizes:
        parts.append(rows[at : at + size])
        at += size
    return [*parts, rows[at:]]


@pytest.fixture(scope="module")
def tokens():
    return collection(1)


@pytest.fixture(scope="module")
def done(tokens, tmp_path_factory):
    rows = rows_of(map(joined, tokens))
    return Done(tmp_path_factory.mktemp("done"), cut(rows, 50, 0, 3))


def test_signatures_are_datasketch_s_row_for_row(done, tokens):
    table = done.table("dedup", "signatures")
    assert table["page_id"].to_pylist() == [row[0] for row in rows_of(tokens)]
    for text, row in zip(map(joined, tokens), table.to_pylist(), strict=True):
        theirs = MinHash(num_perm=128, seed=1, scheme="affine32", hashfunc=int)
        theirs.update_batch(folded(shingle_hashes(text)).tolist())
        assert row["signature"] == theirs.hashvalues.astype("<u4").tobytes()
        assert row["shingles"] == theirs_count(text)


def theirs_count(text):
    words = list(text) if text[0] in HAN else text.split()
    return len({tuple(words[i : i + 5]) for i in range(max(1, len(words) - 4))})


def test_edges_are_what_brute_force_finds_and_nothing_else(done, tokens):
    true = {pair: j for pair, j in similarities(tokens).items() if j >= 0.7}
    hashes = bands(signatures([joined(t) for t in tokens]))
    sharing = {p for p in true if (hashes[p[0]] == hashes[p[1]]).any()}
    rows = done.rows("edges")
    found = {(r["left"], r["right"]): r["similarity"] for r in rows}
    assert [(r["left"], r["right"]) for r in rows] == sorted(found)
    assert len(true) > 100 and any(j < 0.75 for j in true.values())
    assert set(found) == sharing
    assert len(sharing) >= 0.998 * len(true)
    assert all(found[p] == np.float32(true[p]) for p in found)


def test_clusters_are_the_connected_components_of_the_edges(done, tokens):
    edges = done.table("dedup_clusters", "edges")
    n = len(tokens)
    graph = coo_matrix((np.ones(edges.num_rows), (edges["left"], edges["right"])), (n, n))
    count, label = connected_components(graph, directed=False)
    rows = done.rows("clusters")
    given = rows_of(tokens)
    assert [r["page_id"] for r in rows] == [page_id for page_id, _, _ in given]
    members = defaultdict(list)
    for place, one in enumerate(label):
        members[one].append(place)
    for places in members.values():
        sites = {given[p][1] for p in places}
        expected = (given[places[0]][0], len(places), len(sites), len(places))
        for p in places:
            row = rows[p]
            seen = row["cluster_id"], row["cluster_size"], row["sites"], row["captures"]
            assert seen == expected
    counts = done.run.manifest.stages["dedup_clusters"].counts
    assert counts["duplicates"] == n - count
    assert counts["clusters"] == sum(len(m) > 1 for m in members.values())
    assert counts["edges"] == edges.num_rows


@pytest.mark.parametrize("hot_group", [100, 2])
def test_files_order_buckets_and_passes_change_nothing(
    hot_group, done, tokens, tmp_path, monkeypatch
):
    section = Dedup(hot_group=hot_group)
    rows = rows_of(map(joined, tokens))
    one = done if hot_group == 100 else Done(tmp_path / "one", [rows], section)
    random.Random(5).shuffle(rows)
    monkeypatch.setattr(dedup_pairs, "ROWS_A_BUCKET", 700)
    monkeypatch.setattr(dedup_pairs, "PASS_BYTES", 100_000)
    monkeypatch.setattr(dedup_clusters, "BATCH_BYTES", 20_000)
    other = Done(tmp_path / "other", cut(rows, 10, 40, 1, 30), section)
    buckets = other.run.manifest.tables("dedup_pairs", "candidates")
    assert len(buckets) * 700 * dedup_pairs.ROW_BYTES > 3 * dedup_pairs.PASS_BYTES
    assert other.edges() == one.edges()
    assert other.partition() == one.partition()


def test_texts_without_words_and_short_ones_make_no_giant_cluster(tmp_path):
    texts = [""] * 40 + [" \n"] * 5 + ["— … !?"] * 20 + ["404 Not Found"] * 30
    texts += ["403 Not Found"] * 3 + ["404  not found!"] + [f"word{i}" for i in range(20)]
    done = Done(tmp_path, cut(rows_of(texts), 60))
    sizes = [row["cluster_size"] for row in done.rows("clusters")]
    assert sizes == [1] * 65 + [31] * 30 + [3] * 3 + [31] + [1] * 20
    assert done.run.manifest.stages["dedup"].counts["wordless"] == 65


@pytest.mark.parametrize("texts", [[], [""], ["one text alone in the world"]])
def test_little_in_little_out(texts, tmp_path):
    done = Done(tmp_path, [rows_of(texts)])
    assert done.rows("edges") == []
    assert [row["cluster_size"] for row in done.rows("clusters")] == [1] * len(texts)


@pytest.fixture(scope="module")
def template():
    """3,000 pages that share 300 of their 400 words, every 60th a copy of one before it."""
    rng = random.Random(3)
    shared, pages, copies = prose(rng, 300), [], []
    for place in range(3000):
        if place % 60 == 59:
            copies.append((rng.randrange(place), place))
            pages.append(edited(rng, pages[copies[-1][0]], rng.randint(0, 6)))
        else:
            pages.append([*shared, *(f"x{rng.randrange(10**9)}" for _ in range(100))])
    return pages, copies


def test_a_band_that_a_template_fills_costs_little_and_hides_no_copy(template):
    pages, copies = template
    signed = signatures([" ".join(page) for page in pages])
    order = np.random.default_rng(0).integers(0, 2**63, len(pages), dtype=np.uint64)
    rows = dedup_sketch.band_rows(signed, 32, 0, order)
    _, sizes = np.unique(rows.hash, return_counts=True)
    assert sizes.max() > 1500, "the test means to have hot bands"
    left, right = dedup_sketch.candidate_pairs(rows, Dedup())
    assert len(left) < 32 * dedup_sketch.PARTNERS * len(pages) / 2  # all pairs: 4.5 million
    assert set(copies) <= set(zip(left.tolist(), right.tolist(), strict=True))


@pytest.mark.parametrize("edits", [0, 1])
def test_no_cluster_hangs_on_one_leader(edits):
    """Copies in a hot band stay together when a filter takes out a few of them, any few."""
    rng = random.Random(4)
    base = prose(rng, 300)
    texts = [" ".join(edited(rng, base, edits)) for _ in range(300)]
    order = np.random.default_rng(0).integers(0, 2**63, 300, dtype=np.uint64)
    rows = dedup_sketch.band_rows(signatures(texts), 32, 0, order)
    left, right = dedup_sketch.candidate_pairs(rows, Dedup(hot_group=10))
    assert len(left) < 300 * (10 if edits == 0 else 60)  # of 44,850
    degree = np.bincount(np.concatenate((left, right)), minlength=300)
    gone = np.argsort(-degree)[:3]
    stay = ~(np.isin(left, gone) | np.isin(right, gone))
    graph = coo_matrix((np.ones(stay.sum()), (left[stay], right[stay])), (300, 300))
    count, _ = connected_components(graph, directed=False)
    assert count == 1 + len(gone)


@given(st.integers(0, 10**6), st.sampled_from([16, 100, 128, 256]), st.sampled_from([0.5, 0.7, 1]))
def test_sketches_lose_no_likely_pair(seed, num_perm, threshold):
    """Every pair of a band whose two-bit estimate is within the margin, in any order of rows."""
    rng = np.random.default_rng(seed)
    values = rng.integers(0, 2**32, (12, num_perm), dtype=np.uint32)
    for i in range(1, 12):  # copies with some values drawn anew
        keep = rng.random(num_perm) < rng.choice([0.4, 0.6, 0.8, 1.0])
        values[i, keep] = values[rng.integers(i), keep]
    signed = Signatures(values, np.ones(12, np.int32))
    rows = dedup_sketch.band_rows(signed, num_perm // 4, 0, np.arange(12, dtype=np.uint64))
    section = Dedup(num_perm=num_perm, bands=num_perm // 4, threshold=threshold)
    shuffled = dedup_sketch.take(rows, rng.permutation(len(rows.hash)))
    left, right = dedup_sketch.candidate_pairs(shuffled, section)
    found = list(zip(left.tolist(), right.tolist(), strict=True))
    used = min(num_perm, 128)
    bits = (values[:, :used] * np.uint32(0x9E3779B1)) >> np.uint32(30)
    seen = threshold + (1 - threshold) / 4
    error = (seen * (1 - seen) / used) ** 0.5 / 0.75
    least = threshold - dedup_sketch.TAILS * error
    hashes = bands(signed, num_perm // 4)
    expected = [
        (i, j)
        for i, j in combinations(range(12), 2)
        if (hashes[i] == hashes[j]).any() and 1 - (bits[i] != bits[j]).mean() / 0.75 >= least - 1e-9
    ]
    assert found == expected


def test_the_margins_lose_less_than_one_in_a_thousand_at_the_threshold():
    """Short texts included, whose values hang together by their few shingles."""
    rng = np.random.default_rng(2)
    for own, shared in ((1, 5), (3, 14), (90, 420)):  # J .714, .700, .700
        n = 8000
        hashes = rng.integers(1, 2**63, (n, 2 * own + shared), dtype=np.uint64)
        sides = hashes[:, own:], np.delete(hashes, np.s_[own : 2 * own], axis=1)
        a, b = (
            sign(ShingleSets(np.ascontiguousarray(s).ravel(), np.arange(n + 1) * s.shape[1]))
            for s in sides
        )
        estimate = (a.values == b.values).mean(axis=1)
        apart = dedup_sketch.sketches(a) ^ dedup_sketch.sketches(b)
        unequal = np.bitwise_count(apart[:, :2] | apart[:, 2:]).sum(axis=1)
        lost = (estimate < 0.7 - dedup_sketch.margin(0.7, 128)) | (
            1 - unequal / 96 < 0.7 - dedup_sketch.margin(0.7, 128, 0.25)
        )
        assert lost.mean() < 1e-3


@given(
    st.lists(st.tuples(st.integers(0, 9), st.integers(0, 9)), max_size=30),
    st.lists(st.integers(0, 5), min_size=10, max_size=10),
    st.integers(1, 20),
)
def test_batches_hold_no_more_than_their_limit(pairs, weight, limit):
    left, right = (np.array([p[side] for p in pairs], np.int64) for side in (0, 1))
    pairs_ok = left != right
    left, right = left[pairs_ok], right[pairs_ok]
    cuts = list(dedup_clusters.batches(left, right, np.array(weight), limit))
    assert [i for s in cuts for i in range(s.start, s.stop)] == list(range(len(left)))
    for s in cuts:
        docs = set(left[s].tolist()) | set(right[s].tolist())
        assert s.stop - s.start == 1 or sum(weight[d] for d in docs) <= limit


def test_a_new_threshold_keeps_the_signatures(done):
    def keys(section, stage):
        state = Run(done.run.dir, Recipe(input="none", dedup=section), Engine(), done.run.manifest)
        return [unit.key for unit in stage.plan(state)]

    other = Dedup(threshold=0.8)
    assert keys(other, dedup) == keys(Dedup(), dedup)
    assert set(keys(other, dedup_pairs)).isdisjoint(keys(Dedup(), dedup_pairs))
    assert keys(other, dedup_clusters) != keys(Dedup(), dedup_clusters)
    assert keys(Dedup(seed=2), dedup) != keys(Dedup(), dedup)


# --- gristmill dedup ----------------------------------------------------------------------------


def jsonl(path, rows):
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return str(path)


def marked(source, out, **options):
    mark(source, str(out), **options)
    return {row["id"]: row for row in pq.read_table(out).to_pylist()}


def test_of_each_cluster_the_longest_text_is_kept_and_the_rest_name_it(tmp_path):
    rng = random.Random(8)
    base = prose(rng, 120)
    short, longer = base[:-8], [*base, "one", "more"]
    texts = {
        "short": short, "long": longer, "other": prose(rng, 120), "exact": short,
        "empty": [], "word": ["hello"], "blank": [],
    }  # fmt: skip
    rows = [{"id": name, "text": joined(t), "lang": "en"} for name, t in texts.items()]
    rows[3]["text"] = rows[3]["text"].replace(" ", "\n ")
    rows[6]["text"] = " \t"
    found = marked(jsonl(tmp_path / "in.jsonl", rows), tmp_path / "out.parquet")
    assert list(found) == list(texts)
    j = pytest.approx(similarities([short, longer])[0, 1], abs=1e-6)

    def kept(cluster):
        return {"cluster_id": cluster, "kept": True, "similarity": None, "partner": None}

    def copy(cluster, similarity, partner):
        return kept(cluster) | {"kept": False, "similarity": similarity, "partner": partner}

    expected = {
        "short": copy("short", j, "long"),
        "long": kept("short"),
        "other": kept("other"),
        "exact": copy("short", j, "long"),
        "empty": kept("empty"),
        "word": kept("word"),
        "blank": copy("empty", 1.0, "empty"),
    }
    assert found == {name: {"id": name, **row} for name, row in expected.items()}
    assert not (tmp_path / "out.parquet.work").exists()


def test_jsonl_and_parquet_are_marked_alike_and_rows_without_id_are_numbered(tokens, tmp_path):
    texts = [joined(t) for t in tokens]
    jsonl(tmp_path / "a.jsonl", [{"text": t} for t in texts])
    pq.write_table(pa.table({"text": texts, "more": texts}), tmp_path / "b.parquet")
    a = marked(str(tmp_path / "a.jsonl"), tmp_path / "a.out.parquet")
    b = marked(str(tmp_path / "b.parquet"), tmp_path / "b.out.parquet")
    assert a == b and list(a) == [str(i) for i in range(len(texts))]


def test_a_mark_is_true_of_its_partner(done, tokens, tmp_path):
    rows = [{"id": page_id, "text": text} for page_id, _, text in rows_of(map(joined, tokens))]
    counts = mark(jsonl(tmp_path / "in.jsonl", rows), str(tmp_path / "out.parquet"))
    table = pq.read_table(tmp_path / "out.parquet").to_pylist()
    place = {row["id"]: i for i, row in enumerate(rows)}
    true = similarities(tokens)
    members = defaultdict(list)
    for row in table:
        members[row["cluster_id"]].append(row)
    assert {frozenset(m["id"] for m in ms) for ms in members.values()} == done.partition()
    for cluster in members.values():
        [kept] = [row for row in cluster if row["kept"]]
        first = max(cluster, key=lambda r: (len(rows[place[r["id"]]]["text"]), -place[r["id"]]))
        assert kept["id"] == first["id"] and kept["similarity"] is kept["partner"] is None
        for row in cluster:
            if row is not kept:
                pair = tuple(sorted((place[row["id"]], place[kept["id"]])))
                assert row["partner"] == kept["id"]
                assert row["similarity"] == pytest.approx(true.get(pair, 0), abs=1e-6)
    kept_rows = sum(row["kept"] for row in table)
    assert (counts["documents"], counts["kept"]) == (len(rows), kept_rows)


@pytest.mark.parametrize(
    ("content", "says"),
    [
        ('{"id": "a", "text": "x"}\n{"id": "b"}\n', "in.jsonl: row 1: needs a string 'text'"),
        ('{"id": "a", "text": "x"}\n{"id": "b", "text":\n', "in.jsonl: row 1: not JSON"),
        ('{"text": "x"}\n{"html": "<p>x"}\n', "in.jsonl: row 1: needs a string 'text'"),
        ('{"id": 1, "text": "x"}\n{"id": "1", "text": "y"}\n', "rows 0 and 1 have the same id"),
        ("just words\n", "give JSONL or Parquet"),
    ],
)
def test_bad_input_is_one_line_and_leaves_nothing(content, says, tmp_path):
    (tmp_path / "in.jsonl").write_text(content)
    with pytest.raises(UserError, match=says) as error:
        mark(str(tmp_path / "in.jsonl"), str(tmp_path / "out.parquet"))
    assert "\n" not in str(error.value)
    assert [p.name for p in tmp_path.iterdir()] == ["in.jsonl"]


def test_wrong_requests_are_one_line(tmp_path):
    source = jsonl(tmp_path / "in.jsonl", [])
    with pytest.raises(UserError, match=r"name it OUT\.parquet"):
        mark(source, str(tmp_path / "out.csv"))
    with pytest.raises(UserError, match="no such file"):
        mark(str(tmp_path / "gone.jsonl"), str(tmp_path / "out.parquet"))
    with pytest.raises(UserError, match=r"key 'dedup\.bands': 32 bands"):
        mark(source, str(tmp_path / "out.parquet"), Dedup(num_perm=16))


def test_no_rows_and_half_a_surrogate_pair(tmp_path):
    assert marked(jsonl(tmp_path / "in.jsonl", []), tmp_path / "out.parquet") == {}
    rows = [{"id": "\ud800", "text": "a \ud800 b"}, {"id": "b", "text": "b"}]
    assert len(marked(jsonl(tmp_path / "in.jsonl", rows), tmp_path / "out.parquet")) == 2
