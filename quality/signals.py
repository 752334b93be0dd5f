"""Quality signals of a document: numbers only, no thresholds.

The signals are those of four published filter families, computed in one pass over one word split
(`quality.words`) and stored for every document, so that a threshold can change later without
reading a text again:

- Gopher: Rae et al. 2021, arXiv:2112.11446, appendix A1.1 (quality and repetition);
- C4: Raffel et al. 2020, JMLR 21(140), section 2.2;
- FineWeb: Penedo et al. 2024, arXiv:2406.17557, section 3.6;
- script and character shares, to tell Chinese from Japanese and prose from tables.

Where a paper leaves a definition open, these hold:
- a "duplicate" is the second or a later copy, the first one is not counted;
- "words" in a ratio are all pieces, punctuation marks included, as in FineWeb's code, whose
  thresholds were tuned so; `words` and `mean_word_length` count words alone;
- an n-gram is n pieces, lower-cased; its characters are those of the pieces, and so are the
  document's, so a fraction lies in 0..1 in spaced and unspaced scripts alike;
- the top n-gram is the most frequent one (the longest of several), counted without overlaps and
  only if it occurs twice; duplicate n-grams are found left to right, again without overlaps;
- a short line has at most 30 columns, a wide (East Asian) character filling two;
- a ratio with nothing below the line is 0.

Values are rounded to six digits, so a float32 column and a float64 value meet a threshold alike.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numba import njit

from quality import words as w
from quality.words import char_classes, split, stop_hashes


class Signal(NamedTuple):
    arrow: str  # an Arrow type name
    description: str


SIGNALS: dict[str, Signal] = {
    "words": Signal("int32", "words; a character is a word in unspaced scripts (Gopher)"),
    "mean_word_length": Signal("float32", "characters a word (Gopher)"),
    "symbol_ratio": Signal(
        "float32", "hash signs or ellipses, the more frequent, a piece (Gopher)"
    ),
    "bullet_line_ratio": Signal("float32", "lines that start with a bullet (Gopher)"),
    "ellipsis_line_ratio": Signal("float32", "lines that end with an ellipsis (Gopher)"),
    "alpha_word_ratio": Signal("float32", "pieces with a letter in them (Gopher)"),
    "stop_words": Signal("float32", "different stop words of the language; NaN: no list (Gopher)"),
    "dup_line_ratio": Signal("float32", "lines seen before (Gopher)"),
    "dup_line_char_ratio": Signal("float32", "characters in lines seen before (Gopher, FineWeb)"),
    "dup_paragraph_ratio": Signal("float32", "paragraphs seen before (Gopher)"),
    "dup_paragraph_char_ratio": Signal("float32", "characters in paragraphs seen before (Gopher)"),
    "top_2gram_char_ratio": Signal("float32", "characters in the top 2-gram (Gopher)"),
    "top_3gram_char_ratio": Signal("float32", "characters in the top 3-gram (Gopher)"),
    "top_4gram_char_ratio": Signal("float32", "characters in the top 4-gram (Gopher)"),
    "dup_5gram_char_ratio": Signal("float32", "characters in duplicate 5-grams (Gopher)"),
    "dup_6gram_char_ratio": Signal("float32", "characters in duplicate 6-grams (Gopher)"),
    "dup_7gram_char_ratio": Signal("float32", "characters in duplicate 7-grams (Gopher)"),
    "dup_8gram_char_ratio": Signal("float32", "characters in duplicate 8-grams (Gopher)"),
    "dup_9gram_char_ratio": Signal("float32", "characters in duplicate 9-grams (Gopher)"),
    "dup_10gram_char_ratio": Signal("float32", "characters in duplicate 10-grams (Gopher)"),
    "terminal_punct_line_ratio": Signal("float32", "lines with end punctuation (C4, FineWeb)"),
    "short_line_ratio": Signal("float32", "lines of at most 30 columns (FineWeb)"),
    "newline_ratio": Signal("float32", "newline characters a piece (FineWeb)"),
    "sentences": Signal("int32", "stops with two or more words of the sentence on their line (C4)"),
    "lines": Signal("int32", "lines that are not blank"),
    "digit_ratio": Signal("float32", "digits among visible characters"),
    "upper_ratio": Signal("float32", "upper-case letters among letters"),
    "han_ratio": Signal("float32", "Han characters among letters"),
    "kana_ratio": Signal("float32", "kana among letters"),
    "curly_braces": Signal("int32", "opening curly brackets (C4)"),
    "lorem_ipsum": Signal("int32", "occurrences of the phrase lorem ipsum (C4)"),
    "javascript_lines": Signal("int32", "lines with the word JavaScript (C4)"),
}

SHORT_LINE = 30  # columns; part of FineWeb's definition of the signal, not a threshold on it


@njit(cache=True, nogil=True)
def _slot(keys, stamps, stamp, key):  # type: ignore[no-untyped-def]
    """Where `key` is, or would go, in an open-addressing table; another stamp than ours is free."""
    mask = np.uint64(keys.size - 1)
    mixed = (key ^ (key >> np.uint64(32))) * np.uint64(0x9E3779B97F4A7C15)
    slot = (mixed >> np.uint64(20)) & mask
    while stamps[slot] == stamp and keys[slot] != key:
        slot = (slot + np.uint64(1)) & mask
    return slot


@njit(cache=True, nogil=True)
def _table_size(entries):  # type: ignore[no-untyped-def]
    size = 16
    while size < 2 * entries:
        size *= 2
    return size


@njit(cache=True, nogil=True)
def _pieces(codes, classes, starts, ends, is_word, hashes, stops):  # type: ignore[no-untyped-def]
    """(words, their characters, pieces with a letter, ellipses, sentences, stop words met)"""
    n = codes.size
    words, chars, alpha, ellipses, sentences, since = 0, 0, 0, 0, 0, 0
    met = np.zeros(stops.size, np.bool_)
    for p in range(starts.size):
        start, end = starts[p], ends[p]
        for i in range(ends[p - 1] if p else start, start):
            since = 0 if codes[i] == 10 else since
        if is_word[p]:
            words += 1
            since += 1
            chars += end - start
            for i in range(start, end):
                if classes[codes[i]] & w.LETTER:
                    alpha += 1
                    break
            for s in range(stops.size):
                if hashes[p] == stops[s]:
                    met[s] = True
            continue
        first = codes[start]
        dots = first == 46 or first == 0x2026
        if dots:
            ellipses += (end - start) // 3 if first == 46 else end - start
        if not classes[first] & w.STOP:
            continue
        after = end
        while after < n and classes[codes[after]] & (w.STOP | w.CLOSER):
            after += 1
        # Full-width stops need no white space behind them, the others do.
        if (first < 128 or dots) and after < n and not classes[codes[after]] & w.SPACE:
            continue
        if dots:  # "e.g. so", "well... yes": no end before lower case on the same line
            while after < n and codes[after] != 10 and classes[codes[after]] & w.SPACE:
                after += 1
            if after < n and classes[codes[after]] & w.LOWER:
                continue
        sentences += since >= 2
        since = 0
    return words, chars, alpha, ellipses, sentences, met.sum()


@njit(cache=True, nogil=True)
def _lines(codes, classes, starts, ends, paragraph):  # type: ignore[no-untyped-def]
    """((bullets, ellipses, finished, short), and of lines and paragraphs: hashes, lengths)"""
    prime, basis = np.uint64(0x100000001B3), np.uint64(0xCBF29CE484222325)  # FNV-1a
    lines = starts.size
    paragraphs = paragraph[-1] + 1 if lines else 0
    line_hashes, line_lengths = np.full(lines, basis), np.zeros(lines, np.int64)
    block_hashes, block_lengths = np.full(paragraphs, basis), np.zeros(paragraphs, np.int64)
    bullets, ellipses, finished, short = 0, 0, 0, 0
    for line in range(lines):
        start, end = starts[line], ends[line]
        columns = 0
        h = basis
        for i in range(start, end):
            kind = classes[codes[i]]
            columns += 2 if kind & w.WIDE else 0 if kind & w.EXTEND else 1
            h = (h ^ np.uint64(codes[i])) * prime
        last = codes[end - 1]
        dots = end - start >= 3 and last == 46 and codes[end - 2] == 46 and codes[end - 3] == 46
        bullets += classes[codes[start]] & w.BULLET != 0
        ellipses += last == 0x2026 or dots
        finished += classes[last] & w.TERMINAL != 0
        short += columns <= SHORT_LINE
        line_hashes[line] = h
        line_lengths[line] = end - start
        block = paragraph[line]
        block_hashes[block] = (block_hashes[block] ^ h) * prime
        block_lengths[block] += end - start
    counts = (bullets, ellipses, finished, short)
    return counts, line_hashes, line_lengths, block_hashes, block_lengths


@njit(cache=True, nogil=True)
def _copies(hashes, lengths):  # type: ignore[no-untyped-def]
    """(share of the entries, share of their lengths) that repeat an earlier entry"""
    keys = np.empty(_table_size(hashes.size), np.uint64)
    taken = np.zeros(keys.size, np.int8)
    copies, inside = 0, 0
    for i in range(hashes.size):
        slot = _slot(keys, taken, 1, hashes[i])
        if taken[slot]:
            copies += 1
            inside += lengths[i]
        taken[slot] = 1
        keys[slot] = hashes[i]
    return copies / max(1, hashes.size), inside / max(1, lengths.sum())


@njit(cache=True, nogil=True)
def _ngrams(starts, ends, hashes):  # type: ignore[no-untyped-def]
    """Share of the pieces' characters inside the top 2..4-gram and duplicate 5..10-grams: [9]"""
    pieces = starts.size
    out = np.zeros(9)
    before = np.zeros(pieces + 1, np.int64)  # characters of the pieces before the p-th
    for p in range(pieces):
        before[p + 1] = before[p] + ends[p] - starts[p]
    keys = np.empty(_table_size(pieces), np.uint64)
    stamps = np.zeros(keys.size, np.int8)
    counts = np.empty(keys.size, np.int32)
    grams = hashes.copy()  # grams[i]: the pieces from i on, one longer each round
    for n in range(2, 11):
        last = pieces - n
        if last < 1:
            break
        for i in range(last + 1):
            g = grams[i] * np.uint64(0x9E3779B97F4A7C15) + hashes[i + n - 1]
            grams[i] = g ^ (g >> np.uint64(29))
        inside = 0
        top, top_count, top_chars = np.uint64(0), 1, 0
        i = 0
        while i <= last:
            g = grams[i]
            chars = before[i + n] - before[i]
            slot = _slot(keys, stamps, n, g)
            seen = stamps[slot] == n
            if not seen:
                stamps[slot] = n
                keys[slot] = g
                counts[slot] = 0
            counts[slot] += 1
            if n <= 4:
                more = counts[slot] > top_count
                if more or (seen and counts[slot] == top_count and chars > top_chars):
                    top, top_count, top_chars = g, counts[slot], chars
                i += 1
            elif seen:
                inside += chars
                i += n
            else:
                i += 1
        if n <= 4 and top_count > 1:
            i = 0
            while i <= last:
                if grams[i] == top:
                    inside += top_chars
                    i += n
                else:
                    i += 1
        out[n - 2] = inside / before[pieces]
    return out


