"""Harmonic centrality against networkx; percentiles and tiers by hand."""

from __future__ import annotations

import networkx as nx
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from graph_rank.authority import harmonic, percentile, quantised, tiers


@st.composite
def graphs(draw):
    n = draw(st.integers(1, 90))  # more than 64: more than one word of sources
    node = st.integers(0, n - 1)
    return draw(st.lists(st.tuples(node, node), max_size=2 * n)), n


def as_networkx(links, n):
    graph = nx.DiGraph()
    graph.add_nodes_from(range(n))
    graph.add_edges_from(links)
    return graph


def ends(links):
    pairs = np.array(links, np.int32).reshape(-1, 2)
    return pairs[:, 0], pairs[:, 1]


@settings(max_examples=60, deadline=None)
@given(graphs(), st.data())
def test_harmonic_equals_networkx_with_all_sources_or_seeds(graph, data):
    links, n = graph
    theirs = as_networkx(links, n)
    expected = nx.harmonic_centrality(theirs)
    np.testing.assert_allclose(harmonic(*ends(links), n), [expected[i] for i in range(n)])
    seeds = data.draw(st.lists(st.integers(0, n - 1), max_size=5))
    expected = nx.harmonic_centrality(theirs, sources=set(seeds))
    found = harmonic(*ends(links), n, seeds=seeds)
    np.testing.assert_allclose(found, [expected[i] for i in range(n)])


@settings(max_examples=30, deadline=None)
@given(graphs(), st.randoms(use_true_random=False))
def test_harmonic_does_not_depend_on_the_order_of_links(graph, random):
    links, n = graph
    shuffled = random.sample(links, len(links))
    assert (harmonic(*ends(links), n) == harmonic(*ends(shuffled), n)).all()


def test_a_path_by_hand():
    # 0 -> 1 -> 2 -> 3: node 3 is 1, 2 and 3 links away from the others.
    np.testing.assert_allclose(harmonic([0, 1, 2], [1, 2, 3], 4), [0, 1, 1.5, 1 + 1 / 2 + 1 / 3])


def test_sampling_estimates_the_exact_score_and_repeats_itself():
    rng = np.random.default_rng(5)
    n = 3000
    # Popular targets, and two thirds of the nodes without links of their own.
    source = rng.integers(0, n // 3, 12_000)
    target = (rng.pareto(1.2, 12_000) * 20).astype(int) % n
    exact = harmonic(source, target, n)
    sampled = harmonic(source, target, n, samples=256)
    assert (sampled == harmonic(source[::-1], target[::-1], n, samples=256)).all()
    popular = exact > np.quantile(exact, 0.9)
    assert abs(sampled[popular] / exact[popular] - 1).mean() < 0.05
    ranks = [np.argsort(np.argsort(score[popular])) for score in (exact, sampled)]
    assert np.corrcoef(ranks)[0, 1] > 0.95
    assert (harmonic(source, target, n, samples=n) == exact).all()


def test_a_long_chain_and_empty_graphs():
    n = 20_000
    scores = harmonic(np.arange(n - 1), np.arange(1, n), n, seeds=[0])
    np.testing.assert_allclose(scores[1:], 1 / np.arange(1, n))
    assert harmonic([], [], 0).size == 0
    assert harmonic([], [], 3).tolist() == [0, 0, 0]
    assert harmonic([], [], 3, samples=2).tolist() == [0, 0, 0]
    assert harmonic([0], [1], 3, seeds=[]).tolist() == [0, 0, 0]


def test_wrong_sources_are_one_line_errors():
    with pytest.raises(ValueError, match="not both"):
        harmonic([0], [1], 2, seeds=[0], samples=1)
    with pytest.raises(ValueError, match="seeds"):
        harmonic([0], [1], 2, seeds=[2])
    with pytest.raises(ValueError, match="integer ids, not bool"):
        harmonic([0], [1], 2, seeds=[True, False])
    with pytest.raises(ValueError, match="samples"):
        harmonic([0, 1], [1, 0], 2, samples=0)


def test_percentile_is_the_share_of_other_sites_below():
    assert percentile([10.0, 30.0, 20.0, 20.0, 5.0]).tolist() == [0.25, 1.0, 0.5, 0.5, 0.0]
    assert percentile([7.0]).tolist() == [0.0]
    assert percentile([]).tolist() == []
    assert percentile([0.0, 0.0]).tolist() == [0.0, 0.0]


def test_a_missing_score_is_no_site():
    found = percentile([np.nan, 1.0, 2.0, np.nan, 3.0])
    np.testing.assert_array_equal(found, [np.nan, 0.0, 0.5, np.nan, 1.0])


@given(st.lists(st.floats(1e-12, 1e12), min_size=1, max_size=30))
def test_noise_in_the_last_digits_does_not_reorder(scores):
    scores = quantised(scores)
    noisy = scores * (1 + np.random.default_rng(0).uniform(-1e-13, 1e-13, len(scores)))
    assert (percentile(noisy) == percentile(scores)).all()
    assert (np.abs(quantised(noisy) / noisy - 1) < 2e-9).all()


@given(st.lists(st.floats(-1e300, 1e300), max_size=30))
def test_percentile_keeps_the_order(scores):
    rank = percentile(scores)
    order = np.argsort(scores)
    assert (np.diff(rank[order]) >= 0).all() and ((rank >= 0) & (rank <= 1)).all()


def test_tiers():
    cuts = {"head": 0.9, "middle": 0.5}
    found = tiers([1.0, 0.9, 0.8999, 0.5, 0.49, 0.0, np.nan], cuts)
    assert found.tolist() == ["head", "head", "middle", "middle", "fringe", "fringe", "unknown"]
    assert tiers(percentile(np.arange(11.0)), cuts).tolist().count("head") == 2
    assert tiers([], cuts).size == 0


@pytest.mark.parametrize(
    "cuts", [{"head": 0.5, "middle": 0.9}, {"head": 0.5}, {"head": 1.1, "middle": 0}, {}]
)
def test_wrong_cuts(cuts):
    with pytest.raises(ValueError, match="cuts"):
        tiers([0.5], cuts)
