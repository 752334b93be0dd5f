"""rank: the sites table against networkx, what counts as a link, and the plain command."""

from __future__ import annotations

import gzip
import json
from itertools import pairwise
from pathlib import Path

import networkx as nx
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipelines import recipe as recipes
from pipelines import run as runs
from pipelines.engine.runners import Engine
from pipelines.errors import RunError, UserError
from pipelines.inspect.db import rows as ask
from pipelines.inspect.verify import verify
from pipelines.plain.rank import COLUMNS, Ranked, rank
from pipelines.recipe import Rank
from pipelines.stages.rank_scores import counted, fold, gather, score, score_graph
from pipelines.store import schemas
from pipelines.store.tables import write_table
from tests.crawls import Crawl, html, prose

SAMPLES = Path(__file__).resolve().parent.parent / "data_samples"
CORE = ["sevenwells-foundation.org", "quietestuary-notes.org", "nebelkorn-magazin.de",
        "siniy-samovar-zhurnal.ru", "qingshi-zhaji.cn", "yamabiko-bunko.or.jp",
        "elfaroldebrumasol.es"]  # fmt: skip
"""Good sites of the sample crawl, one or two a language."""

# Site -> ICANN domain, as publicsuffix.org has it: two organisations with several sites, an address
# and a name without a public suffix, which are organisations of their own.
ORGANISATION = {
    "ada.github.io": "github.io", "bob.github.io": "github.io", "github.io": "github.io",
    "x.blogspot.com": "blogspot.com", "y.blogspot.com": "blogspot.com",
    "example.com": "example.com", "example.org": "example.org", "bbc.co.uk": "bbc.co.uk",
    "city.kawasaki.jp": "city.kawasaki.jp", "xn--bcher-kva.example.de": "example.de",
    "192.0.2.1": "192.0.2.1", "localhost": "localhost",
}  # fmt: skip
NAMES = sorted(ORGANISATION)


def links_table(pairs):
    """Rows (source, target, links, nofollow_links) as a links table."""
    columns = list(zip(*pairs, strict=True)) if pairs else [()] * 4
    return pa.table([pa.array(c) for c in columns], names=schemas.LINKS.names).cast(schemas.LINKS)


@st.composite
def pairs(draw):
    one = st.tuples(
        st.sampled_from(NAMES), st.sampled_from(NAMES), st.integers(1, 4), st.integers(0, 4)
    )
    return [(s, t, n, min(n, nofollow)) for s, t, n, nofollow in draw(st.lists(one, max_size=60))]


def graph_of(pairs, section):
    graph = nx.DiGraph()
    for source, target, links, nofollow in pairs:
        abroad = ORGANISATION[source] != ORGANISATION[target] or section.same_organisation
        if source != target and abroad and (section.nofollow or links > nofollow):
            graph.add_edge(source, target)
    return graph


def assert_same_scores(table, graph, damping=0.85, trusted=()):
    names = sorted(graph)
    assert table["site"].to_pylist() == names

    def compare(column, expected, most):
        found = table[column].to_numpy()
        assert np.abs(found - [expected[name] for name in names]).max(initial=0) <= most, column

    settle = {"tol": 1e-13 / max(len(names), 1), "max_iter": 5000}
    compare("in_sites", dict(graph.in_degree()), 0)
    compare("out_sites", dict(graph.out_degree()), 0)
    compare("pagerank", nx.pagerank(graph, damping, **settle), 1e-12)
    compare("harmonic", nx.harmonic_centrality(graph), 1e-12)
    if set(trusted) & set(names):
        personal = dict.fromkeys(trusted, 1)
        compare("trust", nx.pagerank(graph, damping, personalization=personal, **settle), 1e-12)


@settings(max_examples=40)
@given(pairs(), st.booleans(), st.booleans(), st.sampled_from([0.5, 0.85, 0.95]))
def test_scores_equal_networkx_on_the_folded_graph(pairs, nofollow, same, damping):
    section = Rank(nofollow=nofollow, same_organisation=same, damping=damping)
    graph = graph_of(pairs, section)
    trusted = sorted(graph)[:2]
    found = score(links_table(pairs), section, trusted)
    assert found.schema == schemas.SITES
    assert_same_scores(found, graph, damping, trusted)
    assert found["icann_domain"].to_pylist() == [ORGANISATION[site] for site in sorted(graph)]
    assert set(found["authority_tier"].to_pylist()) <= {"head", "middle", "fringe"}


