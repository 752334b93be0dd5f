"""Connected components by union-find over arrays: which nodes hang together through any edges.

The label of a component is its smallest member, so labels don't depend on the order of the edges,
and a finished label array is itself a valid start for more edges: a long edge list can be read
piece by piece with 8 bytes a node in memory.
"""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import ArrayLike, NDArray

from graph_rank.pagerank import checked_links


def components(
    a: ArrayLike, b: ArrayLike, n: int, *, labels: NDArray[np.int64] | None = None
) -> NDArray[np.int64]:
    """The smallest member of each node's component, int64[n].

    Edge ``i`` joins nodes ``a[i]`` and ``b[i]``, ids in [0, n). ``labels``, if given, is the result
    for earlier edges to go on from; it is not changed. Raises ValueError for ids outside [0, n).
    """
    a, b = checked_links(a, b, n)
    if labels is None:
        parent = np.arange(n, dtype=np.int64)
    else:
        parent = np.array(labels, np.int64)
        if parent.shape != (n,) or (n and not (parent >= 0).all()):
            raise ValueError(f"labels must be {n} component labels")
        if (parent > np.arange(n)).any():
            raise ValueError("labels must be the result of components(): a label is above its node")
    _unite(parent, a, b)
    return parent


@njit(cache=True, nogil=True)
def _unite(parent, a, b):  # type: ignore[no-untyped-def]
    """Union to the smaller root with path halving (Tarjan and van Leeuwen 1984), then flatten."""
    for i in range(a.size):
        x, y = a[i], b[i]
        while parent[x] != x:
            parent[x] = parent[parent[x]]
            x = parent[x]
        while parent[y] != y:
            parent[y] = parent[parent[y]]
            y = parent[y]
        if x < y:
            parent[y] = x
        elif y < x:
            parent[x] = y
    # A parent is never above its child, so one pass upwards finds every root.
    for x in range(parent.size):
        parent[x] = parent[parent[x]]
