"""Cleaned URLs: hand-worked spellings, properties over messy addresses, urllib as the oracle."""

import json
import os
import time
from collections import defaultdict
from pathlib import Path
from urllib.parse import parse_qsl, quote, unquote_to_bytes, urlencode, urljoin, urlsplit

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from quality.urls import canonical_url, host_of, normalise_escapes, resolve, url_key

CLEANED = {
    # scheme, host, port, user, missing path
    "HTTP://WWW.Example.COM": "http://www.example.com/",
    "https://example.com:443/": "https://example.com/",
    "http://example.com:443/": "http://example.com:443/",
    "http://example.com:080/a": "http://example.com/a",
    "http://example.com.:/a": "http://example.com/a",
    "https://user:secret@example.com/a": "https://example.com/a",
    "http://good.com@evil.com/": "http://evil.com/",
    "https://bücher.de/ü?q=ü": "https://xn--bcher-kva.de/%C3%BC?q=%C3%BC",
    "https://FAß.de/": "https://xn--fa-hia.de/",
    "https://ＷＷＷ.例え。jp/": "https://www.xn--r8jz45g.jp/",
    "https://b%C3%BCcher.de/": "https://xn--bcher-kva.de/",
    "https://i❤.ws/": "https://xn--i-7iq.ws/",
    "http://[2001:DB8:0::1]:80/": "http://[2001:db8::1]/",
    "http://my_blog.tumblr.com/": "http://my_blog.tumblr.com/",
    # what browsers repair
    "  <http://example.com/a b>\n": "http://example.com/a%20b",
    "http:\\\\example.com\\a\\b?c=\\d": "http://example.com/a/b?c=%5Cd",
    "http:/example.com/a": "http://example.com/a",
    "https:example.com": "https://example.com/",
    "ht\ntp://exa\tmple.com/a\x00b": "http://example.com/ab",
    # dot segments, also escaped; empty segments are names of their own
    "http://a.com/b/./c/../d/%2e%2E/e": "http://a.com/b/e",
    "http://a.com/../../x/..": "http://a.com/",
    "http://a.com/x/.": "http://a.com/x/",
    "http://a.com//x//.well-known": "http://a.com//x//.well-known",
    # percent-encoding
    "http://a.com/%7euser/%e4%b8%ad%2f%3f": "http://a.com/~user/%E4%B8%AD%2F%3F",
    "http://a.com/100%/%zz?p=50%": "http://a.com/100%25/%25zz?p=50%25",
    "http://a.com/%%341": "http://a.com/%2541",
    'http://a.com/a"b|c?x[]=1&y={z}': "http://a.com/a%22b%7Cc?x%5B%5D=1&y=%7Bz%7D",
    "http://a.com/\ud800": "http://a.com/%EF%BF%BD",
    # fragments
    "http://a.com/#top": "http://a.com/",
    "http://a.com/#!/page/2": "http://a.com/#!/page/2",
    "http://a.com/#!": "http://a.com/",
    # parameters
    "http://a.com/?": "http://a.com/",
    "http://a.com/?b=2&&a=1&b=1": "http://a.com/?a=1&b=2&b=1",
    "http://a.com/?a&a=&A=1": "http://a.com/?A=1&a&a=",
    "http://a.com/?utm_source=x&UTM_Medium=y&id=7&gclid=z&fbclid=q": "http://a.com/?id=7",
    "http://a.com/?id=7&amp;utm_source=x": "http://a.com/?id=7",
    "http://a.com/?spm=a2.1&mc_eid=1&msclkid=2&yclid=3&_ga=4": "http://a.com/",
    "http://a.com/?ref=x&source=y&from=z&utmost=1": "http://a.com/?from=z&ref=x&source=y&utmost=1",
    # sessions; `sid` only with a random value
    "http://a.com/p.php?PHPSESSID=50855fe85c9b3d33&x=1": "http://a.com/p.php?x=1",
    "http://a.com/p.jsp;jsessionid=0A1B.node1?x=1": "http://a.com/p.jsp?x=1",
    "http://a.com/p;jsessionid=1;v=2/q": "http://a.com/p;v=2/q",
    "http://a.com/?ASPSESSIONIDQQBB=KJHG&x=1": "http://a.com/?x=1",
    "http://a.com/(S(lit3py55t21z5v55vlm25s55))/p.aspx": "http://a.com/p.aspx",
    "http://a.com/?sid=7avi5kekk4lplei99qg5682ur4": "http://a.com/",
    "http://a.com/?sid=42": "http://a.com/?sid=42",
    "http://a.com/?sid=2024010112345678": "http://a.com/?sid=2024010112345678",
    "http://a.com/?session=programming-languages-2": "http://a.com/?session=programming-languages-2",
    # no web address: stripped, otherwise as it was
    "": "",
    " \n": "",
    " example.com/a b ": "example.com/a b",
    "ftp://Example.com/": "ftp://Example.com/",
    "http://": "http://",
    "http:///?q": "http:///?q",
    "http://[::1": "http://[::1",
    "http://a b.com/": "http://a b.com/",
    "http://a..b.com/": "http://a..b.com/",
    "http://a.com:99999/": "http://a.com:99999/",
    "http://a.com:8x/": "http://a.com:8x/",
}


