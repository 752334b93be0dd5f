"""Language and script of a text: characters first, then CLD2.

Where the script names the language (kana, hangul, Han, Thai, Greek ...) characters are counted:
that is certain, and a Chinese page full of code is still Chinese. Other scripts are shared by many
languages and are asked of CLD2, a naive Bayes over letter quadgrams (pycld2). Only the first
thousand characters are looked at.
"""

from __future__ import annotations

import re
from functools import cache
from typing import NamedTuple

import numpy as np
import pycld2
from numpy.typing import NDArray


class Language(NamedTuple):
    """language: ISO 639 code without region ('zh', 'en'), 'und' when unsure; confidence: 0..1, in
    steps of 0.0001, 0 for 'und'; script: ISO 15924 code of the letters that count ('Latn', 'Hans',
    'Hant', 'Jpan', 'Kore', ...), 'Zyyy' where there are none."""

    language: str
    confidence: float
    script: str


LOOKED_AT = 1_000  # characters
_FEWEST_LETTERS = 8
_ASIAN_SHARE = 0.15  # no page in English, French ... reaches it; posts full of code do
_UNSURE = 0.25  # CLD2 calls its verdict unreliable, and less than half of the text is in it
_WEIGHTS = {"Hani": 3, "Kana": 2, "Kore": 2}  # in Latin letters, by what a character says

# ISO 15924 code -> code points; Latin's ranges leave out signs.
_SCRIPTS: dict[str, tuple[tuple[int, int], ...]] = {
    "Latn": (
        (0x41, 0x5A),
        (0x61, 0x7A),
        (0xC0, 0xD6),
        (0xD8, 0xF6),
        (0xF8, 0x24F),
        (0x1E00, 0x1EFF),
        (0xFF21, 0xFF3A),
        (0xFF41, 0xFF5A),
    ),
    "Hani": ((0x3400, 0x4DBF), (0x4E00, 0x9FFF), (0xF900, 0xFAFF), (0x20000, 0x323AF)),
    "Kana": ((0x3041, 0x3096), (0x30A1, 0x30FA), (0xFF66, 0xFF9D)),
    "Kore": ((0x1100, 0x11FF), (0x3131, 0x318E), (0xAC00, 0xD7A3)),
    "Cyrl": ((0x400, 0x52F),),
    "Grek": ((0x370, 0x3FF), (0x1F00, 0x1FFF)),
    "Arab": ((0x620, 0x64A), (0x66E, 0x6D3), (0x6FA, 0x6FF), (0x750, 0x77F), (0xFB50, 0xFDFF)),
    "Hebr": ((0x5D0, 0x5F2), (0xFB1D, 0xFB4F)),
    "Armn": ((0x531, 0x587),),
    "Geor": ((0x10A0, 0x10FF), (0x1C90, 0x1CBF)),
    "Deva": ((0x900, 0x963), (0x970, 0x97F)),
    "Beng": ((0x980, 0x9E3),),
    "Guru": ((0xA00, 0xA5E),),
    "Gujr": ((0xA80, 0xAE3),),
    "Orya": ((0xB00, 0xB63),),
    "Taml": ((0xB80, 0xBE5),),
    "Telu": ((0xC00, 0xC63),),
    "Knda": ((0xC80, 0xCE3),),
    "Mlym": ((0xD00, 0xD63),),
    "Sinh": ((0xD80, 0xDDF),),
    "Thai": ((0xE01, 0xE4E),),
    "Laoo": ((0xE81, 0xEDF),),
    "Tibt": ((0xF00, 0xFBC),),
    "Mymr": ((0x1000, 0x103F), (0x1050, 0x109F)),
    "Ethi": ((0x1200, 0x137F),),
    "Khmr": ((0x1780, 0x17D3),),
    "Mong": ((0x1820, 0x1878),),
}
_CODES = list(_SCRIPTS)
_ONE_LANGUAGE = {
    "Kore": "ko",
    "Grek": "el",
    "Armn": "hy",
    "Geor": "ka",
    "Beng": "bn",
    "Guru": "pa",
    "Gujr": "gu",
    "Orya": "or",
    "Taml": "ta",
    "Telu": "te",
    "Knda": "kn",
    "Mlym": "ml",
    "Sinh": "si",
    "Thai": "th",
    "Laoo": "lo",
    "Mymr": "my",
    "Khmr": "km",
}
# what CLD2 calls otherwise than BCP 47 does; its codes for no language start with x, z or "un"
_RENAMED = {"iw": "he", "jw": "jv", "in": "id", "sr-ME": "sr", "zh-Hant": "zh", "nb": "no"}