@settings(max_examples=20)
@given(pairs(), st.lists(st.integers(0, 60), max_size=4), st.randoms(use_true_random=False))
def test_neither_cut_nor_order_of_the_units_changes_a_byte(tmp_path_factory, pairs, cuts, random):
    section = Rank()
    folder = str(tmp_path_factory.mktemp("sites"))

    def written(units):
        graph = fold(gather(counted(links_table(u), section) for u in units), section)
        table = score_graph(graph, section, [])
        return write_table(folder, "sites", "sites", table).sha256, graph.links

    mixed = random.sample(pairs, len(pairs))
    bounds = [0, *sorted(cuts), len(pairs)]
    units = [mixed[a:b] for a, b in pairwise(bounds)]
    # a pair's links may be counted apart, as those of two files of one crawl are
    apart = [[(s, t, 1, int(i < no)) for s, t, n, no in u for i in range(n)] for u in units]
    assert written(units) == written([pairs])
    assert written(apart) == written([pairs])


def test_what_counts_as_a_link():
    table = links_table(
        [
            ("example.com", "example.org", 2, 2),  # nofollow
            ("example.com", "bbc.co.uk", 2, 1),  # one of two followed
            ("ada.github.io", "bob.github.io", 5, 0),  # one organisation
            ("bbc.co.uk", "bbc.co.uk", 9, 0),  # itself
        ]
    )
    assert score(table, Rank(), [])["site"].to_pylist() == ["bbc.co.uk", "example.com"]
    followed = fold(counted(table, Rank()), Rank())
    assert (len(followed.source), followed.links) == (1, 1)
    every = Rank(nofollow=True, same_organisation=True)
    graph = fold(counted(table, every), every)
    assert (len(graph.source), graph.links) == (3, 9)
    assert score(links_table([]), Rank(), ["example.org"]).num_rows == 0


def test_tiers_follow_the_cuts_and_a_cut_left_out_keeps_its_default():
    # a chain: each site is reached by all before it, so the last has the highest centrality
    sites = [f"{chr(97 + i)}.org" for i in range(11)]
    table = links_table([(a, b, 1, 0) for a, b in pairwise(sites)])
    found = score(table, Rank(tiers={"head": 0.9, "middle": 0.5}), [])
    assert found["authority_tier"].to_pylist() == ["fringe"] * 5 + ["middle"] * 4 + ["head"] * 2
    assert found["harmonic_pct"].to_pylist() == [i / 10 for i in range(11)]
    found = score(table, Rank(tiers={"head": 0.9}), [])
    assert found["authority_tier"].to_pylist() == ["fringe"] * 8 + ["middle"] + ["head"] * 2


def test_many_sites_are_scored_from_a_sample_of_sources():
    rng = np.random.default_rng(3)
    sites = [f"s{i:03d}.org" for i in range(400)]
    ends = rng.integers(0, 400, (4000, 2)) % [400, 90]
    table = links_table([(sites[a], sites[b], 1, 0) for a, b in ends if a != b])
    exact = score(table, Rank(harmonic_samples=400), [])["harmonic"].to_numpy()
    sampled = score(table, Rank(harmonic_samples=100), [])["harmonic"].to_numpy()
    assert (sampled != exact).any()
    assert abs(sampled[exact > 0] / exact[exact > 0] - 1).mean() < 0.1


def farm_and_friends():
    """Four good sites that link each other; thirty boosters that link one target, which pays back;
    one good site was fooled into a link to it."""
    good = [f"good{i}.org" for i in range(4)]
    links = [(a, b) for a in good for b in good if a != b] + [("good3.org", "target.com")]
    for i in range(30):
        links += [(f"boost{i}.com", "target.com"), ("target.com", f"boost{i}.com")]
    return [(*pair, 1, 0) for pair in [*links, ("good0.org", "leaf.org")]]


def test_spam_mass_is_that_of_the_paper_and_finds_the_farm():
    pairs, damping, core = farm_and_friends(), 0.85, ["good0.org", "good1.org"]
    found = score(links_table(pairs), Rank(damping=damping), core)
    names = found["site"].to_pylist()
    # the paper's linear PageRank, solved outright: what reaches a site without links is lost
    n = len(names)
    moves = np.zeros((n, n))
    for source, target, *_ in pairs:
        moves[names.index(target), names.index(source)] = 1
    moves /= np.maximum(moves.sum(0), 1)
    everywhere = np.full(n, 1 / n)
    of_core = np.isin(names, core) * 0.85 / len(core)
    p, p_core = (
        np.linalg.solve(np.eye(n) - damping * moves, (1 - damping) * jump)
        for jump in (everywhere, of_core)
    )
    np.testing.assert_allclose(found["spam_mass"].to_numpy(), (p - p_core) / p, atol=1e-9)
    mass = dict(zip(names, found["spam_mass"].to_pylist(), strict=True))
    rank_of = dict(zip(names, found["pagerank_pct"].to_pylist(), strict=True))
    assert rank_of["target.com"] == 1
    assert mass["target.com"] > 0.8 > 0 > mass["leaf.org"] > mass["good0.org"]
    without = score(links_table(pairs), Rank(), [])
    assert without["trust"].null_count == without["spam_mass"].null_count == n