@pytest.mark.parametrize(("url", "cleaned"), CLEANED.items())
def test_canonical_spelling(url: str, cleaned: str) -> None:
    assert canonical_url(url) == cleaned


NAME = st.text("abcXYZ019-_~é中", min_size=1, max_size=6)
MESSY_PART = st.text(
    "aZ09-._~!$&'()*+,;=:@/?#[]%\\ \t\n\"<>|^`{}é中\u3002\ud800\x00\x85\xad", max_size=12
)
MESSY = st.builds(
    "{}{}{}{}{}".format,
    st.sampled_from(["http://", "HTTPS:", "https://", "http:/\\", "//", "", "<http://", "ftp://"]),
    st.one_of(
        st.sampled_from(["a.com", "WWW.A.com:80", "u@b.org:8080", "[::1]", "é.fr.", "%61.com"]),
        MESSY_PART,
    ),
    st.sampled_from(
        ["", "/", "/a/../b/%2e", "/x;jsessionid=1/y", "/(S(lit3py55t21z5v55vlm25s55))", "/%%341"]
    ),
    MESSY_PART,
    st.sampled_from(
        ["", "?utm_a=1&b=%41&a", "?amp;amp;utm_a", "#!x y", "#a", "?sid=a1b2c3d4e5f6a7b8"]
    ),
)


@settings(max_examples=1000)
@given(st.one_of(MESSY, st.text()))
def test_any_string_gives_a_stable_clean_answer(url: str) -> None:
    once = canonical_url(url)
    assert canonical_url(once) == once
    assert url_key(once) == url_key(url)
    assert not any(ord(c) < 32 or ord(c) == 127 for c in once)
    assert once == once.strip()
    host = host_of(url)
    assert host == host_of(once)
    if host:
        assert once.isascii()
        assert urlsplit(once).netloc.startswith(host)  # another parser reads the same host
        assert resolve(url, "") is not None
    resolve("http://a.com/b", url)


@given(
    st.lists(NAME, max_size=4),
    st.lists(st.tuples(NAME, st.text("aé &=+%/?#", max_size=5)), max_size=4),
)
def test_meaning_is_kept(segments: list[str], parameters: list[tuple[str, str]]) -> None:
    url = "http://a.com/" + "/".join(map(quote, segments)) + "?" + urlencode(parameters)
    cleaned = urlsplit(canonical_url(url))
    assert unquote_to_bytes(cleaned.path) == unquote_to_bytes(urlsplit(url).path)
    read = parse_qsl(cleaned.query, keep_blank_values=True)
    assert sorted(read) == sorted(parameters)
    for name, _ in parameters:  # the order of equal names may matter to a server
        assert [v for n, v in read if n == name] == [v for n, v in parameters if n == name]


def test_key_folds_what_servers_treat_alike_and_nothing_else() -> None:
    same = [
        "http://www.example.com/a/",
        "https://example.com/a",
        "https://EXAMPLE.com:443/a/?utm_source=x#frag",
        "http://www.example.com/a/?PHPSESSID=50855fe85c9b3d33",
    ]
    others = [
        "https://example.com/A",
        "https://www2.example.com/a",
        "https://example.com/a?x=1",
        "https://example.com:8443/a",
        "https://example.com/a/index.html",
        "https://example.com/a#!b",
        "https://example.com/",
    ]
    assert len({url_key(url) for url in same}) == 1
    assert len({url_key(url) for url in same + others}) == 1 + len(others)
    assert url_key("http://a.com/x/?q=1") == url_key("http://a.com/x?q=1")
    assert url_key("http://a.com/x/#!q") == url_key("http://a.com/x#!q")
    assert url_key("http://www.com/") != url_key("http://com/")
    # The value is stored in tables and must not change between versions: XXH3 of "example.com".
    assert url_key("https://www.example.com/") == 10044734154400447347
    assert 0 <= url_key("\ud800") < 2**64


# RFC 3986 section 5.4, with fragments cut and other schemes refused.
RFC_3986 = {
    "g": "http://a/b/c/g",
    "./g": "http://a/b/c/g",
    "g/": "http://a/b/c/g/",
    "/g": "http://a/g",
    "//g": "http://g",
    "?y": "http://a/b/c/d;p?y",
    "g?y": "http://a/b/c/g?y",
    "#s": "http://a/b/c/d;p?q",
    "g#s": "http://a/b/c/g",
    ";x": "http://a/b/c/;x",
    "g;x=1/../y": "http://a/b/c/y",
    "": "http://a/b/c/d;p?q",
    ".": "http://a/b/c/",
    "..": "http://a/b/",
    "../g": "http://a/b/g",
    "../../../g": "http://a/g",
    "/./g": "http://a/g",
    "g.": "http://a/b/c/g.",
    "..g": "http://a/b/c/..g",
    "./g/.": "http://a/b/c/g/",
    "g?y/./x": "http://a/b/c/g?y/./x",
    "http:g": "http://a/b/c/g",
    "g:h": None,
    "#!s": "http://a/b/c/d;p?q#!s",
}


