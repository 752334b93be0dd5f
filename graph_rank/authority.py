"""From link scores to authority: harmonic centrality, percentiles, and head, middle or fringe.

Harmonic centrality of a node is the sum of 1/d over the nodes that reach it, d the number of links
on the shortest way (Boldi and Vigna 2014). Link farms move it less than PageRank, and least when it
is counted from trusted seeds only. Sources are walked 64 at a time, one
bit each, so a level of 64 breadth-first searches costs one visit of the links at its front.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numba import njit
from numpy.typing import ArrayLike, NDArray

from graph_rank.pagerank import distinct_links


def harmonic(
    source: ArrayLike,
    target: ArrayLike,
    n: int,
    *,
    seeds: ArrayLike | None = None,
    samples: int | None = None,
) -> NDArray[np.float64]:
    """Harmonic centrality of every node by the links that lead to it, float64[n].

    Exact by default: every node is a source, at most n/64 walks of the graph. With ``seeds``
    (ids) only distances from them count, unscaled; a seed's distance to itself is left out. With
    ``samples`` the sum is estimated from that many sources, drawn among the nodes that link at all
    and scaled up by their share; the draw depends on ids only, so the same graph gives the same
    scores. Raises ValueError for ids outside [0, n), or when both are given.
    """
    if seeds is not None and samples is not None:
        raise ValueError("give seeds or samples, not both")
    source, target = distinct_links(source, target, n)
    order = np.argsort(source, kind="stable")
    starts = np.concatenate(([0], np.cumsum(np.bincount(source, minlength=n)))).astype(np.int64)
    scale = 1.0
    if seeds is not None:
        given = np.asarray(seeds)
        if given.size and given.dtype.kind not in "iu":
            raise ValueError(f"seeds must be integer ids, not {given.dtype}")
        chosen = np.unique(given.astype(np.int64))
        if chosen.size and not 0 <= chosen[0] <= chosen[-1] < n:
            raise ValueError(f"seeds are in [{chosen[0]}, {chosen[-1]}], outside [0, {n})")
    else:
        chosen = np.flatnonzero(np.diff(starts))
        if samples is not None and samples < chosen.size:
            if samples < 1:
                raise ValueError(f"samples must be at least 1, not {samples}")
            scale = chosen.size / samples
            drawn = np.argsort(_mix(chosen.astype(np.uint64)), kind="stable")[:samples]
            chosen = np.sort(chosen[drawn])
    scores = np.zeros(n)
    _walk(starts, target[order], chosen, scores)
    return scores * scale


def quantised(scores: ArrayLike, bits: int = 30) -> NDArray[np.float64]:
    """Scores rounded to ``bits`` binary digits (30: one part in 1e9), so that noise in the last
    digits of a sum can't order two sites; float64[n], NaN stays NaN."""
    fraction, exponent = np.frexp(np.asarray(scores, np.float64))
    return np.ldexp(np.rint(np.ldexp(fraction, bits)), exponent - bits)


def percentile(scores: ArrayLike, *, bits: int = 30) -> NDArray[np.float64]:
    """The share of the other sites whose score is strictly lower, float64[n] in [0, 1].

    Scores are quantised first. Ties share a percentile; the lowest group gets 0, a sole highest
    site 1, a single site 0. A missing score (NaN) is no site: its percentile is NaN and it is not
    counted.
    """
    rounded = quantised(scores, bits)
    known = rounded[~np.isnan(rounded)]
    lower = np.searchsorted(np.sort(known), rounded, side="left")
    return np.where(np.isnan(rounded), np.nan, lower / max(known.size - 1, 1))


def tiers(percentiles: ArrayLike, cuts: Mapping[str, float]) -> NDArray[np.str_]:
    """'head', 'middle' or 'fringe' for each percentile, 'unknown' for NaN.

    ``cuts`` gives the least percentile of 'head' and of 'middle', e.g.
    ``{'head': 0.99, 'middle': 0.8}``. Raises ValueError unless 0 <= middle <= head <= 1.
    """
    if set(cuts) != {"head", "middle"}:
        raise ValueError(f"cuts must have the keys head and middle, not {sorted(cuts)}")
    if not 0 <= cuts["middle"] <= cuts["head"] <= 1:
        raise ValueError(f"cuts must satisfy 0 <= middle <= head <= 1, not {dict(cuts)}")
    value = np.asarray(percentiles, np.float64)
    # The first condition that holds decides.
    conditions = [np.isnan(value), value >= cuts["head"], value >= cuts["middle"]]
    return np.select(conditions, ["unknown", "head", "middle"], "fringe")


def _mix(ids: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """The splitmix64 finaliser (Steele et al. 2014): neighbouring ids become unrelated."""
    ids = ids + np.uint64(0x9E3779B97F4A7C15)
    ids = (ids ^ (ids >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    ids = (ids ^ (ids >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return ids ^ (ids >> np.uint64(31))


@njit(cache=True, nogil=True)
def _walk(starts, targets, sources, scores):  # type: ignore[no-untyped-def]
    """Add 1/d from each source to the nodes it reaches; 32 bytes a node besides the graph.

    Bit ``i`` of ``seen[v]`` says that source ``i`` of this batch has reached ``v`` (Then et al.,
    The More the Merrier, VLDB 2014).
    """
    n = starts.size - 1
    seen = np.zeros(n, np.uint64)
    here = np.zeros(n, np.uint64)
    coming = np.zeros(n, np.uint64)
    front = np.empty(n, np.int32)
    following = np.empty(n, np.int32)
    for first in range(0, sources.size, 64):
        seen[:] = 0
        size = 0
        for i in range(first, min(first + 64, sources.size)):
            bit = np.uint64(1) << np.uint64(i - first)
            seen[sources[i]] = bit
            here[sources[i]] = bit
            front[size] = sources[i]
            size += 1
        distance = 0
        while size:
            distance += 1
            reached = 0
            for f in range(size):
                u = front[f]
                for e in range(starts[u], starts[u + 1]):
                    v = targets[e]
                    fresh = here[u] & ~seen[v]
                    if fresh:
                        if coming[v] == 0:
                            following[reached] = v
                            reached += 1
                        coming[v] |= fresh
                # `here` is clean again for the level after the next.
                here[u] = 0
            for f in range(reached):
                v = following[f]
                bits = coming[v]
                seen[v] |= bits
                # Number of set bits, by halves (Hacker's Delight, 5-1).
                bits -= (bits >> np.uint64(1)) & np.uint64(0x5555555555555555)
                bits = (bits & np.uint64(0x3333333333333333)) + (
                    (bits >> np.uint64(2)) & np.uint64(0x3333333333333333)
                )
                bits = (bits + (bits >> np.uint64(4))) & np.uint64(0x0F0F0F0F0F0F0F0F)
                count = (bits * np.uint64(0x0101010101010101)) >> np.uint64(56)
                scores[v] += count / distance
            here, coming = coming, here
            front, following = following, front
            size = reached
