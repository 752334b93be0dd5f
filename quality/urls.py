"""Cleaned URLs: one spelling for a page's address, a 64-bit key, and links made absolute.

A crawl meets the same page under many spellings: upper-case hosts, default ports, session ids,
campaign parameters, `%7e` for `~`. `canonical_url` settles what can be settled without asking the
server; `url_key` also folds what servers nearly always treat alike (http and https, a leading
`www.`, a final slash), so it is for grouping captures, never for fetching.

Syntax follows RFC 3986 section 6.2 where it speaks, and the WHATWG URL standard for what browsers
repair (backslashes, missing or extra slashes after the scheme, tabs inside). Only http and https
are web addresses here. No function raises on any string.
"""

from __future__ import annotations

import re
from functools import lru_cache
from ipaddress import AddressValueError, IPv6Address
from urllib.parse import quote, unquote

import idna
import xxhash

# Parameters that say where a click came from and never which page is meant, by who sets them.
# Names are compared in lower case. `ref`, `source`, `from`, `id` select content on many sites.
_TRACKING_BY_OWNER = {
    "Google Analytics, Ads, Merchant Center, DoubleClick": (
        "_ga _gl gclid gclsrc dclid gbraid wbraid gad_source gad_campaignid srsltid"
    ),
    "Facebook, Instagram": (
        "fbclid fb_action_ids fb_action_types fb_source fb_ref igshid igsh __tn__"
    ),
    "click ids of Microsoft, Yandex, X, TikTok, LinkedIn, Pinterest, Baidu": (
        "msclkid yclid ysclid _openstat twclid ref_src ttclid li_fat_id epik bd_vid"
    ),
    "Alibaba and Taobao position codes, WeChat share marks, Baidu Tongji campaigns": (
        "spm scm nsukey isappinstalled hmsr hmpl hmcu hmkw hmci"
    ),
    "newsletters: Mailchimp, Marketo, HubSpot, Vero, Omeda": (
        "mc_cid mc_eid mkt_tok _hsenc _hsmi __hssc __hstc __hsfp hsctatracking "
        "vero_id vero_conv oly_anon_id oly_enc_id"
    ),
    "affiliates and site analytics: Awin, Branch, Webtrekk, AT Internet, Piwik": (
        "zanpid _branch_match_id wt_mc xtor pk_campaign pk_kwd pk_keyword pk_medium pk_source"
    ),
    "WordPress: the same article, its reply form moved under a comment": "replytocom",
}
_TRACKING = frozenset(name for names in _TRACKING_BY_OWNER.values() for name in names.split())
_TRACKING_PREFIXES = (
    "utm_",  # Google Analytics campaigns
    "mtm_",  # Matomo campaigns
    "hsa_",  # HubSpot ads
    "aspsessionid",  # a session, not a campaign: classic ASP puts random letters after it
)
# A visit's id, by the software that sets it: PHP, Java, ColdFusion, Zen Cart, osCommerce.
_SESSION = frozenset({"phpsessid", "jsessionid", "cfid", "cftoken", "zenid", "oscsid", "sessid"})
# Names that also carry content: dropped only when the value looks random.
_MAYBE_SESSION = frozenset({"sid", "session", "session_id", "sessionid", "s_id"})
_RANDOM = re.compile(r"(?=[0-9]*[a-z])(?=(?:[a-z]*[0-9]){3})[0-9a-z]{16,}", re.I).fullmatch
# Java's `;jsessionid=` at the end of a segment, and ASP.NET's cookieless segment `/(S(...))`.
_PATH_SESSION = re.compile(
    r";(?:jsessionid|phpsessid)=[^/;]*|/\((?:[a-z]\([0-9a-z]{24,}\))+\)(?=/|$)", re.I
)

_UNRESERVED = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~"
# What may stand as it is in a path or query (RFC 3986 `pchar`, `/` and `?`).
_LITERAL = r"A-Za-z0-9\-._~!$&'()*+,;=:@/?"
_TO_NORMALISE = re.compile(rf"%[0-9A-Fa-f]{{2}}|%|[^{_LITERAL}%]+")
_ESCAPES = {
    f"%{a}{b}": chr(int(a + b, 16)) if chr(int(a + b, 16)) in _UNRESERVED else f"%{a}{b}".upper()
    for a in "0123456789ABCDEFabcdef"
    for b in "0123456789ABCDEFabcdef"
} | {"%": "%25"}