# --- the stage in a run ---------------------------------------------------------------------------


def small_web():
    """Five sites in a ring with chords; two blogs of one organisation; a nofollow link."""
    crawl = Crawl()
    sites = [f"https://www.site{i}.org" for i in range(5)]
    sites += ["https://ada.github.io", "https://bob.github.io"]
    for i, site in enumerate(sites):
        for page in range(3):
            to = sites[(i + page + 1) % len(sites)]
            links = (
                f'<p><a href="{to}/1">next</a> <a rel=nofollow href="https://ad.com/">ad</a></p>'
            )
            crawl.page(f"{site}/{page}", html(f"Page {i} {page}", prose((i, page)) + links))
    return crawl


def finish(files, out, **section):
    data = {"input": [str(f) for f in files], "extract": {"links_only": True}, "rank": section}
    return runs.run(recipes.Recipe.model_validate(data), str(out), Engine("local", 1))


def site_rows(run):
    return pq.read_table(run.paths("rank", "sites")[0]).to_pylist()


def test_a_run_ranks_the_sites_of_its_links(tmp_path):
    whole = finish(small_web().write(tmp_path / "crawl"), tmp_path / "run")
    assert verify(whole) == []
    ring = [f"site{i}.org" for i in range(5)] + ["ada.github.io", "bob.github.io"]
    graph = nx.DiGraph(
        (a, ring[(i + k) % 7]) for i, a in enumerate(ring) for k in (1, 2, 3)
    )  # fmt: skip
    graph.remove_edge("ada.github.io", "bob.github.io")
    assert_same_scores(pq.read_table(whole.paths("rank", "sites")[0]), graph)
    assert whole.stages["rank"].counts == {"sites": 7, "edges": 20, "links": 20}
    assert ask(whole, "SELECT count(*) n FROM sites WHERE icann_domain = 'github.io'") == [{"n": 2}]

    # three files instead of one: the same bytes
    files = small_web().write(tmp_path / "cut", 3)
    cut = finish(files, tmp_path / "run2")
    [one], [other] = (run.tables("rank", "sites") for run in (whole, cut))
    assert one == other

    # another section: rank alone runs again; the old one again: nothing does
    followed = finish(files, tmp_path / "run2", nofollow=True)
    assert "ad.com" in [row["site"] for row in site_rows(followed)]
    assert followed.stages["extract"] == cut.stages["extract"]
    journal = sorted((tmp_path / "run2/journal/rank").iterdir())
    assert finish(files, tmp_path / "run2").stages == cut.stages
    assert sorted((tmp_path / "run2/journal/rank").iterdir()) == journal and len(journal) == 2


def test_a_trusted_list_that_cannot_help_is_said_on_one_line(tmp_path):
    files = small_web().write(tmp_path / "crawl")
    absent, broken, empty, other = (tmp_path / f"{n}.txt" for n in ("no", "broken", "empty", "far"))
    broken.write_text("site1.org\n\n# comment\nhttps://site2.org/\n")
    empty.write_text("# nothing yet\n")
    other.write_text("elsewhere.org\n")
    for path, problem in (
        (absent, "No such file"),
        (broken, r"line 4: 'https://site2.org/' is no host name"),
        (empty, "no site in it"),
    ):
        with pytest.raises(UserError, match=problem) as error:
            finish(files, tmp_path / "run", trusted=str(path))
        assert str(error.value).startswith(f"key 'rank.trusted': {path}")
        assert "\n" not in str(error.value)
    assert not (tmp_path / "run/extract").exists(), "found before anything was read"
    with pytest.raises(UserError, match=r"key 'rank\.tiers': .*middle <= head"):
        finish(files, tmp_path / "run", tiers={"head": 0.5, "middle": 0.9})
    with pytest.raises(RunError, match="none of the 1 trusted sites is in the link graph") as error:
        finish(files, tmp_path / "run", trusted=str(other))
    assert str(error.value).startswith(f"key 'rank.trusted': {other}")
    assert "\n" not in str(error.value)
    # the list is hashed by what it says: a comment more is the same list
    other.write_text("www.site1.org\n")  # folded to its site, as the links are
    first = finish(files, tmp_path / "run", trusted=str(other))
    other.write_text("# checked\nsite1.org")
    assert finish(files, tmp_path / "run", trusted=str(other)).stages == first.stages
    assert first.stages["rank"].counts["trusted"] == 1
    other.write_text("site2.org")
    second = finish(files, tmp_path / "run", trusted=str(other))
    for run, site in ((first, "site1.org"), (second, "site2.org")):
        assert max(site_rows(run), key=lambda row: row["trust"])["site"] == site


