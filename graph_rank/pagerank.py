"""PageRank of a link graph that fits in memory: arrays in, arrays out.

A graph is two arrays of dense ids: link ``i`` goes from ``source[i]`` to ``target[i]``, and there
are ``n`` nodes. A node links to another once or not at all: repeated links count once and links to
oneself are dropped, so uncleaned edge lists give the scores of cleaned ones. Links are sorted
first, which makes every result independent of the order they came in, to the last bit.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.sparse import csr_array


class Degrees(NamedTuple):
    """Distinct neighbours of each node, without itself."""

    incoming: NDArray[np.int64]
    outgoing: NDArray[np.int64]


class PageRank(NamedTuple):
    """Scores sum to 1. ``delta`` is the L1 change of the last sweep."""

    scores: NDArray[np.float64]
    iterations: int
    delta: float
    converged: bool


def distinct_links(
    source: ArrayLike, target: ArrayLike, n: int
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """The links without repeats and self-links, sorted by target, then source.

    Links that are clean already are recognised and not sorted again. Peak memory is about 32 bytes
    a link. Raises ValueError when the arrays differ in length or an id is outside [0, n), and for
    more than 2^31 nodes.
    """
    source, target = checked_links(source, target, n)
    key = target << 32 | source
    if not (key[1:] > key[:-1]).all():
        key = np.sort(key)
        key = key[np.concatenate(([True], key[1:] != key[:-1]))]
    target, source = key >> 32, key & 0xFFFFFFFF
    other = source != target
    return (source, target) if other.all() else (source[other], target[other])


def checked_links(
    source: ArrayLike, target: ArrayLike, n: int
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Both ends as int64[E]; ValueError when they can't be links among ``n`` nodes."""
    if not 0 <= n <= 2**31:
        raise ValueError(f"n is {n}, outside [0, 2^31]")
    ends = []
    for name, given in (("source", source), ("target", target)):
        ids = np.asarray(given)
        if ids.ndim != 1 or (ids.size and ids.dtype.kind not in "iu"):
            raise ValueError(f"{name} must be a one-dimensional array of integer ids")
        if ids.size and not 0 <= ids.min() <= ids.max() < n:
            raise ValueError(f"{name} has ids in [{ids.min()}, {ids.max()}], outside [0, {n})")
        ends.append(np.ascontiguousarray(ids, np.int64))
    if len(ends[0]) != len(ends[1]):
        raise ValueError(f"source has {len(ends[0])} ids, target has {len(ends[1])}")
    return ends[0], ends[1]


def degrees(source: ArrayLike, target: ArrayLike, n: int) -> Degrees:
    """How many others link to each node, and how many it links to: int64[n] each."""
    source, target = distinct_links(source, target, n)
    return Degrees(np.bincount(target, minlength=n), np.bincount(source, minlength=n))


def pagerank(
    source: ArrayLike,
    target: ArrayLike,
    n: int,
    *,
    damping: float = 0.85,
    jump: ArrayLike | None = None,
    tol: float = 1e-12,
    max_iter: int = 500,
) -> PageRank:
    """PageRank (Brin and Page 1998) by power iteration, float64[n].

    The surfer follows a link with probability ``damping``, else jumps; from a node without links
    it always jumps. ``jump`` (float[n], not negative, any positive sum) says where to; None is
    everywhere alike. With ``jump`` on trusted nodes only this is TrustRank (Gyongyi et al. 2004).

    Stops when the L1 norm of the change in one sweep is below ``tol``, for the whole vector:
    networkx's ``tol`` is per node, so it stops at the same sweep with ``tol / n``. Every sweep
    shrinks the change by at least ``damping``, so 1e-12 at 0.85 takes at most about 175 sweeps;
    where ``max_iter`` ends the search first, ``converged`` is False.
    """
    if not 0 <= damping < 1:
        raise ValueError(f"damping must be in [0, 1), not {damping}")
    source, target = distinct_links(source, target, n)
    towards = _jump_vector(jump, n)
    if n == 0:
        return PageRank(np.zeros(0), 0, 0.0, True)
    outgoing = np.bincount(source, minlength=n)
    index = np.int32 if max(n, len(source)) < 2**31 else np.int64
    starts = np.concatenate(([0], np.cumsum(np.bincount(target, minlength=n)))).astype(index)
    incoming = csr_array((np.ones(len(source)), source.astype(index), starts), shape=(n, n))
    share = damping / np.maximum(outgoing, 1)
    dangling = np.flatnonzero(outgoing == 0)

    scores, delta, iterations = np.full(n, 1.0 / n), np.inf, 0
    while delta >= tol and iterations < max_iter:
        jumping = (1.0 - damping) + damping * scores[dangling].sum()
        following = incoming @ (scores * share)
        following += jumping * towards
        delta = float(np.abs(following - scores).sum())
        scores, iterations = following, iterations + 1
    return PageRank(scores, iterations, delta, delta < tol)


def _jump_vector(jump: ArrayLike | None, n: int) -> NDArray[np.float64]:
    if jump is None:
        return np.full(n, 1.0 / max(n, 1))
    weights = np.asarray(jump, np.float64)
    if weights.shape != (n,) or not np.isfinite(weights).all() or (weights < 0).any():
        raise ValueError(f"jump must be {n} finite weights, none negative")
    if n and weights.sum() == 0:
        raise ValueError("jump has no positive weight: nowhere to jump to")
    return weights / max(weights.sum(), np.finfo(float).tiny)
