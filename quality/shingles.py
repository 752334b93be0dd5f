"""Text to shingles: the set of 5-token sequences by which near-duplicates are recognised.

Tokens are words where a script puts spaces between words, and single characters (with their vowel
signs and accents) where it doesn't: Han, kana, Thai, Lao, Burmese, Khmer. A text may mix both.
Case, punctuation, spacing, invisible characters and the compatibility forms that NFKC unifies make
no difference. A text of fewer than five tokens is one shingle, the whole of it, so that short texts
are duplicates only of their equals; a text without a letter, digit or underscore has none.

One compiled kernel reads the UTF-8 bytes of a batch through one table of characters. Texts with
characters that NFKC composes, reorders or expands are handed back, normalised and read again.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator, Sequence
from functools import cache
from itertools import pairwise
from typing import NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

TOKENS = 5  # tokens in a shingle: word 5-grams as in FineWeb (arXiv 2406.17557, 3.4)
_BLOCK_BYTES = 1 << 21  # text read at a time; bounds the scratch memory to about 10 times this

# A table entry: the code point to hash in the low 21 bits, the class above, one flag on top.
_SEPARATOR, _LETTER, _SYMBOL, _MARK, _IGNORED = range(5)
_CLASS_SHIFT, _CODE_POINT, _NORMALISE = 21, (1 << 21) - 1, 1 << 31
_TABLE_SIZE = 0x20000
# Beyond the table: Han characters (planes 2 and 3), invisible tags, and nothing with a meaning.
_HAN_END, _PLANE_OF_TAGS = 0x40000, 0xE
_HAN_COMPATIBILITY = (0x2F800, 0x2FA1F)

# Letters of these are tokens by themselves.
_UNSPACED = frozenset(
    point
    for first, last in (
        (0x0E00, 0x0EFF),  # Thai, Lao
        (0x1000, 0x109F),  # Burmese
        (0x1780, 0x17FF),  # Khmer
        (0x1950, 0x19DF),  # Tai Le, New Tai Lue
        (0x1A20, 0x1AAF),  # Tai Tham
        (0x3005, 0x3007),  # Han iteration mark, zero
        (0x3031, 0x3035),  # kana repeat marks
        (0x3041, 0x30FF),  # Hiragana, Katakana
        (0x3105, 0x312F),  # Bopomofo
        (0x31A0, 0x31FF),  # Bopomofo and Katakana extensions
        (0x3400, 0x4DBF),  # Han
        (0x4E00, 0x9FFF),
        (0xA000, 0xA48F),  # Yi
        (0xA9E0, 0xA9FF),  # Burmese extensions
        (0xAA60, 0xAADF),
        (0x1AFF0, 0x1B16F),  # kana extensions
    )
    for point in range(first, last + 1)
)


class ShingleSets(NamedTuple):
    """Distinct shingle hashes of many texts; those of text ``i`` are
    ``hashes[offsets[i]:offsets[i + 1]]``."""

    hashes: NDArray[np.uint64]
    offsets: NDArray[np.int64]


def shingle_sets(texts: Sequence[str]) -> ShingleSets:
    """The distinct 64-bit shingle hashes of each text, ascending. Never raises: lone surrogates
    count as separators."""
    blocks = list(shingle_blocks(texts))
    hashes = np.concatenate([np.zeros(0, np.uint64), *(block.hashes for block in blocks)])
    counts = [np.diff(block.offsets) for block in blocks]
    offsets = np.cumsum(np.concatenate([np.zeros(1, np.int64), *counts]))
    for first, last in pairwise(offsets):
        hashes[first:last].sort()
    return ShingleSets(hashes, offsets)


def shingle_blocks(texts: Sequence[str]) -> Iterator[ShingleSets]:
    """The shingle sets of some texts at a time, in the order of the texts; hashes in the order of
    first occurrence. For whoever needs each set once and wants bounded memory."""
    block: list[bytes] = []
    size = 0
    for text in texts:
        block.append(text.encode("utf-8", "surrogatepass"))
        size += len(block[-1])
        if size >= _BLOCK_BYTES:
            yield _read_all(block)
            block, size = [], 0
    if block:
        yield _read_all(block)


def shingle_hashes(text: str) -> NDArray[np.uint64]:
    """The distinct shingle hashes of one text, ascending."""
    return shingle_sets([text]).hashes


def jaccard(a: NDArray[np.uint64], b: NDArray[np.uint64]) -> float:
    """|a and b| / |a or b| of two ascending arrays of distinct hashes; 0 when either is empty, for
    a text without shingles is a duplicate of nothing."""
    sets = ShingleSets(np.concatenate((a, b)), np.array([0, len(a), len(a) + len(b)]))
    return float(jaccard_pairs(sets, np.array([0]), np.array([1]))[0])


def jaccard_pairs(
    sets: ShingleSets, left: NDArray[np.int64], right: NDArray[np.int64]
) -> NDArray[np.float64]:
    """Jaccard similarity of ordered sets ``left[i]`` and ``right[i]``, float64[pairs]."""
    left, right = (np.ascontiguousarray(side, np.int64) for side in (left, right))
    if left.shape != right.shape:
        raise ValueError(f"left has {left.size} ids, right has {right.size}")
    ids = np.concatenate((left, right))
    if ids.size and not 0 <= ids.min() <= ids.max() < len(sets.offsets) - 1:
        raise ValueError(f"pairs name texts outside [0, {len(sets.offsets) - 1})")
    similarity = np.empty(left.size)
    _jaccard_kernel(sets.hashes, sets.offsets, left, right, similarity)
    return similarity


def _read_all(block: list[bytes]) -> ShingleSets:
    """Shingle sets of UTF-8 texts; those that need it are put through NFKC and read again."""
    hashes, found = _read(block, again=False)
    late = np.flatnonzero(found < 0)
    if late.size:
        texts = [block[i].decode("utf-8", "surrogatepass") for i in late]
        normal = [unicodedata.normalize("NFKC", text) for text in texts]
        more, counts = _read([text.encode("utf-8", "surrogatepass") for text in normal], again=True)
        places = np.cumsum(np.maximum(found, 0))[late]
        hashes = np.insert(hashes, np.repeat(places, counts), more)
        found[late] = counts
    return ShingleSets(hashes, np.concatenate((np.zeros(1, np.int64), np.cumsum(found))))


def _read(block: list[bytes], *, again: bool) -> tuple[NDArray[np.uint64], NDArray[np.int64]]:
    """Hashes of all texts and their count for each, -1 for one that needs normalising."""
    offsets = np.cumsum([0, *map(len, block)], dtype=np.int64)
    found = np.empty(len(block), np.int64)
    # A token takes a letter and a separator, or a character of three bytes.
    hashes = np.empty(int(offsets[-1]) // 2 + len(block), np.uint64)
    data = np.frombuffer(b"".join(block), np.uint8)
    used = _shingle_kernel(data, offsets, _character_table(), again, hashes, found)
    return hashes[:used], found


@cache
def _character_table() -> NDArray[np.uint32]:
    """What the kernel does with each code point below 0x20000, uint32[0x20000].

    A folding of variants (traditional to simplified Han) would be one more step of `_entry`.
    """
    points = [chr(point) for point in range(_TABLE_SIZE)]
    # Second halves of canonical pairs, and Hangul vowels and finals: NFKC may join them leftwards.
    joining = {chr(point) for point in (*range(0x1161, 0x1176), *range(0x11A8, 0x11C3))}
    for character in points:
        parts = unicodedata.decomposition(character).split()
        if len(parts) == 2 and not parts[0].startswith("<"):
            joining.add(chr(int(parts[1], 16)))
    return np.array([_entry(character, joining) for character in points], np.uint32)


def _entry(character: str, joining: set[str]) -> int:
    normal = unicodedata.normalize("NFKC", character)
    kind = _class_of(normal[0])
    if len(normal) > 1:
        if kind == _SEPARATOR and all(_class_of(c) in (_SEPARATOR, _MARK) for c in normal):
            return _SEPARATOR << _CLASS_SHIFT  # an ellipsis, say, or an accent by itself
        return _NORMALISE
    # Lower-case one by one: no special case for a final sigma, a dotted I becomes i.
    lower = "\u03c3" if normal == "\u03c2" else normal.lower()[0]
    moves = unicodedata.combining(normal) or normal in joining
    return (_NORMALISE if moves else 0) | kind << _CLASS_SHIFT | ord(lower)


def _class_of(character: str) -> int:
    category = unicodedata.category(character)
    if category in ("Cf", "Me") or "\ufe00" <= character <= "\ufe0f":
        return _IGNORED
    if category in ("Mn", "Mc"):
        return _MARK
    if category in ("Lo", "Lm", "Nl") and ord(character) in _UNSPACED:
        return _SYMBOL
    return _LETTER if category[0] in "LN" or character == "_" else _SEPARATOR


@njit
def _code_point(data, at):  # type: ignore[no-untyped-def]
    """The code point of two to four bytes of valid UTF-8, and where the next one starts."""
    lead, second = np.int64(data[at]), np.int64(data[at + 1] & 0x3F)
    if lead < 0xE0:
        return (lead & 0x1F) << 6 | second, at + 2
    third = np.int64(data[at + 2] & 0x3F)
    if lead < 0xF0:
        return (lead & 0x0F) << 12 | second << 6 | third, at + 3
    return (lead & 0x07) << 18 | second << 12 | third << 6 | (data[at + 3] & 0x3F), at + 4


@njit
def _keep_distinct(hashes, slots):  # type: ignore[no-untyped-def]
    """Mix the hashes and move the first of equal ones to the front; return how many those are.

    Open addressing in ``slots``, whose size is a power of two and at least twice the hashes.
    """
    size = 16
    while size < 2 * hashes.size:
        size *= 2
    slots[:size] = 0
    mask = np.uint64(size - 1)
    kept = 0
    for value in hashes:
        value ^= value >> np.uint64(29)
        value *= np.uint64(0xBF58476D1CE4E5B9)
        value ^= value >> np.uint64(32)
        value = value or np.uint64(1)  # 0 marks a free slot
        slot = value & mask
        while slots[slot] != 0 and slots[slot] != value:
            slot = (slot + np.uint64(1)) & mask
        if slots[slot] == 0:
            slots[slot] = value
            hashes[kept] = value
            kept += 1
    return kept


@njit(cache=True, nogil=True)
def _shingle_kernel(data, offsets, table, again, hashes, found):  # type: ignore[no-untyped-def]
    """Write each text's distinct shingle hashes behind each other; return how many in all.

    A token's hash is FNV-1a over its code points, mixed; a shingle's is the polynomial of its token
    hashes, rolling. A text that needs NFKC is left out, unless it was read ``again`` after that.
    """
    prime, basis = np.uint64(0x100000001B3), np.uint64(0xCBF29CE484222325)
    base, leaving = np.uint64(0x9E3779B97F4A7C15), np.uint64(1)
    for _ in range(TOKENS):
        leaving *= base
    window = np.zeros(8, np.uint64)  # hashes of the last tokens
    slots = np.zeros(1024, np.uint64)
    used = 0
    for text in range(offsets.size - 1):
        at, end = offsets[text], offsets[text + 1]
        written, tokens, rolling = used, 0, np.uint64(0)
        token, symbol = np.uint64(0), False  # 0: no token is open
        postponed = False
        while at <= end and not postponed:
            if at == end:
                entry = np.uint32(0)  # the end reads as a separator
                at += 1
            elif data[at] < 0x80:
                entry = table[data[at]]
                at += 1
            else:
                point, at = _code_point(data, at)
                if point < _TABLE_SIZE:
                    entry = table[point]
                elif point < _HAN_END:
                    entry = np.uint32(_SYMBOL << _CLASS_SHIFT | point)
                    if _HAN_COMPATIBILITY[0] <= point <= _HAN_COMPATIBILITY[1]:
                        entry |= np.uint32(_NORMALISE)
                elif point >> 16 == _PLANE_OF_TAGS:
                    entry = np.uint32(_IGNORED << _CLASS_SHIFT)
                else:
                    entry = np.uint32(0)
                if entry & _NORMALISE:
                    postponed = not again
                    entry &= np.uint32(_NORMALISE - 1)
            kind, code = entry >> _CLASS_SHIFT, np.uint64(entry & _CODE_POINT)
            if kind == _MARK or (kind == _LETTER and not symbol):
                # A mark continues what is open and opens nothing.
                if token or kind == _LETTER:
                    token = ((token or basis) ^ code) * prime
            elif kind != _IGNORED:
                if token:
                    token ^= token >> np.uint64(32)
                    token *= np.uint64(0xD6E8FEB86659FD93)
                    token ^= token >> np.uint64(32)
                    rolling = rolling * base + token
                    if tokens >= TOKENS:
                        rolling -= leaving * window[(tokens - TOKENS) & 7]
                    window[tokens & 7] = token
                    tokens += 1
                    if tokens >= TOKENS:
                        hashes[written] = rolling
                        written += 1
                    token = np.uint64(0)
                symbol = kind == _SYMBOL
                if kind in (_SYMBOL, _LETTER):
                    token = (basis ^ code) * prime
        if postponed:
            found[text] = -1
            continue
        if 0 < tokens < TOKENS:
            hashes[written] = rolling + np.uint64(tokens)
            written += 1
        while slots.size < 2 * (written - used):
            slots = np.zeros(2 * slots.size, np.uint64)
        found[text] = _keep_distinct(hashes[used:written], slots)
        used += found[text]
    return used


@njit(cache=True, nogil=True)
def _jaccard_kernel(hashes, offsets, left, right, similarity):  # type: ignore[no-untyped-def]
    # Both sets ascend: one merge finds what they share.
    for pair in range(left.size):
        a, a_end = offsets[left[pair]], offsets[left[pair] + 1]
        b, b_end = offsets[right[pair]], offsets[right[pair] + 1]
        total = a_end - a + b_end - b
        shared = 0
        while a < a_end and b < b_end:
            x, y = hashes[a], hashes[b]
            shared += x == y
            a += x <= y
            b += y <= x
        similarity[pair] = shared / (total - shared) if shared else 0.0
