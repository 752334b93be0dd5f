"""One split of a document into words, punctuation marks and lines, shared by every signal.

A text becomes an array of code points, and one pass over it finds
- pieces: words and punctuation marks, in order (what the field's filters call "words" counts both);
- lines: what stands between newlines, trimmed, blank ones left out;
- paragraphs: runs of lines with no blank line between them.

Words go by script, not by language, so mixed pages need no decision:
- letters and digits run together; an apostrophe, full stop or underscore between two of them joins
  ("don't", "3.14", "example.com"), a comma joins digits ("1,000"), a hyphen does not; a URL with
  "://" in it is one word;
- in scripts written without spaces (Han, kana, Thai, Lao, Khmer, Burmese, Tibetan, Yi) every
  character is a word of its own: no dictionary, no second opinion, and repeats line up at any
  phase, which pairs of characters would not;
- combining marks and format characters belong to the word before them;
- a run of one and the same other character ("...", "----", "!") is one mark.

Hangul is written with spaces and is split like Latin.
"""

from __future__ import annotations

import unicodedata
from functools import cache
from typing import NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

# Classes of a code point, as bits.
LETTER, DIGIT, UPPER, LOWER, SPACE, EXTEND, SOLO, HAN = (1 << i for i in range(8))
KANA, WIDE, STOP, TERMINAL, CLOSER, JOINER, BULLET = (1 << i for i in range(8, 15))

# Scripts written without spaces between words; letters among these stand alone.
_UNSPACED = (
    (0x0E00, 0x0EFF),  # Thai, Lao
    (0x0F00, 0x109F),  # Tibetan, Burmese
    (0x1780, 0x17FF),  # Khmer
    (0x3100, 0x312F),  # Bopomofo
    (0xA000, 0xA4CF),  # Yi
)
_HAN = (
    (0x3005, 0x3005),
    (0x3007, 0x3007),
    (0x3400, 0x4DBF),
    (0x4E00, 0x9FFF),
    (0xF900, 0xFAFF),
    (0x20000, 0x3FFFD),
)
_KANA = (
    (0x3041, 0x3096),
    (0x309D, 0x309F),
    (0x30A1, 0x30FA),
    (0x30FC, 0x30FF),
    (0x31F0, 0x31FF),
    (0xFF66, 0xFF9D),
    (0x1AFF0, 0x1B16F),
)
# Marks that end a sentence; full-width, Arabic, Indic, Burmese, Khmer, Ethiopic, Armenian, Greek.
STOPS = ".!?…。！？．｡؟۔।॥။។።։\u037e‼⁇⁈⁉"
# A line that ends in one of these is a finished line: C4 counts the end quotation mark too.
QUOTES = "\"'”’“»«」』"
CLOSERS = QUOTES + ")]}）］】》〉"
JOINERS = "'’._"
# No dashes but the hyphen: a longer one opens direct speech in Russian, Spanish and French.
BULLETS = "•‣◦●○■□▪▫◆◇▶►⁃∙·・*-"

_TOP = 0x110000
_LOWER_TOP = 0x20000


@cache
def char_classes() -> NDArray[np.uint16]:
    """The class bits of every code point, uint16[0x110000]; built once a process (~0.1 s)."""
    table = np.zeros(_TOP, np.uint16)
    for code in range(_LOWER_TOP):
        char = chr(code)
        category = unicodedata.category(char)
        bits = 0
        if category[0] == "L":
            bits |= LETTER | (UPPER if category in ("Lu", "Lt") else 0)
            bits |= LOWER if category == "Ll" else 0
        elif category[0] == "N":
            bits |= DIGIT
        elif category[0] == "M":
            bits |= EXTEND
        elif category[0] == "Z" or category == "Cc" or char in "\u200b\ufeff":
            bits |= SPACE
        elif category == "Cf":
            bits |= EXTEND
        if unicodedata.east_asian_width(char) in "WF":
            bits |= WIDE
        table[code] = bits
    table[0x20000:0x40000] = LETTER | WIDE
    table[0xE0000:0xE01F0] = EXTEND
    for ranges, bit in ((_HAN, HAN | LETTER), (_KANA, KANA | LETTER)):
        for low, high in ranges:
            table[low : high + 1] |= bit
    table[0x3007] &= ~np.uint16(DIGIT)  # the round zero is written like any other Han character
    for low, high in (*_HAN, *_KANA, *_UNSPACED):
        part = table[low : high + 1]
        part[(part & LETTER) > 0] |= SOLO
    marks = (
        (STOPS, STOP | TERMINAL),
        (QUOTES, TERMINAL),
        (CLOSERS, CLOSER),
        (JOINERS, JOINER),
        (BULLETS, BULLET),
    )
    for chars, bit in marks:
        for char in chars:
            table[ord(char)] |= bit
    return table