# Addresses that are their own canonical form: no query, no `;` or `(` (session ids), no dot
# segments, only escapes of non-ASCII bytes. Most captured pages; the rest take the long way.
_CANONICAL = re.compile(
    r"https?://[a-z0-9\-]+(?:\.[a-z0-9\-]+)+"
    r"(?:/(?!\.\.?(?:/|$))(?:[A-Za-z0-9\-._~!$&'*+,=:@]|%[89A-F][0-9A-F])*)+"
).fullmatch
_PARTS = re.compile(
    r"(https?):[/\\]*([^/\\?#]*)([^?#]*)(?:\?([^#]*))?(?:#(.*))?", re.I | re.S
).fullmatch
_AUTHORITY = re.compile(r"(?:.*@)?(\[[^\]]*\]|[^:]*)(?::([0-9]*))?", re.S).fullmatch
_HOST = re.compile(r"[a-z0-9_\-]+(?:\.[a-z0-9_\-]+)*").fullmatch
_PLAIN_HOST = re.compile(
    r"https?://([a-z0-9_\-]+(?:\.[a-z0-9_\-]+)*)(?::[0-9]{1,4})?(?=[/?#]|$)"
).match
_ABSOLUTE = re.compile(r"https?://[a-z0-9_\-]+(?:\.[a-z0-9_\-]+)*(?=[/?#]|$)", re.I).match
_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.\-]*):").match
_AROUND_PATH = re.compile(r"(https?:/*[^/?#]*)([^?#]*)(.*)", re.I | re.S).fullmatch
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
_SURROGATE = re.compile(r"[\ud800-\udfff]")
# Whitespace of any script, a byte order mark, and the `<...>` some crawlers wrote round addresses.
_AROUND = " \x85\xa0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a"
_AROUND += "\u2028\u2029\u202f\u205f\u3000\ufeff<>"
_DEFAULT_PORT = {"http": "80", "https": "443"}


def canonical_url(url: str) -> str:
    """Return the cleaned spelling of an http(s) address; idempotent, pure ASCII.

    Scheme and host in lower case, host in punycode (UTS 46) without a final dot, user and default
    port dropped, dot segments resolved, percent-encoding normalised (unreserved characters
    decoded, others upper-case; a lone `%` becomes `%25`), tracking parameters and session ids
    dropped, the rest sorted by name (equal names keep their order), fragment dropped unless it is
    a hashbang (`#!...`, once a page address for crawlers). Scheme and `www.` are kept: they may
    answer differently. Only `url_key` folds them.

    What is not an http(s) address with a usable host (no scheme, `ftp:`, a space or a broken IPv6
    address in the host) comes back stripped of control characters and outer whitespace and
    otherwise as it was, so that it still groups with itself; '' for nothing.
    """
    if _CANONICAL(url):
        return url
    text = _strip(url)
    parts = _PARTS(text)
    if not parts:
        return text
    scheme, authority, path, query, fragment = parts.groups()
    scheme = scheme.lower()
    netloc = _netloc(scheme, authority)
    if not netloc:
        return text
    path = _PATH_SESSION.sub("", normalise_escapes(path.replace("\\", "/")))
    result = f"{scheme}://{netloc}{_resolve_dots(path) or '/'}"
    if query:
        kept = _kept_parameters(normalise_escapes(query))
        if kept:
            result = f"{result}?{kept}"
    if fragment and fragment[0] == "!" and len(fragment) > 1:
        result = f"{result}#{normalise_escapes(fragment)}"
    return result


def url_key(url: str) -> int:
    """Return an unsigned 64-bit key (XXH3) of the page an address most likely means.

    Hashed is the canonical address without scheme, without a leading `www.` and without the slash
    at the end of its path; so http and https, `www.a.org/x/` and `a.org/x` share a key. An address
    that cannot be cleaned is hashed as `canonical_url` leaves it.
    """
    text = canonical_url(url)
    if text.startswith(("http://", "https://")):
        text = text[text.index("/") + 2 :]
        if text.startswith("www.") and "." in text[4 : text.find("/")]:
            text = text[4:]
        path, mark, rest = text.partition("?")
        if not mark:
            path, mark, rest = text.partition("#")
        text = path.removesuffix("/") + mark + rest
    return xxhash.xxh3_64_intdigest(text.encode("utf-8"))


def host_of(url: str) -> str:
    """Return the host of an http(s) address (lower case, punycode, IPv6 in brackets) or ''."""
    plain = _PLAIN_HOST(url)
    if plain:
        return plain[1]
    parts = _PARTS(_strip(url))
    return _host_and_port(parts[2])[0] if parts else ""


def resolve(base: str, href: str) -> str | None:
    """Return the absolute http(s) address a link points to, or None when it points to no page.

    `base` is the page's address (after its `<base href>`, itself resolved, if it has one); `href`
    the attribute value with entities decoded. None for other schemes (`javascript:`, `mailto:`,
    `data:`, ...), for a host no browser would accept, and for a relative link without a usable
    base. Fragments are cut (a link inside the page gives the page), hashbangs stay. The result is
    not canonical: pass it on to `host_of` or `canonical_url`.
    """
    if not href.isprintable() or href[:1] in " <" or href[-1:] in " >":
        href = _CONTROL.sub("", href).strip(_AROUND)
    cut = href.find("#")
    if cut >= 0 and not (href.startswith("#!", cut) and len(href) > cut + 2):
        href = href[:cut]
    if "\\" in href:
        path, mark, query = href.partition("?")
        href = path.replace("\\", "/") + mark + query
    if _ABSOLUTE(href):
        target = href
    else:
        scheme, origin, path, query = _split_base(base)
        other = _SCHEME(href)
        if other:
            name = other[1].lower()
            if name not in _DEFAULT_PORT:
                return None
            href = href[other.end() :]
            # Browsers read `https:x` as relative on an https page and as a host elsewhere.
            if name != scheme or href.startswith("//"):
                scheme, href = name, "//" + href.lstrip("/")
        if href.startswith("//"):
            target = f"{scheme or 'https'}:{href}"
            if not host_of(target):
                return None
        elif not origin:
            return None
        elif href.startswith("/"):
            target = origin + href
        elif href.startswith("?"):
            target = origin + path + href
        elif not href or href.startswith("#"):
            target = origin + path + query + href
        else:
            target = origin + path[: path.rindex("/") + 1] + href
    if "/." in target:
        before, path, after = _AROUND_PATH(target).groups()  # type: ignore[union-attr]
        return before + _resolve_dots(path) + after
    return target


