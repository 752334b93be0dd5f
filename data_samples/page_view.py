"""What a site template is given: the page, its site, and the strings and links around the text."""

from __future__ import annotations

import json
from dataclasses import dataclass, field, replace
from datetime import datetime
from hashlib import sha256

from page_text import Block, Post, block_html, escape, link_phrase, main_text

MONTHS = {
    "en": "January February March April May June July August September October November December",
    "de": "Januar Februar März April Mai Juni Juli August September Oktober November Dezember",
    "es": "enero febrero marzo abril mayo junio julio agosto septiembre octubre noviembre "
    "diciembre",
    "ru": "января февраля марта апреля мая июня июля августа сентября октября ноября декабря",
}


def number(key: str, limit: int) -> int:
    """A number below `limit` that depends on the key alone: all the chance this crawl has."""
    return int.from_bytes(sha256(key.encode()).digest()[:8], "big") % limit


@dataclass(frozen=True)
class Link:
    href: str
    anchor: str
    rel: str = ""

    def html(self) -> str:
        rel = f' rel="{self.rel}"' if self.rel else ""
        return f'<a href="{escape(self.href)}"{rel}>{escape(self.anchor)}</a>'


@dataclass(frozen=True)
class Page:
    """A document before any template. `key` is SITE/SLUG, `extra` what cases.yaml asks for."""

    key: str
    site: dict
    url: str
    kind: str
    lang: str
    title: str
    published: datetime
    by: str = ""
    blocks: tuple[Block, ...] = ()
    posts: tuple[Post, ...] = ()
    specs: tuple[tuple[str, str], ...] = ()
    price: str = ""
    group: str | None = None
    case: str | None = None
    extra: dict = field(default_factory=dict)

    @property
    def all_blocks(self) -> tuple[Block, ...]:
        """All that belongs to the main text, in page order."""
        posts = tuple(block for post in self.posts for block in post.blocks)
        rows = tuple(f"{name}\t{value}" for name, value in self.specs)
        return self.blocks + posts + ((Block("table", rows),) if rows else ())

    @property
    def text(self) -> str | None:
        return main_text(self.all_blocks) or None

    def with_extra(self, **more: object) -> Page:
        return replace(self, extra={**self.extra, **more})


@dataclass(frozen=True)
class View:
    """A page and everything around it. `t` holds the words of the page's language."""

    page: Page
    t: dict
    menu: tuple[Link, ...]
    related: tuple[Link, ...]
    links: tuple[Link, ...]
    stray: tuple[Link, ...] = ()
    content: str = ""
    inline_href: str = ""
    head: str = ""

    @property
    def site(self) -> dict:
        return self.page.site

    @property
    def lang_attr(self) -> str:
        codes = {"en": "en-GB", "Hans": "zh-CN", "Hant": "zh-TW"}
        lang = self.page.lang
        code = codes.get(self.site.get("script", "") if lang == "zh" else lang, lang)
        return self.site.get("html_lang", code)

    def esc(self, text: str) -> str:
        return escape(text, self.site.get("entities", False))

    def word(self, name: str) -> str:
        """A phrase of the page's language; of those with two forms the one this site uses."""
        value = self.t[name]
        return self.esc(value if isinstance(value, str) else value[number(self.site["key"], 2)])

    def date(self) -> str:
        day = self.page.published
        if self.page.lang in MONTHS:
            month = MONTHS[self.page.lang].split()[day.month - 1]
            form = {"de": "{}. {} {}", "es": "{} de {} de {}"}.get(self.page.lang, "{} {} {}")
            return self.esc(form.format(day.day, month, day.year))
        return f"{day.year}年{day.month}月{day.day}日"

    def pieces(self, style: str) -> list[str]:
        """The content, block by block, so that a template can put something in between."""
        if self.content:
            return [self.content]
        entities = self.site.get("entities", False)
        pieces = [block_html(block, style, entities) for block in self.page.blocks]
        if self.inline_href and len(pieces) > 1 and style in ("html5", "span"):
            inner = pieces[1].removeprefix("<p>")
            if inner != pieces[1] and not entities:
                pieces[1] = "<p>" + link_phrase(inner, self.inline_href)
        depth = self.page.extra.get("nesting", 0)
        if depth:
            pieces = ["<div>" * depth, *pieces, "</div>" * depth]
        return pieces

    def body(self, style: str = "html5") -> str:
        return "\n".join(self.pieces(style))

    def list(self, links: tuple[Link, ...], item: str = "<li>{}</li>", glue: str = "\n") -> str:
        return glue.join(item.format(link.html()) for link in links)

    def head_html(self, charset_meta: bool = True) -> str:
        """Title, description, canonical link and what the case adds; the charset where declared."""
        page = self.page
        charset = self.site.get("declared_charset", "utf-8")
        meta = f'<meta charset="{charset}">\n' if charset_meta and self.declares_meta else ""
        names = [page.title, self.site["name"]] if page.title else [self.site["name"]]
        title = self.esc(" | ".join(dict.fromkeys(names)))
        canonical = f'<link rel="canonical" href="{escape(page.url)}">'
        base = self.site.get("base")
        base = f'<base href="https://{self.site["host"]}{base}">\n' if base else ""
        return f"{meta}{base}<title>{title}</title>\n{canonical}\n{self.head}"

    @property
    def declares_meta(self) -> bool:
        return self.site.get("declare", "meta") in ("meta", "both")

    def json_ld(self, kind: str) -> str:
        data = {
            "@context": "https://schema.org",
            "@type": kind,
            "headline" if kind.endswith("Article") else "name": self.page.title,
            "datePublished": self.page.published.strftime("%Y-%m-%d"),
            "author": {"@type": "Person", "name": self.page.by or self.site["name"]},
        }
        body = json.dumps(data, ensure_ascii=True)
        return f'<script type="application/ld+json">{body}</script>'
