"""MinHash signatures of texts, and the bands that bring likely near-duplicates together.

Signatures equal those of datasketch 2 (scheme ``affine32``) for the same shingle hashes, so its
tools read ours. Loose bands (32 of 4 rows) find practically every pair of Jaccard 0.7 and many
below; `signature_similarity` discards most of the rest, and exact Jaccard over the shingles
(`quality.shingles.jaccard_pairs`) settles the doubtful ones.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from itertools import chain
from typing import NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from quality.shingles import ShingleSets, shingle_blocks

NO_BAND = 0  # band hash of a text without shingles: pairs with nothing


class Signatures(NamedTuple):
    """``values`` uint32[n, K]; ``shingles`` int32[n], the number of distinct shingles. A text with
    no shingles has the largest value everywhere and matches nothing."""

    values: NDArray[np.uint32]
    shingles: NDArray[np.int32]


def signatures(texts: Sequence[str], num_perm: int = 128, seed: int = 1) -> Signatures:
    """MinHash signatures (Broder 1997) of the texts' shingles."""
    empty = ShingleSets(np.zeros(0, np.uint64), np.zeros(1, np.int64))
    parts = [sign(sets, num_perm, seed) for sets in chain([empty], shingle_blocks(texts))]
    values, shingles = zip(*parts, strict=True)
    return Signatures(np.concatenate(values), np.concatenate(shingles))


def sign(sets: ShingleSets, num_perm: int = 128, seed: int = 1) -> Signatures:
    """Signatures of shingle sets, in any order: equal to datasketch's
    ``MinHash(num_perm, seed, hashfunc=int).update_batch(folded(hashes))``."""
    a, b = _permutations(num_perm, seed)
    values = np.empty((len(sets.offsets) - 1, num_perm), np.uint32)
    _sign_kernel(sets.hashes, sets.offsets, a, b, values)
    return Signatures(values, np.diff(sets.offsets).astype(np.int32))


def folded(hashes: NDArray[np.uint64]) -> NDArray[np.uint32]:
    """The 32-bit hashes that enter the permutations: both halves, xor."""
    return (hashes ^ (hashes >> np.uint64(32))).astype(np.uint32)


def bands(signed: Signatures, bands: int = 32, rows: int | None = None) -> NDArray[np.uint64]:
    """One 64-bit hash for each band of ``rows`` signature values, uint64[n, bands].

    Texts that share a band hash are candidates; equal values in different bands hash differently.
    ``rows`` is K // bands unless given; values beyond bands * rows are unused. A text without
    shingles has NO_BAND in every band, and no other text has it.
    """
    n, num_perm = signed.values.shape
    rows = num_perm // bands if rows is None and bands > 0 else rows
    if bands < 1 or not rows or rows < 1 or bands * rows > num_perm:
        raise ValueError(f"{bands} bands of {rows} rows don't fit {num_perm} values")
    # The band's number goes into the upper half, where no signature value can undo it.
    number = np.arange(bands, dtype=np.uint64) << np.uint64(32)
    hashes = np.broadcast_to(number, (n, bands)).copy()
    for row in range(rows):
        hashes ^= signed.values[:, row : bands * rows : rows]
        hashes *= np.uint64(0x9E3779B97F4A7C15)
        hashes ^= hashes >> np.uint64(29)
    hashes *= np.uint64(0xBF58476D1CE4E5B9)
    hashes ^= hashes >> np.uint64(32)
    hashes[hashes == NO_BAND] = 1
    hashes[signed.shingles == 0] = NO_BAND
    return hashes


def signature_similarity(
    signed: Signatures, left: NDArray[np.int64], right: NDArray[np.int64]
) -> NDArray[np.float64]:
    """Estimated Jaccard of texts ``left[i]`` and ``right[i]``, float64[pairs]: the share of equal
    values, standard error sqrt(J(1-J)/K). 0 where either text has no shingles."""
    similarity = np.empty(len(left))
    for start in range(0, len(left), 4096):
        some = slice(start, start + 4096)
        equal = signed.values[left[some]] == signed.values[right[some]]
        similarity[some] = equal.mean(axis=1)
    similarity[(signed.shingles[left] == 0) | (signed.shingles[right] == 0)] = 0
    return similarity


@lru_cache(16)
def _permutations(num_perm: int, seed: int) -> tuple[NDArray[np.uint32], NDArray[np.uint32]]:
    """Odd factors and offsets of h -> a * h + b mod 2^32, drawn as datasketch 2 draws them."""
    draw = np.random.RandomState(seed)
    a = draw.randint(0, 2**31, num_perm, np.uint32) * np.uint32(2) + np.uint32(1)
    b = draw.randint(0, 2**32, num_perm, np.uint32)
    return a, b


@njit(cache=True, nogil=True)
def _sign_kernel(hashes, offsets, a, b, values):  # type: ignore[no-untyped-def]
    """The least a * h + b mod 2^32 of each text under each permutation, h mixed by MurmurHash3's
    fmix32 first. Permutation by permutation over a piece that stays in the cache, as the compiler
    turns that loop into vector instructions."""
    mixed = np.empty(2048, np.uint32)
    values[:] = np.uint32(0xFFFFFFFF)
    for text in range(offsets.size - 1):
        for start in range(offsets[text], offsets[text + 1], mixed.size):
            size = min(mixed.size, offsets[text + 1] - start)
            for i in range(size):
                # numba widens products of 32-bit numbers, so each one is cut back.
                h = np.uint32(hashes[start + i] ^ (hashes[start + i] >> np.uint64(32)))
                h = np.uint32((h ^ (h >> 16)) * 0x85EBCA6B)
                h = np.uint32((h ^ (h >> 13)) * 0xC2B2AE35)
                mixed[i] = h ^ (h >> 16)
            for k in range(a.size):
                factor, term, least = a[k], b[k], values[text, k]
                for i in range(size):
                    least = min(least, np.uint32(mixed[i] * factor + term))
                values[text, k] = least
