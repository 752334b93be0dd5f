"""Hosts and sites: the suffix list's own test file, another implementation, hand-worked traps."""

import re
from importlib.resources import files

import pytest
from hypothesis import given
from hypothesis import strategies as st
from publicsuffixlist import PublicSuffixList

from graph_rank.sites import Site, clean_host, psl_version, site_of
from quality.urls import host_of

CLEANED = {
    "WWW.Example.COM.": "www.example.com",
    " example.com:8080\n": "example.com",
    "my_blog.tumblr.com": "my_blog.tumblr.com",
    "bücher.de": "xn--bcher-kva.de",
    "FAß.DE": "xn--fa-hia.de",
    "ＷＷＷ．例え。jp": "www.xn--r8jz45g.jp",
    "пример.рф": "xn--e1afmkfd.xn--p1ai",
    "i❤.ws": "xn--i-7iq.ws",
    "xn--e1afmkfd.xn--p1ai": "xn--e1afmkfd.xn--p1ai",
    # refused
    "": None,
    ".": None,
    "com": None,
    "localhost": None,
    "192.0.2.1": None,
    "3.4": None,
    "[2001:db8::1]": None,
    "::1": None,
    "example.notatld": None,
    "printer.local": None,
    "a..com": None,
    ".example.com": None,
    "a b.com": None,
    "user@example.com": None,
    "http://example.com": None,
    "example.com/path": None,
    "a" * 64 + ".com": None,
    "a." * 130 + "com": None,
    "é" * 5000 + ".com": None,
    "\ud800.com": None,
}


@pytest.mark.parametrize(("host", "cleaned"), CLEANED.items())
def test_clean_host(host: str, cleaned: str | None) -> None:
    assert clean_host(host) == cleaned
    assert (site_of(host) is None) == (cleaned is None)


SITES = {
    "www.example.com": ("example.com", "example.com"),
    "a.b.example.co.uk": ("example.co.uk", "example.co.uk"),
    # private suffixes: the user's page is the site, the provider's domain the owner
    "alice.github.io": ("alice.github.io", "github.io"),
    "x.alice.github.io": ("alice.github.io", "github.io"),
    "news.blogspot.com": ("news.blogspot.com", "blogspot.com"),
    "b.s3.amazonaws.com": ("b.s3.amazonaws.com", "amazonaws.com"),
    "y.x.compute.amazonaws.com": ("y.x.compute.amazonaws.com", "amazonaws.com"),
    # wildcards and their exceptions
    "b.a.kawasaki.jp": ("b.a.kawasaki.jp", "b.a.kawasaki.jp"),
    "www.city.kawasaki.jp": ("city.kawasaki.jp", "city.kawasaki.jp"),
    "x.www.ck": ("www.ck", "www.ck"),
    "x.a.foo.ck": ("a.foo.ck", "a.foo.ck"),
    # a public suffix that serves pages itself is its own site
    "blogspot.com": ("blogspot.com", "blogspot.com"),
    "github.io": ("github.io", "github.io"),
    "gov.uk": ("gov.uk", "gov.uk"),
    "www.gov.uk": ("www.gov.uk", "www.gov.uk"),
    "a.kawasaki.jp": ("a.kawasaki.jp", "a.kawasaki.jp"),
    # rules with international names, in either spelling
    "www.食狮.公司.cn": ("xn--85x722f.xn--55qx5d.cn", "xn--85x722f.xn--55qx5d.cn"),
    "www.xn--85x722f.xn--55qx5d.cn": ("xn--85x722f.xn--55qx5d.cn", "xn--85x722f.xn--55qx5d.cn"),
    "www.пример.рф": ("xn--e1afmkfd.xn--p1ai", "xn--e1afmkfd.xn--p1ai"),
    "WWW.Example.COM.": ("example.com", "example.com"),
}


@pytest.mark.parametrize(("host", "site"), SITES.items())
def test_site_of(host: str, site: tuple[str, str]) -> None:
    assert site_of(host) == Site(*site)


def test_the_lists_own_test_file() -> None:
    text = (files("publicsuffixlist") / "test_psl.txt").read_text(encoding="utf-8")
    cases = re.findall(r"^checkPublicSuffix\('([^']*)', (?:'([^']*)'|null)\);", text, re.M)
    assert len(cases) > 60
    for host, expected in cases:
        site = site_of(host)
        name = clean_host(host)
        if site is None:
            # Refused before the list is asked: one label, an empty one, an invented top level.
            assert "." not in host or host.startswith(".") or host.endswith(".example")
        elif expected:
            assert site.site == clean_host(expected)
        else:
            assert site.site == name  # a suffix: its own site


LIST = (files("publicsuffixlist") / "public_suffix_list.dat").read_text(encoding="utf-8")
RULES = [line.split()[0] for line in LIST.splitlines() if line and not line.startswith("//")]
WILDCARD_ROOTS = {rule[2:] for rule in RULES if rule.startswith("*.")}
ALL, ICANN = PublicSuffixList(), PublicSuffixList(only_icann=True)


@given(
    st.sampled_from(RULES),
    st.lists(st.sampled_from(["www", "a", "city", "x-1", "com", "github"]), max_size=3),
)
def test_agrees_with_publicsuffixlist(rule: str, labels: list[str]) -> None:
    name = clean_host(".".join([*labels, rule.lstrip("!*.")]))
    if name is None or name in WILDCARD_ROOTS:
        # The package takes `kawasaki.jp` for a suffix because `*.kawasaki.jp` is one; the
        # published algorithm, and this project, for a name registered under `jp`.
        return
    site = ALL.privatesuffix(name) or name
    assert site_of(name) == Site(site, ICANN.privatesuffix(name) or name)


@given(st.text("aZ0-_.é中ß。xn❤ ", min_size=1, max_size=12))
def test_url_hosts_and_graph_hosts_are_spelled_alike(text: str) -> None:
    # The two packages may not import each other, so each cleans host names itself.
    host = f"{text.strip()}.com"
    cleaned = clean_host(host)
    if cleaned is not None:
        assert host_of(f"http://{host}/") == cleaned
        assert clean_host(cleaned) == cleaned
        site = site_of(host)
        assert site is not None
        assert (cleaned == site.site or cleaned.endswith("." + site.site)) and (
            site.site.endswith(site.icann_domain)
        )


def test_version_names_package_and_list() -> None:
    assert re.fullmatch(r"publicsuffixlist [0-9.]+ \(20\d\d-\d\d-\d\d\S*\)", psl_version())