def test_no_spam_site_of_the_sample_crawl_is_head(tmp_path):
    truth = [json.loads(line) for line in (SAMPLES / "sites.jsonl").read_text("utf-8").splitlines()]
    spam = {site["site"] for site in truth if site["spam"]}
    core = tmp_path / "trusted.txt"
    core.write_text("\n".join(CORE))
    run = finish(sorted((SAMPLES / "crawl").iterdir()), tmp_path / "run", trusted=str(core))
    rows = {row["site"]: row for row in site_rows(run)}
    assert spam < set(rows)
    heads = [site for site, row in rows.items() if row["authority_tier"] == "head"]
    assert heads and not spam & set(heads)
    # parked domains link in a ring that nobody else links to
    parked = [rows[site["site"]] for site in truth if site["role"] == "parked"]
    assert {row["authority_tier"] for row in parked} == {"fringe"}
    assert max(row["trust"] for row in parked) < 1e-12
    assert min(row["spam_mass"] for row in parked) > 1 - 1e-9
    # of sites that anybody links to, spam mass tells the spam from what the core does not name
    linked = {site: row["spam_mass"] for site, row in rows.items() if row["in_sites"]}
    good = np.array([mass for site, mass in linked.items() if site not in {*spam, *CORE}])
    bad = np.array([linked[site] for site in spam])
    assert (bad[:, None] > good).mean() > 0.8


# --- the plain command ----------------------------------------------------------------------------

EDGES = [
    ("WWW.Example.com.", "blog.example.org"), ("www.example.com:80", "blog.example.org"),
    ("www.example.com", "example.com"), ("ada.github.io", "bob.github.io"),
    ("bob.github.io", "www.example.com"), ("example.com", "bbc.co.uk"),
    ("bücher.example.de", "ada.github.io"), ("blog.example.org", "blog.example.org"),
    ("news.bbc.co.uk", "bücher.example.de"), ("example.com", "192.0.2.1"), ("localhost", "bbc.com"),
]  # fmt: skip
CLEAN = {"WWW.Example.com.": "www.example.com", "www.example.com:80": "www.example.com",
         "bücher.example.de": "xn--bcher-kva.example.de"}  # fmt: skip
SITE = {"www.example.com": "example.com", "blog.example.org": "example.org",
        "xn--bcher-kva.example.de": "example.de", "news.bbc.co.uk": "bbc.co.uk"}  # fmt: skip
DOMAIN = {"ada.github.io": "github.io", "bob.github.io": "github.io"}


def write_edges(path, edges=EDGES, names=("source", "target"), **options):
    columns = list(zip(*edges, strict=True)) if edges else [(), ()]
    table = pa.table([pa.array(c, pa.string()) for c in columns], names=list(names))
    pq.write_table(table, path, **options)
    return str(path)


def expected_graph(level):
    graph = nx.DiGraph()
    for pair in EDGES[:-2]:  # an address and a name of one label are no hosts
        source, target = (CLEAN.get(name, name) for name in pair)
        if level != "host":
            source, target = (SITE.get(name, name) for name in (source, target))
            if DOMAIN.get(source, source) == DOMAIN.get(target, target):
                continue
        if level == "domain":
            source, target = (DOMAIN.get(name, name) for name in (source, target))
        if source != target:
            graph.add_edge(source, target)
    return graph