# what CLD2 refuses: controls, noncharacters, surrogates
_REFUSED = re.compile(
    "[\x00-\x08\x0b\x0e-\x1f\x7f-\x9f\ud800-\udfff\ufdd0-\ufdef"
    + "".join(chr(plane << 16 | low) for plane in range(17) for low in (0xFFFE, 0xFFFF))
    + "]"
)


def detect(text: str) -> Language:
    """Language of the first LOOKED_AT characters of a text. Never raises.

    A text counts as Chinese, Japanese or Korean from 15 % of their letters on, weighed by how much
    each says: names and code in Latin letters do not make it English.
    """
    head = _REFUSED.sub(" ", text[:LOOKED_AT])
    counts = _letters(head)
    if sum(counts.values()) < _FEWEST_LETTERS:
        return _und(_script(counts, head) if counts else "Zyyy")
    weighed = {code: n * _WEIGHTS.get(code, 1) for code, n in counts.items()}
    total = sum(weighed.values())
    han, kana, hangul = (weighed.get(code, 0) for code in ("Hani", "Kana", "Kore"))
    if han + kana + hangul >= _ASIAN_SHARE * total:
        share = (han + kana + hangul) / total
        if hangul > han + kana:
            return _language("ko", share, "Kore")
        # Japanese prose is half kana; a Chinese page may quote some
        if 8 * kana >= han:
            return _language("ja", share, "Jpan")
        return _language("zh", share, _han_variant(head))
    script = max(counts, key=lambda code: (counts[code], code))
    if script in _ONE_LANGUAGE:
        return _language(_ONE_LANGUAGE[script], weighed[script] / total, script)
    reliable, _, guesses = pycld2.detect(head.encode(), bestEffort=True)
    _, code, percent, _ = guesses[0]
    code = _RENAMED.get(code, code)
    if code == "un" or (code[0] in "xz" and code not in ("xh", "za", "zh", "zu")):
        return _und(script)
    confidence = percent / 100 * (1 if reliable else 0.5)
    return _language(code, confidence, script) if confidence >= _UNSURE else _und(script)


def _und(script: str) -> Language:
    return Language("und", 0.0, script)


def _language(code: str, confidence: float, script: str) -> Language:
    return Language(code, round(confidence, 4), script)


def _letters(text: str) -> dict[str, int]:
    """Letters of each script in a text; scripts without any are left out."""
    points = np.frombuffer(text.encode("utf-32-le"), dtype=np.uint32)
    table = _script_table()
    counts = np.bincount(table[np.minimum(points, len(table) - 1)], minlength=len(_CODES) + 1)
    return {code: int(n) for code, n in zip(_CODES, counts, strict=False) if n}


@cache
def _script_table() -> NDArray[np.uint8]:
    table = np.full(0x323B1, len(_CODES), dtype=np.uint8)
    for i, ranges in enumerate(_SCRIPTS.values()):
        for first, last in ranges:
            table[first : last + 1] = i
    return table


def _script(counts: dict[str, int], text: str) -> str:
    script = max(counts, key=lambda code: (counts[code], code))
    return {"Hani": _han_variant(text), "Kana": "Jpan"}.get(script, script)


def _han_variant(text: str) -> str:
    """Hans or Hant, whichever has more characters that only it has; Hani where they tie."""
    simplified, traditional = _han_variants()
    s = sum(c in simplified for c in text)
    t = sum(c in traditional for c in text)
    return "Hans" if s > t else "Hant" if t > s else "Hani"


@cache
def _han_variants() -> tuple[frozenset[str], frozenset[str]]:
    # The national standards of the time say which characters each writing uses: GB 2312 (1980) has
    # no traditional forms, the common half of Big5 (first bytes A4 to C6) no simplified ones.
    gb2312, big5 = set(), set()
    for point in range(0x4E00, 0x9FA6):
        char = chr(point)
        if char.encode("gb2312", "ignore"):
            gb2312.add(char)
        if b"\xa4" <= char.encode("big5", "ignore")[:1] <= b"\xc6":
            big5.add(char)
    shared = {c for c in gb2312 if c.encode("big5", "ignore")}
    return frozenset(gb2312 - shared), frozenset(big5 - gb2312)
