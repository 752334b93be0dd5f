"""A page's main text by trafilatura, the careful extractor, on the tree that is already there.

An own tree is faster than trafilatura's and finds text on the pages its loader refuses (no "html"
in the first 50 characters). Comments are left out, tables kept, as their makers measured best.
trafilatura crashes under threads and can take minutes on hostile pages: call this in a child
process that may be killed.
"""

from __future__ import annotations

import logging
import re
from datetime import date
from functools import cache
from typing import Any, NamedTuple

from quality.html.page import Element, Page


class Main(NamedTuple):
    """text: paragraphs on lines, may be empty; published_at: as ISO 8601, date or date and time."""

    text: str
    title: str | None
    published_at: str | None


def extract_main(page: Page, url: str) -> Main:
    """Main text of a page that `read_page` parsed within its limits; empty text if there is none.

    Deterministic, no network. Leaves `page.tree` as it was. Any exception of trafilatura's is let
    through: the caller isolates it and records it.
    """
    if page.tree is None:
        return Main("", page.title, None)
    text = _extract()(
        page.tree,
        url=url,
        include_comments=False,
        include_tables=True,
        with_metadata=False,
        deduplicate=False,
    )
    title = next(iter(page.metas.get("og:title", ())), None) or page.title
    return Main((text or "").strip(), title, _published_at(page))


@cache
def _extract() -> Any:
    from trafilatura import extract  # 0.2 s of CPU

    # each empty page is a warning there; here it is a row in the ledger
    for name in ("trafilatura", "justext", "readability"):
        logging.getLogger(name).setLevel(logging.CRITICAL)
    return extract


_DATE_METAS = (
    "article:published_time",
    "datepublished",
    "publishdate",
    "pubdate",
    "dcterms.date",
    "dc.date",
    "date",
)
_ISO_DATE = re.compile(
    r"\s*((?:19|20)\d\d-\d\d-\d\d)(?!\d)"
    r"(?:[T ]([012]\d:[0-5]\d(?::[0-5]\d)?)(?:\.\d+)?\s*(Z|[+-]\d\d:?\d\d)?)?"
)
_JSON_DATE = re.compile(r'"datePublished"\s*:\s*"([^"\\]{10,40})"')


def _published_at(page: Page) -> str | None:
    """Date of publication where the page states it for machines: meta, JSON-LD or <time>."""
    for name in _DATE_METAS:
        for content in page.metas.get(name, ()):
            if iso := _iso(content):
                return iso
    tree: Element = page.tree
    for script in tree.iterfind(".//script[@type='application/ld+json']"):
        for match in _JSON_DATE.finditer(script.text or ""):
            if iso := _iso(match.group(1)):
                return iso
    for time in tree.iter("time"):
        if (time.get("itemprop") == "datePublished" or time.get("pubdate") is not None) and (
            iso := _iso(time.get("datetime") or "")
        ):
            return iso
    article = tree.find(".//article//time[@datetime]")
    return _iso(article.get("datetime")) if article is not None else None


def _iso(written: str) -> str | None:
    match = _ISO_DATE.match(written)
    if not match:
        return None
    day, clock, zone = match.groups()
    try:
        date.fromisoformat(day)
    except ValueError:  # 31 February
        return None
    if not clock:
        return day
    if zone and zone != "Z":
        zone = f"{zone[:3]}:{zone[-2:]}"
    return f"{day}T{clock}{zone or ''}"
