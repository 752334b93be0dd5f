"""One captured page in, its facts and its text out: the questions in the order of their cost.

Runs in a killable child process, one page at a time. A page that cannot win any more is not asked
the next question; `drop` then says why, with the value and the threshold that decided.
"""

from __future__ import annotations

import importlib
import re
from collections.abc import Callable
from typing import Any, NamedTuple

from quality import optout, urls
from quality.html import decode
from quality.html.page import Page, read_page
from quality.language import detect


class Request(NamedTuple):
    """A page to read. kind: html (an HTTP body) or text (already plain, as in WET)."""

    kind: str
    url: str
    body: bytes
    content_type: str | None
    extract: bool  # False: only facts and links are wanted


class Drop(NamedTuple):
    """Why a page went no further. value and threshold are null where there is no number."""

    reason: str
    value: float | None = None
    threshold: float | None = None
    detail: str | None = None


class Config(NamedTuple):
    """What the recipe says about reading a page; null thresholds are not asked."""

    body_bytes: int
    nodes: int
    depth: int
    min_visible_chars: int | None
    languages: tuple[str, ...] | None
    honour_opt_outs: bool
    agents: tuple[str, ...]
    extractor: str


class Capture(NamedTuple):
    """What reading a page told. Fields stay null from the question on that it did not reach."""

    drop: Drop | None = None
    charset: str | None = None
    charset_source: str | None = None
    visible_chars: int | None = None
    nodes: int | None = None
    depth: int | None = None
    language: str | None = None
    script: str | None = None
    opt_out: str | None = None
    licence_url: str | None = None
    rel_canonical: str | None = None
    links: tuple[tuple[str, int, int], ...] = ()  # target host, links, of these nofollow
    title: str | None = None
    published_at: str | None = None
    text: str | None = None
    extractor: str | None = None


_DENSE = re.compile("[\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af\U00020000-\U0003ffff]")

Extractor = Callable[[Page, str], Any]
"""(page, url) -> something with text, title and published_at. A user's own has this shape too."""


def reader(config: Config) -> Callable[[Request], Capture]:
    """A function that reads pages as `config` says. Raises ImportError for a bad extractor."""
    extract = extractor(config.extractor)

    def read(request: Request) -> Capture:
        if request.kind == "text":
            return _read_text(request, config)
        return _read_html(request, config, extract)

    return read


def extractor(name: str) -> Extractor:
    """`trafilatura`, or a user's `package.module:function`. Raises ImportError, AttributeError."""
    known = {"trafilatura": "quality.html.trafilatura:extract_main"}
    module, _, function = known.get(name, name).partition(":")
    found: Extractor = getattr(importlib.import_module(module), function)
    return found


def _read_html(request: Request, config: Config, extract: Extractor) -> Capture:
    size = len(request.body)
    kind = decode.sniff(request.body)
    if kind not in ("html", "xhtml"):
        return Capture(Drop("empty" if kind == "empty" else "not_html", size, None, kind))
    if size > config.body_bytes:
        return Capture(Drop("too_large", size, config.body_bytes))
    decoded = decode.decode(request.body, request.content_type)
    page = read_page(decoded.text, max_nodes=config.nodes, max_depth=config.depth)
    outs = optout.page_opt_outs((), page.metas, config.agents)
    found = Capture(
        charset=decoded.charset,
        charset_source=decoded.source,
        visible_chars=page.visible_chars,
        nodes=page.nodes,
        depth=page.depth,
        opt_out="; ".join(sorted({f"{o.kind}: {o.detail}" for o in outs})) or None,
        licence_url=optout.licence_of(page.licence_urls),
        rel_canonical=page.rel_canonical,
        links=_links(request.url, page),
        title=page.title,
    )
    drop = _limits(page, config)
    if drop is None and outs and config.honour_opt_outs:
        drop = Drop("opt_out", detail=found.opt_out)
    if drop is None:
        drop, found = _language_and_length(found, page.sample, config)
    if drop or not request.extract:
        return found._replace(drop=drop)
    main = extract(page, request.url)
    text = (main.text or "").strip()
    if not text:
        return found._replace(drop=Drop("no_text"))
    return found._replace(
        title=main.title or page.title,
        published_at=main.published_at,
        text=text,
        extractor=config.extractor,
    )


def _read_text(request: Request, config: Config) -> Capture:
    """A text that needs no extraction (WET). Its length gate is the text's own."""
    text = request.body.decode("utf-8", "replace").strip()
    if not text:
        return Capture(Drop("empty"))
    found = Capture(charset="utf-8", visible_chars=len(text))
    drop, found = _language_and_length(found, text, config)
    if drop or not request.extract:
        return found._replace(drop=drop)
    return found._replace(text=text, extractor="as given")


def _limits(page: Page, config: Config) -> Drop | None:
    if page.nodes > config.nodes:
        return Drop("too_many_nodes", page.nodes, config.nodes)
    if page.depth > config.depth:
        return Drop("too_deep", page.depth, config.depth)
    return None


def _language_and_length(
    found: Capture, sample: str, config: Config
) -> tuple[Drop | None, Capture]:
    chars, least = found.visible_chars or 0, config.min_visible_chars
    if least is not None and chars < least:
        # A Han, kana or Hangul character says about as much as two letters.
        chars += int(chars * len(_DENSE.findall(sample)) / max(len(sample), 1))
        if chars < least:
            return Drop("too_short", chars, least), found
    guess = detect(sample)
    found = found._replace(language=guess.language, script=guess.script)
    if config.languages is not None and guess.language not in config.languages:
        return Drop("language", guess.confidence, None, guess.language), found
    return None, found


def _links(url: str, page: Page) -> tuple[tuple[str, int, int], ...]:
    """Out-links counted by target host, sorted; links within the host itself are left out."""
    base = urls.resolve(url, page.base_href) if page.base_href else None
    own, counts = urls.host_of(url), dict[str, list[int]]()
    for href, nofollow in page.links:
        target = urls.resolve(base or url, href)
        if target is None:
            continue
        host = urls.host_of(target)
        if host and host != own:
            pair = counts.setdefault(host, [0, 0])
            pair[0] += 1
            pair[1] += nofollow
    return tuple((host, n, nf) for host, (n, nf) in sorted(counts.items()))