def normalise_escapes(text: str) -> str:
    """Return a path or query in one percent-encoding (RFC 3986 section 6.2.2).

    Escapes of unreserved characters are decoded, other escapes written in upper case, characters
    that may not stand bare escaped as UTF-8 (lone surrogates as U+FFFD), a `%` without two hex
    digits becomes `%25`. Reserved characters stay as they came, bare or escaped.
    """
    return _TO_NORMALISE.sub(_escape, text)


@lru_cache(maxsize=256)
def _split_base(base: str) -> tuple[str, str, str, str]:
    """Scheme, scheme with host, path, and query with its `?`; all '' for an unusable base."""
    parts = _PARTS(_strip(base))
    if not parts:
        return "", "", "", ""
    scheme, authority, path, query, _ = parts.groups()
    netloc = _netloc(scheme.lower(), authority)
    if not netloc:
        return "", "", "", ""
    path = path.replace("\\", "/") or "/"
    return scheme.lower(), f"{scheme.lower()}://{netloc}", path, f"?{query}" if query else ""


def _strip(url: str) -> str:
    if not url.isprintable():
        url = _SURROGATE.sub("\ufffd", _CONTROL.sub("", url))
    return url.strip(_AROUND)


def _escape(match: re.Match[str]) -> str:
    found = match[0]
    return _ESCAPES.get(found) or quote(_SURROGATE.sub("\ufffd", found), safe="")


def _kept_parameters(query: str) -> str:
    kept = []
    for pair in query.split("&"):
        name, _, value = pair.partition("=")
        # `amp;` is what is left of a link whose `&amp;` was escaped twice.
        key = name.lower().removeprefix("amp;")
        if (
            not pair
            or key in _TRACKING
            or key in _SESSION
            or key.startswith(_TRACKING_PREFIXES)
            or (key in _MAYBE_SESSION and _RANDOM(value))
        ):
            continue
        kept.append((name, pair))
    kept.sort(key=lambda item: item[0])
    return "&".join([pair for _, pair in kept])


def _resolve_dots(path: str) -> str:
    """Remove `.` and `..` segments (RFC 3986 section 5.2.4) from a path that starts with `/`."""
    if "/." not in path:
        return path
    segments: list[str] = []
    names = path.split("/")[1:]
    for name in names:
        if name == "..":
            del segments[-1:]
        elif name != ".":
            segments.append(name)
    if names[-1] in (".", ".."):
        segments.append("")
    return "/" + "/".join(segments)


def _netloc(scheme: str, authority: str) -> str:
    host, port = _host_and_port(authority)
    return f"{host}:{port}" if host and port and port != _DEFAULT_PORT[scheme] else host


@lru_cache(maxsize=1 << 14)
def _host_and_port(authority: str) -> tuple[str, str]:
    """Clean host and port ('' if none) of `user@host:port`; two '' if either is unusable."""
    parts = _AUTHORITY(authority)
    host = _ascii_host(parts[1]) if parts else ""
    if not parts or not host:
        return "", ""
    digits = (parts[2] or "").lstrip("0") or (parts[2] or "")[:1]
    return (host, digits) if len(digits) < 6 and int(digits or 0) < 65536 else ("", "")


def _ascii_host(host: str) -> str:
    """Host in lower-case ASCII, or ''. UTS 46 without the registries' stricter rules: as browsers
    do, emoji and underscores pass, because pages are served from such names."""
    if host.startswith("["):
        try:
            return f"[{IPv6Address(host[1:-1]).compressed}]" if "%" not in host else ""
        except AddressValueError:
            return ""
    if len(host) > 1000:  # a DNS name has 253 bytes, escaped three times as many
        return ""
    if "%" in host:
        host = unquote(host)
    if not host.isascii():
        try:
            host = idna.uts46_remap(host, std3_rules=False)
        except UnicodeError:
            return ""
        host = ".".join(
            label if label.isascii() else "xn--" + label.encode("punycode").decode("ascii")
            for label in host.split(".")
        )
    host = host.lower().rstrip(".")
    return host if len(host) <= 253 and _HOST(host) else ""
