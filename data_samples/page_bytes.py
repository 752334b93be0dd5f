"""The bytes of a capture and its row in the truth table: charset, damage, transfer, headers."""

from __future__ import annotations

import zlib
from datetime import datetime, timedelta
from urllib.parse import urlsplit

import brotli
from page_plan import World, render
from page_text import Block, escape, main_text, plain
from page_view import Page, number
from warc_records import Capture, Headers, http_date

BOMS = {"utf-8": b"\xef\xbb\xbf", "utf-16-le": b"\xff\xfe", "utf-16-be": b"\xfe\xff"}
STRAY_BYTES = {"nul_bytes": b"\x00" * 16, "invalid_utf8": b"<i>\xff\xfe\xc3(\xed\xa0\x80\x9f</i>"}
SERVERS = ("nginx/1.24.0", "Apache/2.4.62 (Debian)", "nginx", "LiteSpeed", "Microsoft-IIS/10.0")
ROBOTS_OPT_OUT = {"block_ai": "robots_ai_agents", "ai_train": "robots_ai_train"}


def encoded(html: str, charset: str) -> bytes:
    """Characters the charset lacks become numeric references, as an editor of the time would do."""
    return html.encode(charset, "xmlcharrefreplace")


def site_of(world: World, url: str) -> dict:
    host = urlsplit(url).netloc
    hosts = {site["host"].removeprefix("www."): site for site in world.sites.values()}
    return hosts[host.removeprefix("www.")]


def last_block(page: Page) -> tuple[Block, str]:
    """The last block of the page and the HTML of its first line's beginning, to find it by."""
    block = page.blocks[-1]
    return block, escape(plain(block.lines[0])[:20], page.site.get("entities", False))


