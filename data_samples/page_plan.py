"""Which pages the crawl has: read the texts and the sites, give each page its address and links.

The result is a list of Page values in a fixed order. What is special about single captures of
them (copies, damage, encodings) comes later, in page_cases.py.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path
from urllib.parse import quote, urlsplit

import page_templates
import page_templates_more
import yaml
from page_text import Block, edit, escape, parse_blocks, parse_posts, plain
from page_view import Link, Page, View, number

HERE = Path(__file__).parent
TEXT_FILES = (
    "texts_en_1 texts_en_2 texts_de texts_es texts_ru texts_ja texts_zh_hans texts_zh_hant "
    "texts_more"
).split()
ARCHIVES = (
    "wordpress",
    "news",
    "tables",
    "discuz",
)  # sites of these templates have a second listing


def load(name: str) -> dict:
    return yaml.safe_load((HERE / f"{name}.yaml").read_text(encoding="utf-8"))


@dataclass(frozen=True)
class World:
    """All written input. `by_site` lists the pages of each site, for menus and related links."""

    sites: dict[str, dict]
    chrome: dict[str, dict]
    cases: dict
    spam: dict
    pages: dict[str, Page]
    by_site: dict[str, list[Page]]


def read_world() -> World:
    sites = load("sites")
    for key, site in sites.items():
        site["key"] = key
        site.setdefault("host", key)
        site.setdefault("site", key)
        site.setdefault("links", [])
        site.setdefault("declared_charset", site.get("charset", "utf-8"))
        site.setdefault("declare", ("both", "meta", "header")[number(f"{key} declare", 3)])
    cases, spam = load("cases"), load("texts_spam")
    pages = [
        make_page(sites[key], item)
        for name in TEXT_FILES
        for key, items in load(name).items()
        for item in items
    ]
    pages += copies({page.key: page for page in pages}, sites, cases)
    pages += [page for item in cases["id_pages"] for page in id_pages(sites[item["site"]], item)]
    pages += [page for site in sites.values() if site.get("spam") for page in junk(site, spam)]
    by_site: dict[str, list[Page]] = {key: [] for key in sites}
    for page in pages:
        by_site[page.site["key"]].append(page)
    return World(sites, load("texts_chrome"), cases, spam, {p.key: p for p in pages}, by_site)


def published(key: str) -> datetime:
    return datetime(2025, 1, 4, 9, 30) + timedelta(hours=number(key + " published", 24 * 630))


def make_page(site: dict, item: dict) -> Page:
    slug = str(item["slug"])
    key = f"{site['key']}/{slug}"
    date = published(key)
    path = item.get("path") or site["path"].format(
        slug=slug, n=1000 + number(key, 9000), mm=f"{date.month:02}"
    )
    posts = parse_posts(item["text"])
    return Page(
        key=key,
        site=site,
        url=f"https://{site['host']}{quote(path, safe='/?=&')}",
        kind="article" if "path" in item else site["kind"],
        lang=item.get("lang", site["lang"]),
        title=item["title"],
        published=date,
        by=item.get("by", ""),
        blocks=() if posts else parse_blocks(item["text"]),
        posts=posts,
        specs=tuple((name, str(value)) for name, value in item.get("specs", {}).items()),
        price=item.get("price", ""),
        case=site.get("case"),
        extra={"source": item["text"]},
    )


def copies(pages: dict[str, Page], sites: dict, cases: dict) -> list[Page]:
    """Mirrored and lightly changed copies on other sites; they share their original's group."""
    wanted = [
        ({"page": key, "at": at}, "mirror") for at, keys in cases["mirrors"].items() for key in keys
    ]
    wanted += [(how, "near_copy") for how in cases["near_copies"]]
    made = []
    for how, case in wanted:
        source = pages[how["page"]]
        slug = source.key.rsplit("/", 1)[-1]
        item = {"slug": slug, "title": source.title, "lang": source.lang, "by": source.by}
        page = make_page(sites[how["at"]], {**item, "text": edit(source.extra["source"], how)})
        made.append(replace(page, group=source.key, case=case))
    return made


def id_pages(site: dict, item: dict) -> list[Page]:
    made = []
    for name in item["ids"]:
        key = f"{site['key']}{item['path'].format(id=name)}"
        date = published(key)
        text = item["text"].replace("{id}", name).replace("{date}", f"{date:%Y-%m-%d}")
        fields = {"slug": name, "title": item["title"].format(id=name), "text": text}
        page = make_page(site, {**fields, "path": item["path"].format(id=name)})
        made.append(replace(page, key=key, group=f"{site['key']}{item['path']}", case="id_page"))
    return made


def junk(site: dict, spam: dict) -> list[Page]:
    """Pages of a farm site, one a keyword, or of a parked domain."""
    made = []
    words = site["topics"][:2] if site["kind"] == "parked" else site["keywords"]
    for place, word in enumerate(words):
        slug = "" if place == 0 else f"{word.replace(' ', '-')}/"
        fields = {
            "slug": slug or "home",
            "title": word.capitalize(),
            "path": f"/{slug}",
            "text": "",
        }
        if site["kind"] == "parked":
            fields["path"] = "/" if place == 0 else f"/?q={word}"
            site["for_sale"] = spam["parked"][site["lang"]]
        elif site.get("doorway"):
            fields["title"] = spam["doorway_de"]["title"].replace("{c}", word)
            fields["text"] = spam["doorway_de"]["text"].replace("{c}", word)
        else:
            bank = spam["banks"][site["bank"]]
            order = sorted(bank, key=lambda line: number(f"{site['key']} {word} {line}", 2**60))
            lines = [line.replace("{k}", word) for line in order[:5]]
            glue = "" if site["lang"] in ("zh", "ja") else " "
            fields["text"] = glue.join(lines[:3]) + "\n\n" + glue.join(lines[3:])
        page = replace(make_page(site, fields), kind=site["kind"])
        group = f"{site['key']}/doorway" if site.get("doorway") else None
        made.append(replace(page, group=group, case="doorway" if group else None))
    return made


