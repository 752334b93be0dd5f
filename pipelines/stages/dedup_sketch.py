"""Which documents of a band are worth comparing: sketches of signatures, and what to do about
bands that a template has filled.

Arrays in, pairs out; `dedup_pairs` says where the arrays come from.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from pipelines.recipe import Dedup
from quality.minhash import NO_BAND, Signatures, bands

SKETCHED = 128  # values of a signature that its sketch tells of, at most
TAILS = 3.7  # standard errors: 1 pair in 5,000 at the very threshold falls beyond
LEADERS = 4096  # the most leaders that a member of a hot group is compared to
PARTNERS = 4  # the most of them that it is paired with, the likeliest
SAME = 0.95  # estimate from which a member follows its leader instead of becoming one
Bits = NDArray[np.uint64]


class BandRows(NamedTuple):
    """One row for each band of each document; all arrays of equal length."""

    hash: Bits
    doc: NDArray[np.int64]  # place in all texts tables
    order: Bits  # a hash of the document that does not change with its place
    sketch: Bits  # [rows, 4]: low bits of values 0-63, of 64-127, then their high bits


NO_ROWS = BandRows(
    np.zeros(0, np.uint64), np.zeros(0, np.int64), np.zeros(0, np.uint64),
    np.zeros((0, 4), np.uint64),
)  # fmt: skip


def band_rows(signed: Signatures, count: int, first: int, order: Bits) -> BandRows:
    """All band rows of some documents, the first of them number `first`; none of a text without
    words. order: uint64[documents]."""
    hashes = bands(signed, count)
    doc = first + np.arange(len(hashes))
    rows = BandRows(
        hashes.ravel(),
        np.repeat(doc, count),
        np.repeat(order, count),
        np.repeat(sketches(signed), count, axis=0),
    )
    return take(rows, rows.hash != NO_BAND)


def take(rows: BandRows, which: NDArray[np.bool_] | NDArray[np.int64]) -> BandRows:
    return BandRows(rows.hash[which], rows.doc[which], rows.order[which], rows.sketch[which])


def sketches(signed: Signatures) -> Bits:
    """Two bits of each of the first 128 values (Li and König 2010), uint64[n, 4], as bit planes.

    The bits are taken from a multiple of the value: under `a * h + b` the lowest bits of a value
    depend on the lowest bits of `h` alone, so that two shingles would agree in all values or none.
    """
    bits = signed.values[:, :SKETCHED] * np.uint32(0x9E3779B1) >> np.uint32(30)
    planes = np.zeros((len(bits), 2, SKETCHED), np.uint8)
    planes[:, 0, : bits.shape[1]] = bits & 1
    planes[:, 1, : bits.shape[1]] = bits >> 1
    return np.packbits(planes, axis=-1).reshape(len(bits), 32).view(np.uint64)


def margin(similarity: float, values: int, chance: float = 0.0) -> float:
    """How far below `similarity` the estimate from `values` values may fall: `TAILS` standard
    errors. chance: the share of unequal values that seem equal (1/4 for two bits)."""
    seen = similarity + (1 - similarity) * chance
    return TAILS * math.sqrt(seen * (1 - seen) / values) / (1 - chance)


def candidate_pairs(rows: BandRows, section: Dedup) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Documents that share a band and whose sketches may be of `section.threshold` or more.

    Returns (left, right), left < right, sorted and each pair once. The result depends on neither
    the order of the rows nor on what other bands are among them. Of a group of more than
    `hot_group` members it holds each member's likeliest partners (see `_to_leaders`).
    """
    values = min(section.num_perm, SKETCHED)
    least = section.threshold - margin(section.threshold, values, 1 / 4)
    same = max(SAME, section.threshold + margin(section.threshold, values, 1 / 4))
    far, near = (math.floor(values * 3 / 4 * (1 - j)) for j in (least, min(same, 1.0)))
    by_hash = take(rows, np.lexsort((rows.doc, rows.hash)))
    pairs = np.unique(_pairs_kernel(*by_hash, far, near, section.hot_group))
    return (pairs >> np.uint64(32)).astype(np.int64), (pairs & _LOW).astype(np.int64)


_LOW = np.uint64(0xFFFFFFFF)