@cache
def _lower_table() -> NDArray[np.uint32]:
    """Lower case of each code point where that is one code point, else itself: uint32[0x20000]."""
    table = np.arange(_LOWER_TOP, dtype=np.uint32)
    for code in range(_LOWER_TOP):
        lower = chr(code).lower()
        if len(lower) == 1:
            table[code] = ord(lower)
    return table


# Eight of the commonest function words of each language; English is Gopher's own list. In Chinese
# and Japanese they are characters. Korean and Turkish have few: affixes do the work there.
STOP_WORDS: dict[str, str] = {
    "ar": "في من على أن إلى عن مع هذا",
    "bg": "на и в да за се от е",
    "ca": "de i la que el en els per",
    "cs": "a v na se že je s z",
    "da": "og i at det er en til på",
    "de": "der die und in den von zu das",
    "el": "και το να του η της με για",
    "en": "the be to of and that have with",
    "es": "de la que el en y los un",
    "fa": "و در به از که این را با",
    "fi": "ja on ei se että oli hän mutta",
    "fr": "de la le et les des en un",
    "gl": "de e que a o en do da",
    "he": "של את על לא הוא זה עם כי",
    "hi": "के का की है में और से को",
    "hr": "i u je na se da za su",
    "hu": "a az és hogy nem is egy van",
    "id": "yang dan di itu dengan untuk tidak ini",
    "it": "di e il che la in un per",
    "ja": "の は を に が で と た",
    "ko": "이 그 수 있는 및 등 것 한",
    "ms": "yang dan di itu dengan untuk tidak ini",
    "nl": "de en van het een in is dat",
    "no": "og i det er som på en til",
    "pl": "i w na z że się nie do",
    "pt": "de a o que e do da em",
    "ro": "și de la în cu că pe nu",
    "ru": "и в не на что с по как",
    "sk": "a v na sa že je s z",
    "sr": "и у је на се да за су i u je na se da za su",
    "sv": "och att i det som en på är",
    "tr": "bir ve bu için de da ile çok",
    "uk": "і в на з що до не за",
    "vi": "và của là có các trong được cho",
    "zh": "的 是 在 了 不 和 有 一",
}


class Split(NamedTuple):
    """A split document; offsets are code points, that is indices into the Python string.

    codes uint32[n]; starts, ends int32[p] and is_word bool[p] of the pieces, hashes uint64[p] of
    their lower-cased form; line_starts, line_ends int32[l] of trimmed lines, paragraph int32[l] the
    number of the paragraph each line belongs to.
    """

    codes: NDArray[np.uint32]
    starts: NDArray[np.int32]
    ends: NDArray[np.int32]
    is_word: NDArray[np.bool_]
    hashes: NDArray[np.uint64]
    line_starts: NDArray[np.int32]
    line_ends: NDArray[np.int32]
    paragraph: NDArray[np.int32]