@pytest.mark.parametrize(("href", "target"), RFC_3986.items())
def test_resolve_rfc_3986_examples(href: str, target: str | None) -> None:
    assert resolve("http://a/b/c/d;p?q", href) == target


@pytest.mark.parametrize(
    ("href", "target"),
    {
        "javascript:void(0)": None,
        " JavaScript:x": None,
        "mailto:a@b.c": None,
        "data:text/html,x": None,
        "tel:+1": None,
        "whatsapp://send": None,
        "http://": None,
        "https://#": None,
        "http://readings by poets, and others.": None,
        "http://[link]/": None,
        "http://{{host}}/x": None,
        " /x\n": "https://a.org/x",
        "\\\\b.org\\x": "https://b.org/x",
        "//b.org/x": "https://b.org/x",
        "http:b.org/x": "http://b.org/x",  # another scheme than the page's: a host, as browsers say
        "HTTPS://B.org:443": "https://B.org:443",
        "http://b.org/a/./b/../c": "http://b.org/a/c",
        "http://é.org/": "http://é.org/",
    }.items(),
)
def test_resolve_links_as_found_in_pages(href: str, target: str | None) -> None:
    assert resolve("https://A.org/dir/page?q#f", href) == target


def test_a_useless_base_still_lets_absolute_links_through() -> None:
    assert resolve("", "/x") is None
    assert resolve("about:blank", "x") is None
    assert resolve("", "http://a.com/x") == "http://a.com/x"


SEGMENT = st.sampled_from(["a", "b.html", "..", ".", "c;d=1", "%2e", "é"])
HREF = st.builds(
    "{}{}{}".format,
    st.sampled_from(["", "/", "//h.org/", "http://k.net/", "./", "../"]),
    st.lists(SEGMENT, max_size=4).map("/".join),
    st.sampled_from(["", "?q=1", "?x/../y", "#f"]),
)


@given(
    st.sampled_from(
        ["http://a.com", "https://a.com/x/y?z", "http://a.com/x/", "http://a.com/?a/b"]
    ),
    HREF,
)
def test_resolve_agrees_with_urljoin(base: str, href: str) -> None:
    target = resolve(base, href)
    assert target is not None
    # Compared cleaned: urljoin keeps fragments and `%2e`.
    assert canonical_url(target) == canonical_url(urljoin(base, href))


def test_host_of() -> None:
    assert host_of("HTTP://U:p@WWW.Example.com.:8080/x") == "www.example.com"
    assert host_of("https://bücher.de?x") == "xn--bcher-kva.de"
    assert host_of("http://user:80@evil.com/") == "evil.com"
    assert host_of("http://192.0.2.1/") == "192.0.2.1"
    assert host_of("http://[::1]:8080/") == "[::1]"
    for nothing in ("", "example.com/x", "mailto:a@b.c", "http://", "http://a b/"):
        assert host_of(nothing) == ""


def test_escapes_are_one_spelling() -> None:
    assert normalise_escapes("/%7e%2F%c3%A9é%") == "/~%2F%C3%A9%C3%A9%25"


@pytest.mark.parametrize("junk", ["/..", "/(S(", ";jsessionid=", "%", "&", "@", "[", "#!", "a."])
def test_long_junk_takes_linear_time(junk: str) -> None:
    url = "http://a.com/" + junk * 100_000
    start = time.process_time()
    canonical_url(url)
    canonical_url("http://" + junk * 100_000)
    resolve("http://a.com/", url)
    resolve("http://a.com/", "x" + junk * 100_000)
    assert time.process_time() - start < 2


@pytest.mark.crawl_dev
def test_injected_url_variants_share_the_key_of_their_original() -> None:
    truth = Path(os.environ["GRISTMILL_CRAWL_DEV"]) / "truth.jsonl"
    rows = [json.loads(line) for line in truth.read_text(encoding="utf-8").splitlines()]
    groups = defaultdict(list)
    for row in rows:
        if row.get("dup_group"):
            groups[row["dup_group"]].append(row)
    pairs = [
        (row["url"], [other["url"] for other in groups[row["dup_group"]] if other is not row])
        for row in rows
        if str(row.get("dup_type")).startswith("url_variant_dup")
    ]
    pairs = [pair for pair in pairs if pair[1]]
    found = sum(any(url_key(o) == url_key(url) for o in others) for url, others in pairs)
    assert found >= 0.95 * len(pairs) > 20
    # Two pages under one key must be known duplicates of each other.
    by_key = defaultdict(set)
    for row in rows:
        by_key[url_key(row["url"])].add((row["url"], row.get("dup_group")))
    for same in by_key.values():
        if len({url for url, _ in same}) > 1:
            assert len({group for _, group in same}) == 1
