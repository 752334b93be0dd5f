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

# ISO 15924 code -> code points; Latin's ranges leave out signs. Han before kana, in this order.
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
    "Hebr": "he",  # Yiddish is told apart by CLD2 below
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
    """Language of the first LOOKED_AT characters of a text. Never raises."""
    head = _REFUSED.sub(" ", text[:LOOKED_AT])
    counts = _letters(head)
    total = sum(counts.values())
    if not total:
        return Language("und", 0.0, "Zyyy")
    # a Han character, syllable or kana says as much as about three, two and two Latin letters
    weights = {"Hani": 3, "Kana": 2, "Kore": 2}
    weighed = {code: n * weights.get(code, 1) for code, n in counts.items()}
    asian = weighed.get("Hani", 0) + weighed.get("Kana", 0) + weighed.get("Kore", 0)
    everything = sum(weighed.values())
    ...