@pytest.mark.parametrize("level", ["host", "site", "domain"])
def test_plain_edges_equal_networkx_on_every_level(tmp_path, level):
    edges = write_edges(tmp_path / "edges.parquet", row_group_size=3)
    core = tmp_path / "core.txt"
    core.write_text("ada.github.io\nnot-there.org\n")
    out = tmp_path / "out.parquet"
    ranked = rank(edges, str(out), level, str(core))
    found, graph = pq.read_table(out), expected_graph(level)
    assert found.column_names == COLUMNS
    trusted = ["github.io" if level == "domain" else "ada.github.io"]
    assert_same_scores(found, graph, trusted=trusted)
    assert ranked == Ranked(len(graph), graph.number_of_edges(), len(EDGES), dropped=2)


def test_text_and_parquet_of_any_string_type_give_the_same_bytes(tmp_path):
    rank(write_edges(tmp_path / "e.parquet"), str(tmp_path / "a.parquet"))
    table = pq.read_table(tmp_path / "e.parquet")
    table = table.append_column("weight", pa.array(range(len(EDGES))))
    large = table.set_column(0, "source", table["source"].cast(pa.large_string()))
    large = large.set_column(1, "target", large["target"].dictionary_encode())
    pq.write_table(large, tmp_path / "large.parquet")
    lines = [f"{s}\t{t}\n" for s, t in EDGES[:5]] + [f"  {s}   {t}\r\n" for s, t in EDGES[5:]]
    text = "# from to\n\n" + "".join(reversed(lines))
    (tmp_path / "e.tsv").write_text(text, "utf-8")
    (tmp_path / "e.txt.gz").write_bytes(gzip.compress(text.encode()))
    wanted = (tmp_path / "a.parquet").read_bytes()
    for name in ("large.parquet", "e.tsv", "e.txt.gz"):
        ranked = rank(str(tmp_path / name), str(tmp_path / "b.parquet"))
        assert (tmp_path / "b.parquet").read_bytes() == wanted, name
        assert (ranked.rows, ranked.dropped) == (len(EDGES), 2), name


def test_lines_without_two_names_and_nulls_are_dropped_and_counted(tmp_path):
    lines = ["a.org b.org", "a.org", "a.org b.org 3", "source target", "b.org c.org"]
    (tmp_path / "e.txt").write_text("\n".join(lines))
    out = str(tmp_path / "out.parquet")
    assert rank(str(tmp_path / "e.txt"), out) == Ranked(3, 2, 5, dropped=3)
    edges = [("a.org", "b.org"), (None, "b.org"), ("b.org", None), ("", "a.org")]
    assert rank(write_edges(tmp_path / "e.parquet", edges), out) == Ranked(2, 1, 4, dropped=3)
    assert rank(write_edges(tmp_path / "none.parquet", []), out) == Ranked(0, 0, 0, 0)
    assert pq.read_table(out).num_rows == 0


def test_plain_errors_are_one_line_that_names_the_file(tmp_path):
    out = str(tmp_path / "out.parquet")
    wrong = write_edges(tmp_path / "wrong.parquet", names=("source", "to"))
    numbers = tmp_path / "numbers.parquet"
    pq.write_table(pa.table({"source": [1], "target": [2]}), numbers)
    ids = tmp_path / "ids.txt"
    ids.write_text("0 1\n1 2\n")
    cut = tmp_path / "cut.gz"
    cut.write_bytes(gzip.compress(b"a.org b.org\n" * 9000)[:60])
    half = tmp_path / "half.parquet"
    half.write_bytes(Path(wrong).read_bytes()[:-9])
    edges = write_edges(tmp_path / "edges.parquet")
    far = tmp_path / "far.txt"
    far.write_text("elsewhere.org\n")
    for source, options, problem in (
        (wrong, {}, r"wrong.parquet: no column 'target'; its columns are source, to"),
        (numbers, {}, r"numbers.parquet: column 'source' is int64"),
        (ids, {}, r"ids.txt: none of its 2 rows holds two host names \(the first: '0' and '1'\)"),
        (cut, {}, "cut.gz: cannot be read"),
        (half, {}, "half.parquet: cannot be read"),
        (tmp_path / "absent.tsv", {}, "absent.tsv: cannot be read: No such file"),
        (edges, {"level": "page"}, "--level page: not a level; levels are host, site, domain"),
        (edges, {"out": "x.csv"}, "x.csv: the output is Parquet"),
        (edges, {"trusted": str(tmp_path / "gone")}, "--trusted: .*gone: cannot be read"),
        (edges, {"trusted": str(far)}, "far.txt: none of the 1 trusted sites .*level host"),
    ):
        with pytest.raises(UserError, match=problem) as error:
            rank(str(source), **{"out": out, **options})
        assert "\n" not in str(error.value)
    assert not Path(out).exists()
