"""Components against SciPy, and labels that can be continued."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from graph_rank.components import components


def smallest_member(a, b, n):
    """What SciPy says, each component named by its smallest member."""
    graph = coo_array((np.ones(len(a)), (a, b)), shape=(n, n))
    label = connected_components(graph, directed=False)[1]
    return np.array([np.flatnonzero(label == label[i]).min() for i in range(n)])


@st.composite
def edge_lists(draw):
    n = draw(st.integers(1, 60))
    node = st.integers(0, n - 1)
    return draw(st.lists(st.tuples(node, node), max_size=90)), n


@settings(max_examples=200, deadline=None)
@given(edge_lists(), st.data())
def test_equals_scipy_in_one_go_or_in_pieces(edges, data):
    pairs, n = np.array(edges[0], np.int64).reshape(-1, 2), edges[1]
    expected = smallest_member(pairs[:, 0], pairs[:, 1], n)
    assert (components(pairs[:, 0], pairs[:, 1], n) == expected).all()
    cut = data.draw(st.integers(0, len(pairs)))
    first = components(pairs[:cut, 1], pairs[:cut, 0], n)
    kept = first.copy()
    assert (components(pairs[cut:, 0], pairs[cut:, 1], n, labels=first) == expected).all()
    assert (first == kept).all()


@pytest.mark.parametrize("order", ["up", "down", "shuffled"])
def test_a_long_chain_is_one_component(order):
    n = 200_000
    a = np.arange(n - 1)
    if order == "down":
        a = a[::-1]
    elif order == "shuffled":
        a = np.random.default_rng(0).permutation(a)
    assert not components(a, a + 1, n).any()


def test_a_large_random_graph_equals_scipy():
    rng = np.random.default_rng(2)
    n = 100_000
    a, b = rng.integers(0, n, (2, 60_000))
    label = components(a, b, n)
    graph = coo_array((np.ones(len(a)), (a, b)), shape=(n, n))
    count, theirs = connected_components(graph, directed=False)
    assert len(np.unique(label)) == count == len(np.unique(np.stack((label, theirs)), axis=1)[0])
    assert (label <= np.arange(n)).all() and (label[label] == label).all()


def test_no_edges_and_no_nodes():
    assert components([], [], 0).size == 0
    assert components([], [], 3).tolist() == [0, 1, 2]
    assert components(np.array([2], np.uint32), np.array([1], np.uint32), 3).tolist() == [0, 1, 1]


def test_read_only_arrays_of_arrow_are_fine():
    a = np.frombuffer(np.array([0, 1], np.int64).tobytes(), np.int64)
    assert components(a, a + 1, 3).tolist() == [0, 0, 0]
    assert components(a, a, 3).tolist() == [0, 1, 2]


@pytest.mark.parametrize(
    ("a", "b", "labels", "word"),
    [([0], [3], None, "outside"), ([-1], [0], None, "outside"), ([0, 1], [0], None, "2 ids"),
     ([0], [1], [0, 1], "3 component"), ([0], [1], [1, 1, 2], "above"),
     ([0], [1], [-1, 1, 2], "3 component")],
)  # fmt: skip
def test_wrong_input_is_a_one_line_error(a, b, labels, word):
    with pytest.raises(ValueError, match=word):
        components(a, b, 3, labels=None if labels is None else np.array(labels))
