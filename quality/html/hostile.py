"""What is looked for in a page's bytes before a native parser sees them, each in linear time.

Three things cost or lose a page: more elements than anyone reads, a tag with thousands of
attributes (libxml2 compares each with each: 200,000 take a minute), and control characters, which
cannot be written into a tree again, so that trafilatura gives the page up.
"""

from __future__ import annotations

import re

_START_TAG = re.compile(rb"<[a-zA-Z]")

_CONTROLS = bytes(32 if c < 32 and c not in b"\t\n\r" else c for c in range(256))
_NONCHARACTERS = (b"\xef\xbf\xbe", b"\xef\xbf\xbf")  # U+FFFE, U+FFFF
_BAD_REFERENCE = re.compile(
    rb"&#(?:0*(?:[1-8]|1[124-9]|2\d|3[01]|6553[45])(?!\d)"
    rb"|[xX]0*(?:[1-8bcefBCEF]|1[0-9a-fA-F]|[fF]{3}[efEF])(?![0-9a-fA-F]));?"
)

# In smaller pages, pairs of attributes cost two seconds at the very worst.
_LARGE_PAGE = 131_072
_FEW_ATTRIBUTES = (
    rb"(?:[\s/]*+[^\s/>][^\s/>=]*+(?:\s*+=\s*+(?:\"[^\"]*+\"|'[^']*+'|[^\s>]*+))?+){0,255}+"
    rb"[\s/]*+(?:>|\Z)"
)
# Matches up to the first tag with more than 255 attributes, in one pass without backtracking.
_SANE_TAGS = re.compile(
    rb"(?:[^<]++|<(?:\Z|(?!--)[^a-z]|!--(?:[^-]++|-(?!->))*+|"
    + b"".join(  # text up to its own end tag; a group and \\1 instead trip over a bug in re
        tag + rb"(?=[\s/>])" + _FEW_ATTRIBUTES + rb"[^<]*+(?:<(?!/" + tag + rb")[^<]*+)*+|"
        for tag in (b"script", b"style", b"textarea", b"title", b"iframe", b"xmp")
    )
    + rb"[a-z][^\s/>]*+"
    + _FEW_ATTRIBUTES
    + rb"))*+",
    re.I,
)


def without_controls(page: bytes) -> bytes:
    """The page (UTF-8) with a space for each character XML forbids, written out or as `&#1;`."""
    page = page.translate(_CONTROLS)
    for character in _NONCHARACTERS:
        page = page.replace(character, b" ")
    return _BAD_REFERENCE.sub(b" ", page) if b"&#" in page else page


def tags(page: bytes, limit: int) -> int:
    """Start tags or end tags in a page, whichever are more, those in scripts and comments among
    them; 0 if surely no more than `limit`. End tags count because a stray one is looked for among
    all open elements, and a stray </p> makes an element."""
    if page.count(b"<") <= limit:
        return 0
    return max(len(_START_TAG.findall(page)), page.count(b"</"))


def has_giant_tag(page: bytes) -> bool:
    """Whether a tag has more than 255 attributes. Pages of up to 128 KiB are not looked at."""
    if len(page) <= _LARGE_PAGE:
        return False
    sane = _SANE_TAGS.match(page)
    return sane is None or sane.end() < len(page)