def listings(world: World) -> list[Page]:
    """The home page of every site that is not junk, and a second list for some."""
    made = []
    for key, site in world.sites.items():
        pages = [
            p for p in world.by_site[key] if p.case not in ("id_page",) and "private" not in p.url
        ]
        if site.get("spam") or not pages:
            continue
        url = f"https://{site['host']}/"
        home = Page(f"{key}/", site, url, "listing", site["lang"], site["name"], published(key))
        made.append(home.with_extra(listing=pages, teasers=True))
        if site["template"] in ARCHIVES:
            archive = replace(home, key=f"{key}/archive/", url=f"{home.url}archive/")
            made.append(archive.with_extra(listing=pages[::-1], teasers=False))
    return made


def listing_html(page: Page, words: dict) -> str:
    items = []
    for other in page.extra["listing"]:
        link = Link(path_of(other), other.title).html()
        blocks = other.all_blocks
        first = next(plain(b.lines[0]) for b in blocks if b.kind == "p")
        teaser = first[: 60 if page.lang in ("zh", "ja") else 110]
        if page.extra["teasers"]:
            items.append(
                f'<div class="item"><h3>{link}</h3><p>{escape(teaser)}... {words["more"]}</p></div>'
            )
        else:
            items.append(f'<li><span class="d">{other.published:%Y-%m-%d}</span> {link}</li>')
    return "\n".join(items) if page.extra["teasers"] else "<ul>\n" + "\n".join(items) + "\n</ul>"


def path_of(page: Page) -> str:
    """The address of a page as its own site links to it: relative to <base> where there is one."""
    parts = urlsplit(page.url)
    path = parts.path + (f"?{parts.query}" if parts.query else "")
    base = page.site.get("base")
    return path.removeprefix(base) or "./" if base else path


def outer_links(world: World, page: Page) -> tuple[Link, ...]:
    """Links to other sites: for good sites the ones they chose, for the farm all of the farm."""
    site = page.site
    if site["kind"] == "spam":
        farm = [s for s in world.sites.values() if s["kind"] == "spam" and s is not site]
        links = [
            Link(
                f"https://{s['host']}/",
                s["keywords"][number(page.key + s["key"], len(s["keywords"]))],
            )
            for s in farm
        ]
        if page.url.endswith(f"{site['host']}/"):
            good = ("lanternfish-lab.org", "wiki.smallrivers-almanac.org")
            links += [
                Link(f"https://{world.sites[key]['host']}/", world.sites[key]["name"])
                for key in good
            ]
        return tuple(links)
    if site["kind"] == "parked":
        ring = [s for s in world.sites.values() if s["kind"] == "parked"]
        at = ring.index(site)
        others = [ring[(at + step) % len(ring)] for step in (1, 2)]
        links = [Link(f"https://{s['host']}/", s["name"]) for s in others]
        return (*links, Link("https://bestluckyspins-77.com/", "lucky spins"))
    return tuple(
        Link(f"https://{world.sites[key]['host']}/", world.sites[key]["name"])
        for key in site["links"]
    )


def make_view(world: World, page: Page) -> View:
    site = page.site
    words = world.chrome[f"zh-{site['script']}" if page.lang == "zh" else page.lang]
    own = [p for p in world.by_site[site["key"]] if p.key != page.key and p.case != "id_page"]
    start = number(page.key + " related", max(1, len(own)))
    related = [(own + own)[start + step] for step in range(min(4, len(own)))]
    links = outer_links(world, page)
    inline = ""
    plain_page = not site.get("spam") and "damage" not in page.extra
    if plain_page and site["links"] and number(page.key, 3) == 0:
        target = world.sites[site["links"][number(page.key + " inline", len(site["links"]))]]
        inline = (world.by_site[target["key"]] or [page])[0].url
    menu = [Link(f"/c/{place + 1}/", label) for place, label in enumerate(site.get("menu", []))]
    return View(
        page=page,
        t=words,
        menu=tuple(menu),
        related=tuple(Link(path_of(p), p.title) for p in related)
        if site["kind"] != "parked"
        else tuple(Link(f"/?q={quote(w)}", w) for w in site["topics"]),
        links=links,
        stray=tuple(page.extra.get("stray", ())),
        content=page.extra.get("content", "")
        or (listing_html(page, words) if "listing" in page.extra else ""),
        inline_href=inline,
        head=page.extra.get("head", ""),
    )


def render(world: World, page: Page) -> str:
    """The page as HTML in its site's template."""
    name = page.site["template"]
    template = getattr(page_templates, name, None) or getattr(page_templates_more, name)
    return template(make_view(world, page))


def observations(rows: int) -> Block:
    """The table of the large page: a reading a day, made up by a slow and a fast cycle."""
    lines = ["fecha\tmínima\tmáxima\tlluvia\tnota"]
    day = datetime(1994, 10, 1)
    for place in range(rows):
        date = day + timedelta(days=place)
        season = (date.timetuple().tm_yday - 196) ** 2 / 5000
        low = 14 - season + number(f"low {place}", 60) / 10
        rain = max(0, number(f"rain {place}", 300) - 200) / 10
        note = "niebla" if number(f"fog {place}", 3) == 0 else ""
        high = low + 4 + number(f"high {place}", 60) / 10
        lines.append(f"{date:%Y-%m-%d}\t{low:.1f}\t{high:.1f}\t{rain:.1f}\t{note}")
    return Block("table", tuple(lines))