def capture_page(
    world: World, page: Page, url: str, date: datetime, status: int = 200, reason: str = "OK"
) -> Capture:
    """One fetch of a page in its template, with everything its `extra` asks for."""
    html = render(world, page)
    extra, site = page.extra, page.site
    charset = extra.get("charset", site.get("charset", "utf-8"))
    body = BOMS.get(extra.get("bom", ""), b"") + encoded(html, charset)
    text, damage = page.text, extra.get("damage")
    if damage == "truncated":
        block, mark = last_block(page)
        html = html[: html.rindex(mark)]
        inside = encoded(block.lines[0], charset)
        body = encoded(html, charset) + inside[: len(inside) // 2 | 1]
        text = main_text(page.blocks[:-1])
    elif damage in STRAY_BYTES:
        blocks = page.all_blocks
        mark = encoded(escape(plain(blocks[1].lines[0])[:20]), charset)
        place = body.rindex(mark)
        body = body[:place] + STRAY_BYTES[damage] + body[place:]
    declared = "header_charset" in extra or site["declare"] in ("header", "both")
    label = extra.get("header_charset", site["declared_charset"])
    if "charset" in extra:
        declared = False
    mime = f"text/html; charset={label}" if declared else "text/html"
    truth = truth_row(world, page, html, url, status, charset, text)
    headers = base_headers(site, date, mime) + list(extra.get("headers", []))
    stored, more = sent(body, extra.get("transfer"), site, damage == "truncated")
    return Capture(
        url=url,
        date=date,
        status=status,
        reason=reason,
        headers=headers + more,
        body=stored,
        mime="text/html",
        truth={**truth, "mime": mime},
        html=html,
        detected={"gbk": "GB18030", "gb2312": "GB18030"}.get(charset, charset.upper()),
        lf_only_head=damage == "lf_only_head",
        truncated=damage == "truncated",
        after_garbage=damage == "after_garbage",
    )


def base_headers(site: dict, date: datetime, mime: str) -> Headers:
    server = "GitHub.com" if site["host"].endswith("github.io") else SERVERS[number(site["key"], 5)]
    headers = [("Date", http_date(date)), ("Server", server)]
    if mime:
        headers.append(("Content-Type", mime))
    if number(site["key"] + " modified", 2):
        headers.append(("Last-Modified", http_date(date - timedelta(days=40))))
    return headers


def sent(body: bytes, how: str | None, site: dict, truncated: bool) -> tuple[bytes, Headers]:
    """The body as stored and the headers that say so. Without `how` many crawlers store the body
    decoded and keep the coding under another name, which is a trap for readers."""
    if how is None:
        headers = [("Content-Length", str(len(body) + (9000 if truncated else 0)))]
        if number(site["key"] + " coding", 5) < 2:
            headers.insert(0, ("X-Crawler-Content-Encoding", "gzip"))
        return body, headers
    headers = []
    if "gzip" in how:
        packed = zlib.compressobj(9, zlib.DEFLATED, 31)
        body = packed.compress(body) + packed.flush()
        headers.append(("Content-Encoding", "gzip"))
    elif "deflate" in how:
        packed = zlib.compressobj(9, zlib.DEFLATED, -15 if how == "raw-deflate" else 15)
        body = packed.compress(body) + packed.flush()
        headers.append(("Content-Encoding", "deflate"))
    elif how == "br":
        body = brotli.compress(body)
        headers.append(("Content-Encoding", "br"))
    if "chunked" in how:
        cuts = range(0, len(body), 1777)
        chunks = [b"%x\r\n%b\r\n" % (len(body[c : c + 1777]), body[c : c + 1777]) for c in cuts]
        return b"".join(chunks) + b"0\r\n\r\n", [*headers, ("Transfer-Encoding", "chunked")]
    return body, [*headers, ("Content-Length", str(len(body)))]


def truth_row(
    world: World,
    page: Page,
    html: str,
    url: str,
    status: int,
    charset: str | None,
    text: str | None,
) -> dict:
    site, ok = page.site, status == 200
    content = ok and page.kind not in ("listing", "soft_404", "parked")
    is_page = ok and page.kind not in ("soft_404", "error")
    return {
        "url": url,
        "host": urlsplit(url).netloc,
        "site": site["site"],
        "kind": page.kind,
        "case": page.case,
        "language": page.lang if is_page else None,
        "script": site.get("script") if is_page and page.lang == "zh" else None,
        "title": page.title or None if content else None,
        "main_text": text if content else None,
        "must_not": must_not(world, page, html) if is_page else [],
        "duplicate_group": page.group,
        "spam": site.get("spam", False),
        "opt_out": page.extra.get("opt_out") or robots_opt_out(world, site, url),
        "licence": page.extra.get("licence"),
        "damage": page.extra.get("damage"),
        "http_status": status,
        "charset": charset,
    }


def robots_opt_out(world: World, site: dict, url: str) -> str | None:
    """What the robots.txt of exactly this host says about this address, if it says no."""
    if urlsplit(url).netloc != site["host"]:
        return None
    policy = site.get("robots")
    if policy == "private":
        return "robots_path" if urlsplit(url).path.startswith("/private/") else None
    return ROBOTS_OPT_OUT.get(policy or "")


def must_not(world: World, page: Page, html: str) -> list[str]:
    """Up to three phrases of the frame that stand in this page and belong to no main text."""
    if page.kind in ("spam", "parked"):
        return []
    site = page.site
    words = world.chrome[f"zh-{site['script']}" if page.lang == "zh" else page.lang]
    names = [
        "newsletter",
        "comments",
        "cookie",
        "forumrules",
        "online",
        "delivery",
        "share",
        "related",
    ]
    phrases = [words[name] for name in names]
    flat = [p for phrase in phrases for p in (phrase if isinstance(phrase, list) else [phrase])]
    entities = site.get("entities", False)
    found = [p for p in (site["footer"], site["about"], *flat) if escape(p, entities) in html]
    return found[:1] + found[2:4] if len(found) > 3 else found[:3]


def simple_capture(
    world: World,
    url: str,
    date: datetime,
    body: bytes,
    mime: str,
    kind: str,
    case: str | None = None,
    status: int = 200,
    reason: str = "OK",
    headers: Headers | None = None,
) -> Capture:
    """A capture that no template makes: robots.txt, redirects, files."""
    site = site_of(world, url)
    page = Page(url, site, url, kind, site["lang"], "", date, case=case)
    row = truth_row(world, page, "", url, 0, None, None)
    textual = mime.startswith("text/") and not body.startswith(b"\x89")
    opt_out = None if kind == "robots" else row["opt_out"]
    length = [("Content-Length", str(len(body)))] if status != 304 else []
    return Capture(
        url=url,
        date=date,
        status=status,
        reason=reason,
        headers=base_headers(site, date, mime) + (headers or []) + length,
        body=body,
        mime=mime.split(";")[0],
        truth={
            **row,
            "http_status": status,
            "charset": "utf-8" if textual else None,
            "opt_out": opt_out,
            "mime": mime or None,
        },
    )