@njit(cache=True, nogil=True)
def _characters(codes, classes):  # type: ignore[no-untyped-def]
    """(newlines, hash signs, opening braces, visible, letters, digits, upper case, Han, kana)"""
    newlines, signs, braces, visible, letters, digits, upper, han, kana = 0, 0, 0, 0, 0, 0, 0, 0, 0
    for code in codes:
        kind = classes[code]
        newlines += code == 10
        signs += code == 35
        braces += code == 123
        visible += kind & (w.SPACE | w.EXTEND) == 0
        letters += kind & w.LETTER != 0
        digits += kind & w.DIGIT != 0
        upper += kind & w.UPPER != 0
        han += kind & w.HAN != 0
        kana += kind & w.KANA != 0
    return newlines, signs, braces, visible, letters, digits, upper, han, kana


def _javascript_lines(lower: str) -> int:
    if "javascript" not in lower:
        return 0
    return sum("javascript" in line for line in lower.split("\n"))


def signals(text: str, language: str) -> dict[str, float | int]:
    """All SIGNALS of one text, in their order. `language` (a tag like en, zh or zh-Hant) chooses
    the stop words and nothing else; an unknown one makes `stop_words` NaN.
    """
    s, classes, stops = split(text), char_classes(), stop_hashes(language)
    words, word_chars, alpha, ellipses, sentences, met = _pieces(
        s.codes, classes, s.starts, s.ends, s.is_word, s.hashes, stops
    )
    (bullets, ellipsis_ends, finished, short), line_hashes, line_lengths, *paragraphs = _lines(
        s.codes, classes, s.line_starts, s.line_ends, s.paragraph
    )
    newlines, signs, braces, visible, letters, digits, upper, han, kana = _characters(
        s.codes, classes
    )
    lower = text.lower()
    # Nothing below the line: the ratio is 0.
    pieces, lines = len(s.starts) or 1, len(s.line_starts) or 1
    letters, visible = letters or 1, visible or 1
    values = (
        words,
        word_chars / (words or 1),
        max(signs, ellipses) / pieces,
        bullets / lines,
        ellipsis_ends / lines,
        alpha / pieces,
        met if stops.size else math.nan,
        *_copies(line_hashes, line_lengths),
        *_copies(*paragraphs),
        *_ngrams(s.starts, s.ends, s.hashes).tolist(),
        finished / lines,
        short / lines,
        newlines / pieces,
        sentences,
        len(s.line_starts),
        digits / visible,
        upper / letters,
        han / letters,
        kana / letters,
        braces,
        lower.count("lorem ipsum"),
        _javascript_lines(lower),
    )
    return {
        name: value if isinstance(value, int) else round(value, 6)
        for name, value in zip(SIGNALS, values, strict=True)
    }