@njit
def _difference(a, b):  # type: ignore[no-untyped-def]
    """Values at which two sketches differ."""
    found = np.int64(0)
    for word in range(2):
        x = (a[word] ^ b[word]) | (a[word + 2] ^ b[word + 2])
        x -= (x >> np.uint64(1)) & np.uint64(0x5555555555555555)
        x = (x & np.uint64(0x3333333333333333)) + (
            (x >> np.uint64(2)) & np.uint64(0x3333333333333333)
        )
        x = (x + (x >> np.uint64(4))) & np.uint64(0x0F0F0F0F0F0F0F0F)
        found += np.int64((x * np.uint64(0x0101010101010101)) >> np.uint64(56))
    return found


@njit
def _pair(a, b):  # type: ignore[no-untyped-def]
    return np.uint64(min(a, b)) << np.uint64(32) | np.uint64(max(a, b))


@njit(cache=True, nogil=True)
def _pairs_kernel(hashes, docs, orders, sketches, far, near, hot):  # type: ignore[no-untyped-def]
    """Pairs (left << 32 | right) of each run of equal hashes whose sketches differ in `far` values
    at most; the same pair may come from several runs."""
    pairs = np.empty(1024, np.uint64)
    found = start = 0
    while start < len(hashes):
        end = start + 1
        while end < len(hashes) and hashes[end] == hashes[start]:
            end += 1
        size = end - start
        most = size * PARTNERS if size > hot else size * (size - 1) // 2
        if found + most > len(pairs):
            larger = np.empty(max(2 * len(pairs), found + most), np.uint64)
            larger[:found] = pairs[:found]
            pairs = larger
        if size > hot:
            some = slice(start, end)
            found += _to_leaders(
                hashes[start], docs[some], orders[some], sketches[some], far, near, pairs[found:]
            )
        else:
            for i in range(start, end):
                for j in range(i + 1, end):
                    if _difference(sketches[i], sketches[j]) <= far:
                        pairs[found] = _pair(docs[i], docs[j])
                        found += 1
        start = end
    return pairs[:found]


@njit
def _to_leaders(key, docs, orders, sketches, far, near, pairs):  # type: ignore[no-untyped-def]
    """Write the pairs of a hot group, return how many.

    Members are taken in an order of their sketches, so that copies stand near each other; each is
    paired with the likeliest of the last leaders before it, and becomes a leader itself unless one
    of them is all but the same. Time and pairs grow with the members, not with their square. The
    order differs from band to band, so that no cluster hangs on one leader that later fails a
    filter.
    """
    word, turn = np.int64(key & np.uint64(3)), key >> np.uint64(2) & np.uint64(63)
    salt = (key & np.uint64(7)) * np.uint64(0x9E3779B97F4A7C15)
    sorted_by_mix = np.argsort((orders ^ salt) * np.uint64(0xD6E8FEB86659FD93), kind="mergesort")
    bits = sketches[:, word][sorted_by_mix]
    turned = bits << turn | bits >> (np.uint64(64) - turn & np.uint64(63))
    leaders = np.empty((LEADERS, sketches.shape[1]), np.uint64)
    names = np.empty(LEADERS, np.int64)
    distance = np.empty(PARTNERS, np.int64)
    partner = np.empty(PARTNERS, np.int64)
    led = found = 0
    for member in sorted_by_mix[np.argsort(turned, kind="mergesort")]:
        count, limit = 0, far
        for i in range(min(led, LEADERS)):
            apart = _difference(leaders[i], sketches[member])
            if apart <= limit:
                at = min(count, PARTNERS - 1)
                while at > 0 and distance[at - 1] > apart:
                    distance[at], partner[at] = distance[at - 1], partner[at - 1]
                    at -= 1
                distance[at], partner[at] = apart, names[i]
                count = min(count + 1, PARTNERS)
                if count == PARTNERS:
                    limit = distance[count - 1] - 1
        for i in range(count):
            pairs[found] = _pair(partner[i], docs[member])
            found += 1
        if count == 0 or distance[0] > near:
            leaders[led % LEADERS], names[led % LEADERS] = sketches[member], docs[member]
            led += 1
    return found
