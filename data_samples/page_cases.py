"""From pages to captures: what single captures are like, and all that is no page at all.

cases.yaml names them; this file knows how each is made. The order of the result is fixed.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from hashlib import sha256
from urllib.parse import urlsplit

from page_bytes import capture_page, simple_capture
from page_plan import World, listings, observations
from page_text import edit, parse_blocks, parse_posts
from page_view import Link, Page, number
from warc_records import Capture, http_date

ROBOTS = {
    "allow": "User-agent: *\nDisallow: /admin/\nDisallow: /search\n\n"
    "Sitemap: https://{host}/sitemap.xml\n",
    "block_ai": "User-agent: *\nDisallow: /preview/\n\n"
    "User-agent: GPTBot\nUser-agent: CCBot\nDisallow: /\n",
    "ai_train": "User-Agent: *\nContent-Signal: search=yes, ai-train=no\nAllow: /\n",
    "private": "User-agent: *\nDisallow: /private/\nDisallow: /basket\n",
}
# A PNG of one transparent pixel, its data in a stored block.
PNG = bytes.fromhex(
    "89504e470d0a1a0a0000000d49484452000000010000000108060000001f15c48900000010494441"
    "547801010500faff000000000000050001647895380000000049454e44ae426082"
)


def fetched(url: str) -> datetime:
    """The first visits fall on the 5th to the 15th of October 2026."""
    return datetime(2026, 10, 5, 1, 0) + timedelta(seconds=number(url + " fetched", 11 * 86400))


def again(url: str) -> datetime:
    """Second visits: the 18th and 19th."""
    return datetime(2026, 10, 18, 2, 0) + timedelta(seconds=number(url + " again", 36 * 3600))


def all_captures(world: World) -> list[Capture]:
    pages = marked_pages(world)
    first = {
        page.key: capture_page(world, page, page.url, fetched(page.url)) for page in pages.values()
    }
    captures = list(first.values())
    captures += [capture_page(world, page, page.url, fetched(page.url)) for page in listings(world)]
    captures += url_variants(world, pages)
    captures += recaptures(world, pages)
    captures += revisits(world, pages, first)
    captures += robots(world)
    captures += answers(world)
    captures += nonhtml(world)
    return captures


def marked_pages(world: World) -> dict[str, Page]:
    """The pages with all that cases.yaml says about their first capture."""
    pages, cases = dict(world.pages), world.cases

    def mark(key: str, **extra: object) -> None:
        pages[key] = pages[key].with_extra(**extra)

    copied = [key for keys in cases["mirrors"].values() for key in keys]
    for name in ("near_copies", "url_variants", "recaptures", "revisits"):
        copied += [item["page"] for item in cases[name] if "rewrite" not in item]
    for key in copied:
        pages[key] = replace(pages[key], group=key)
    for how, keys in cases["transfer"].items():
        for key in keys:
            mark(key, transfer=how)
    for item in cases["charsets"]:
        names = {"header": "header_charset", "label": "damage"}
        mark(item["page"], **{names.get(k, k): v for k, v in item.items() if k != "page"})
    for label, keys in cases["damage"].items():
        for key in keys:
            mark(key, damage=label)
            if label == "deep_nesting":
                mark(key, nesting=400)
            if label == "large_page":
                pages[key] = replace(pages[key], blocks=(*pages[key].blocks, observations(4000)))
    signals = {
        "x_robots_noai": {"headers": [("X-Robots-Tag", "noai, noimageai")]},
        "meta_noai": {"head": '<meta name="robots" content="noai, noimageai">\n'},
        "tdm_header": {"headers": [("tdm-reservation", "1")]},
        "tdm_meta": {"head": '<meta name="tdm-reservation" content="1">\n'},
    }
    for signal, keys in cases["opt_out"].items():
        for key in keys:
            mark(key, opt_out=signal, **signals[signal])
    for key, target, rel in cases["stray_links"]:
        site = world.sites[target]
        word = site["keywords"][number(key, len(site["keywords"]))]
        mark(key, stray=(Link(f"https://{site['host']}/", word, rel),))
    for key, page in pages.items():
        if licence := page.site.get("licence"):
            head = f'<link rel="license" href="{licence}">\n' + page.extra.get("head", "")
            pages[key] = page.with_extra(head=head, licence=licence)
    return pages


def url_variants(world: World, pages: dict[str, Page]) -> Iterator[Capture]:
    for item in world.cases["url_variants"]:
        page, how = pages[item["page"]], item["how"]
        url, join = page.url, "&" if "?" in page.url else "?"
        if how == "utm":
            url += join + "utm_source=letter&utm_medium=email&utm_campaign=oct26"
        elif how == "session":
            url += f"{join}PHPSESSID={sha256(url.encode()).hexdigest()[:32]}"
        elif how == "query":
            url += join + "from=timeline&isappinstalled=0"
        elif how == "slash":
            url = url.removesuffix("/") if url.endswith("/") else url + "/"
        elif how == "http":
            url = url.replace("https://", "http://")
        elif how == "www":
            url = (
                url.replace("://www.", "://") if "://www." in url else url.replace("://", "://www.")
            )
        yield capture_page(world, replace(page, case=f"url_variant_{how}"), url, fetched(url))


def recaptures(world: World, pages: dict[str, Page]) -> Iterator[Capture]:
    for item in world.cases["recaptures"]:
        page, case = pages[item["page"]], "recapture_same"
        source = item.get("rewrite") or edit(page.extra["source"], item)
        if source != page.extra["source"] and {"rewrite", "append", "replace"} & item.keys():
            posts = parse_posts(source)
            page = replace(page, posts=posts, blocks=() if posts else parse_blocks(source))
            case = "recapture_changed"
        if "rewrite" in item:
            page, case = replace(page, group=None), "recapture_rewritten"
        if "counter" in item:
            footer = f"{page.site['footer']} [{20000 + number(page.key, 70000)}]"
            page, case = replace(page, site={**page.site, "footer": footer}), "recapture_changed"
        yield capture_page(world, replace(page, case=case), page.url, again(page.url))


def revisits(world: World, pages: dict[str, Page], first: dict[str, Capture]) -> Iterator[Capture]:
    for item in world.cases["revisits"]:
        page, earlier = pages[item["page"]], first[item["page"]]
        date, server = again(page.url), item.get("server", False)
        refers = [
            ("WARC-Refers-To", earlier.id),
            ("WARC-Refers-To-Target-URI", earlier.url),
            ("WARC-Refers-To-Date", f"{earlier.date:%Y-%m-%dT%H:%M:%SZ}"),
        ]
        headers = [("Date", http_date(date)), *(h for h in earlier.headers if h[0] != "Date")]
        if server:
            headers = [h for h in headers if h[0] in ("Date", "Server")] + [("ETag", '"5f2a91"')]
        truth = {
            **earlier.truth,
            **dict.fromkeys(
                ("language", "script", "title", "main_text", "charset", "damage", "mime")
            ),
            "kind": "revisit",
            "must_not": [],
            "case": "revisit_"
            + ("server_304" if server else "digest" if item["refers"] else "bare"),
            "http_status": 304 if server else 200,
        }
        yield Capture(
            url=page.url,
            date=date,
            status=304 if server else 200,
            reason="Not Modified" if server else "OK",
            headers=headers,
            body=b"",
            mime="",
            truth=truth,
            refers_to=earlier,
            server_not_modified=server,
            warc_headers=refers if item["refers"] else [],
        )


def robots(world: World) -> Iterator[Capture]:
    for site in world.sites.values():
        if "robots" in site:
            url = f"https://{site['host']}/robots.txt"
            body = ROBOTS[site["robots"]].format(host=site["host"]).encode()
            yield simple_capture(
                world, url, fetched(url), body, "text/plain", "robots", case=site["robots"]
            )


def answers(world: World) -> Iterator[Capture]:
    """Redirects, errors, soft errors, empty bodies, and 304 as a plain response."""
    reasons = {301: "Moved Permanently", 302: "Found", 304: "Not Modified", 404: "Not Found"}
    reasons |= {410: "Gone", 500: "Internal Server Error", 200: "OK"}
    for item in world.cases["redirects"]:
        status, reason = item["status"], reasons[item["status"]]
        body = (
            f"<html>\r\n<head><title>{status} {reason}</title></head>\r\n<body>\r\n"
            f"<center><h1>{status} {reason}</h1></center>\r\n"
            "<hr><center>nginx</center>\r\n</body>\r\n</html>\r\n"
        )
        yield simple_capture(
            world,
            item["url"],
            fetched(item["url"]),
            body.encode(),
            "text/html",
            "redirect",
            status=status,
            reason=reason,
            headers=[("Location", item["to"])],
        )
    for name, kind in (("errors", "error"), ("soft_404", "soft_404")):
        for item in world.cases[name]:
            site = world.sites[item["site"]]
            url = f"https://{site['host']}{item['path']}"
            words = world.chrome[f"zh-{site['script']}" if site["lang"] == "zh" else site["lang"]]
            page = Page(
                url, site, url, kind, site["lang"], "404" if kind == "error" else "", fetched(url)
            )
            page = page.with_extra(content=f"<p>{words['nofound']}</p>")
            status = item.get("status", 200)
            yield capture_page(world, page, url, fetched(url), status, reasons[status])
    for item in world.cases["empty_bodies"]:
        url = f"https://{world.sites[item['site']]['host']}{item['path']}"
        yield simple_capture(world, url, fetched(url), item["body"].encode(), "text/html", "empty")
    for item in world.cases["not_modified"]:
        url = f"https://{world.sites[item['site']]['host']}{item['path']}"
        yield simple_capture(
            world,
            url,
            fetched(url),
            b"",
            "",
            "not_modified",
            status=304,
            reason=reasons[304],
            headers=[("ETag", '"33d-61"')],
        )


def nonhtml(world: World) -> Iterator[Capture]:
    for item in world.cases["nonhtml"]:
        url = f"https://{world.sites[item['site']]['host']}{item['path']}"
        made = {"png": lambda _: PNG, "pdf": pdf, "text": str.encode}[item["make"]](
            item.get("text", "")
        )
        name = urlsplit(url).path.rsplit(".", 1)[-1]
        yield simple_capture(world, url, fetched(url), made, item["type"], "nonhtml", case=name)


def pdf(text: str) -> bytes:
    """A valid PDF of one page with one line, its cross-reference table counted by hand."""
    stream = f"BT /F1 18 Tf 60 740 Td ({text}) Tj ET"
    objects = [
        "<< /Type /Catalog /Pages 2 0 R >>",
        "<< /Type /Pages /Kids [3 0 R] /Count 1 >>",
        "<< /Type /Page /Parent 2 0 R /MediaBox [0 0 595 842] /Contents 4 0 R"
        " /Resources << /Font << /F1 5 0 R >> >> >>",
        f"<< /Length {len(stream)} >>\nstream\n{stream}\nendstream",
        "<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>",
    ]
    out, offsets = "%PDF-1.4\n", []
    for place, body in enumerate(objects, 1):
        offsets.append(len(out))
        out += f"{place} 0 obj\n{body}\nendobj\n"
    start = len(out)
    out += f"xref\n0 {len(objects) + 1}\n0000000000 65535 f \n"
    out += "".join(f"{offset:010} 00000 n \n" for offset in offsets)
    out += f"trailer\n<< /Size {len(objects) + 1} /Root 1 0 R >>\nstartxref\n{start}\n%%EOF\n"
    return out.encode()
