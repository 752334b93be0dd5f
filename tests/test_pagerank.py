"""PageRank against networkx on small random graphs, and the promises the rest relies on."""

from __future__ import annotations

import networkx as nx
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from graph_rank.pagerank import degrees, distinct_links, pagerank


@st.composite
def graphs(draw):
    """(links, n): with repeats, self-links, dangling and isolated nodes."""
    n = draw(st.integers(1, 30))
    node = st.integers(0, n - 1)
    links = draw(st.lists(st.tuples(node, node), max_size=4 * n))
    return links + draw(st.lists(st.sampled_from(links), max_size=5)) if links else links, n


def ends(links):
    pairs = np.array(links, np.int32).reshape(-1, 2)
    return pairs[:, 0], pairs[:, 1]


def as_networkx(links, n):
    graph = nx.DiGraph()
    graph.add_nodes_from(range(n))
    graph.add_edges_from((s, t) for s, t in links if s != t)
    return graph


@settings(max_examples=150, deadline=None)
@given(graphs(), st.sampled_from([0.5, 0.85, 0.95]))
def test_equals_networkx(graph, damping):
    links, n = graph
    found = pagerank(*ends(links), n, damping=damping, max_iter=2000)
    expected = nx.pagerank(as_networkx(links, n), damping, tol=1e-12 / n, max_iter=2000)
    assert np.abs(found.scores - [expected[i] for i in range(n)]).max() <= 1e-12
    assert found.converged and found.delta < 1e-12


@settings(max_examples=50, deadline=None)
@given(graphs(), st.data())
def test_jump_vector_equals_personalised_networkx(graph, data):
    links, n = graph
    trusted = data.draw(st.sets(st.integers(0, n - 1), min_size=1))
    jump = np.isin(np.arange(n), list(trusted))
    found = pagerank(*ends(links), n, jump=jump)
    expected = nx.pagerank(
        as_networkx(links, n),
        personalization=dict.fromkeys(trusted, 1),
        tol=1e-12 / n,
        max_iter=999,
    )
    assert np.abs(found.scores - [expected[i] for i in range(n)]).max() <= 1e-12


@settings(max_examples=50, deadline=None)
@given(graphs(), st.randoms(use_true_random=False))
def test_order_of_links_does_not_change_a_bit(graph, random):
    links, n = graph
    shuffled = random.sample(links, len(links))
    assert (pagerank(*ends(links), n).scores == pagerank(*ends(shuffled), n).scores).all()


def test_uncleaned_links_give_the_same_bits_as_cleaned_ones():
    rng = np.random.default_rng(3)
    source, target = rng.integers(0, 500, (2, 4000))
    messy = (np.r_[source, source[:900], np.arange(50)], np.r_[target, target[:900], np.arange(50)])
    assert (
        pagerank(*messy, 500).scores == pagerank(*distinct_links(*messy, 500), 500).scores
    ).all()


def test_worked_by_hand():
    # 0 and 1 link to each other and to 2, which links to nobody. With d = 0.85 and c = 1 - 2a,
    # a = (1 - d + d*c) / 3 + d*a/2 gives a = 1 / (3 + d/2).
    a = 1 / (3 + 0.85 / 2)
    scores = pagerank([0, 1, 0, 1], [1, 0, 2, 2], 3).scores
    np.testing.assert_allclose(scores, [a, a, 1 - 2 * a], atol=1e-12)


def test_larger_graph_keeps_its_sum_and_a_fixed_point():
    rng = np.random.default_rng(1)
    n = 20_000
    source, target = rng.integers(0, n // 4, 100_000), rng.integers(0, n, 100_000)
    found = pagerank(source, target, n)
    assert found.converged and abs(found.scores.sum() - 1) < 1e-12
    assert found.scores.min() >= 0.15 / n


def test_tiny_graphs():
    assert pagerank([], [], 0).scores.size == 0
    assert pagerank([], [], 1).scores.tolist() == [1.0]
    assert pagerank([0], [0], 1).scores.tolist() == [1.0]
    np.testing.assert_allclose(pagerank([], [], 4).scores, 0.25)


def test_stopped_early_says_so():
    found = pagerank([0, 1], [1, 2], 3, max_iter=2)
    assert (found.iterations, found.converged) == (2, False)
    assert found.delta >= 1e-12


def test_degrees_count_distinct_other_neighbours():
    found = degrees([0, 0, 0, 1, 2], [1, 1, 0, 0, 1], 4)
    assert found.incoming.tolist() == [1, 2, 0, 0]
    assert found.outgoing.tolist() == [1, 1, 1, 0]
    assert degrees([], [], 0).incoming.size == 0


@pytest.mark.parametrize(
    ("source", "target", "n", "word"),
    [([0], [3], 3, "outside"), ([-1], [0], 3, "outside"), ([0, 1], [0], 3, "2 ids"),
     ([0.5], [1.0], 3, "integer"), ([0], [0], 0, "outside")],
)  # fmt: skip
def test_wrong_links_are_a_one_line_error(source, target, n, word):
    with pytest.raises(ValueError, match=word) as error:
        pagerank(source, target, n)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("jump", [[0, 0], [1], [-1, 2], [np.nan, 1]])
def test_wrong_jump_vectors(jump):
    with pytest.raises(ValueError, match="jump"):
        pagerank([0], [1], 2, jump=jump)


@pytest.mark.parametrize("damping", [1, -0.1, np.nan])
def test_wrong_damping(damping):
    with pytest.raises(ValueError, match="damping"):
        pagerank([0], [1], 2, damping=damping)