@njit(cache=True, nogil=True)
def _split(codes, classes, lower):  # type: ignore[no-untyped-def]
    n = codes.size
    starts = np.empty(n, np.int32)
    ends = np.empty(n, np.int32)
    is_word = np.empty(n, np.bool_)
    hashes = np.empty(n, np.uint64)
    pieces = 0
    i = 0
    while i < n:
        first = codes[i]
        kind = classes[first]
        if kind & (SPACE | EXTEND):
            i += 1
            continue
        j = i + 1
        word = kind & (LETTER | DIGIT) != 0
        if kind & SOLO:
            while j < n and classes[codes[j]] & EXTEND:
                j += 1
        elif word:
            while j < n:
                here = classes[codes[j]]
                if here & SOLO:
                    break
                if here & (LETTER | DIGIT | EXTEND):
                    j += 1
                    continue
                if j + 1 == n:
                    break
                slashes = j + 3 < n and codes[j] == 58 and codes[j + 1] == codes[j + 2] == 47
                if slashes and 32 < codes[j + 3] < 127:
                    # "://": a URL runs on over visible ASCII, closing marks left out.
                    j += 3
                    while j < n and 32 < codes[j] < 127:
                        j += 1
                    while classes[codes[j - 1]] & (STOP | CLOSER) or codes[j - 1] in (44, 58, 59):
                        j -= 1
                    break
                after = classes[codes[j + 1]]
                joins = here & JOINER and after & (LETTER | DIGIT) and not after & SOLO
                if not joins and codes[j] == 44:
                    joins = classes[codes[j - 1]] & DIGIT and after & DIGIT
                if not joins:
                    break
                j += 2
        else:
            while j < n and codes[j] == first:
                j += 1
        h = np.uint64(0xCBF29CE484222325)  # FNV-1a, a code point a step
        for k in range(i, j):
            c = codes[k]
            if c < lower.size:
                c = lower[c]
            h = (h ^ np.uint64(c)) * np.uint64(0x100000001B3)
        starts[pieces] = i
        ends[pieces] = j
        is_word[pieces] = word
        hashes[pieces] = h
        pieces += 1
        i = j

    newlines = 1
    for i in range(n):
        newlines += codes[i] == 10
    line_starts = np.empty(newlines, np.int32)
    line_ends = np.empty(newlines, np.int32)
    paragraph = np.empty(newlines, np.int32)
    lines = 0
    current = -1
    blank = True
    begin = 0
    while begin <= n:
        stop = begin
        while stop < n and codes[stop] != 10:
            stop += 1
        left, right = begin, stop
        while left < right and classes[codes[left]] & SPACE:
            left += 1
        while left < right and classes[codes[right - 1]] & SPACE:
            right -= 1
        if left == right:
            blank = True
        else:
            current += blank
            blank = False
            line_starts[lines] = left
            line_ends[lines] = right
            paragraph[lines] = current
            lines += 1
        begin = stop + 1
    # Copies, so that a large document's worst-case arrays don't outlive this call.
    return (
        starts[:pieces].copy(),
        ends[:pieces].copy(),
        is_word[:pieces].copy(),
        hashes[:pieces].copy(),
        line_starts[:lines].copy(),
        line_ends[:lines].copy(),
        paragraph[:lines].copy(),
    )


def split(text: str) -> Split:
    """Pieces and lines of `text`. Any string will do, lone surrogates and NULs included."""
    codes = np.frombuffer(text.encode("utf-32-le", "surrogatepass"), np.uint32)
    return Split(codes, *_split(codes, char_classes(), _lower_table()))


def words(text: str) -> list[str]:
    """The words of `text` as written, punctuation marks left out."""
    parts = split(text)
    spans = zip(parts.starts.tolist(), parts.ends.tolist(), parts.is_word.tolist(), strict=True)
    return [text[start:end] for start, end, is_word in spans if is_word]


def primary(language: str) -> str:
    """The main part of a language tag: zh of zh-Hant or zh_TW, lower-cased."""
    return language.replace("_", "-").split("-", 1)[0].lower()


@cache
def stop_hashes(language: str) -> NDArray[np.uint64]:
    """Hashes of the language's STOP_WORDS, as in Split.hashes; none for an unlisted language."""
    return split(STOP_WORDS.get(primary(language), "")).hashes
