"""From a host name to its site: the nodes of the link graph.

Hosts come in many spellings and one owner may run thousands of them. A *site* is what one party
registered: one label below a public suffix, private suffixes included, so that each `*.github.io`
or `*.blogspot.com` blog is its own site. The *ICANN domain* ignores the private suffixes
(`github.io` is one domain): published web graphs are folded that way, and caps per owner want it.

The public suffix list is the one inside the pinned `publicsuffixlist` package; nothing is fetched.
The algorithm is that of https://publicsuffix.org/list/: the longest matching rule wins, an
exception (`!city.kawasaki.jp`) beats a wildcard (`*.kawasaki.jp`).
"""

from __future__ import annotations

import re
from functools import cache, lru_cache
from importlib.metadata import version
from importlib.resources import files
from typing import NamedTuple

import idna

_CLEAN = re.compile(r"[a-z0-9_\-]{1,63}(?:\.[a-z0-9_\-]{1,63})+").fullmatch
_PORT = re.compile(r":[0-9]*$")
# What a rule says about the name it is stored under; private rules are the same, shifted by three.
_SUFFIX, _WILDCARD, _EXCEPTION = 1, 2, 4
_PRIVATE = 3


class Site(NamedTuple):
    """A host's registrable domain, with and without the private section of the suffix list."""

    site: str
    icann_domain: str


def clean_host(host: str) -> str | None:
    """Return the host in lower-case ASCII (UTS 46 punycode), or None for what is no public name.

    Outer whitespace, a port and final dots are dropped; `www.` stays. Refused: IP addresses,
    names of one label, top-level domains the list does not know, URLs, labels over 63 bytes.
    """
    if not (_CLEAN(host) and len(host) <= 253):
        if len(host) > 1000:
            return None
        host = _PORT.sub("", host.strip()).rstrip(".").lower()
        if not host.isascii():
            try:
                host = idna.uts46_remap(host, std3_rules=False).rstrip(".")
            except UnicodeError:
                return None
            host = ".".join(_ascii_label(label) for label in host.split("."))
        if not _CLEAN(host) or len(host) > 253:
            return None
    return host if host[host.rindex(".") + 1 :] in _rules()[1] else None


@lru_cache(maxsize=1 << 16)
def site_of(host: str) -> Site | None:
    """Return the site of a host (cleaned here), or None where `clean_host` refuses it.

    A host that is itself a public suffix (`blogspot.com`, `gov.uk`) serves pages too and is its
    own site. A caller that needs a site for every document, link graph or not, uses the host
    itself where this returns None (`localhost`, `192.0.2.1`).
    """
    name = clean_host(host)
    if name is None:
        return None
    rules = _rules()[0]
    site = ""
    below = suffix = name
    flags = rules.get(suffix, 0)
    # Names from longest to shortest, so the first rule that covers one is the longest match;
    # `below` is one label longer than `suffix`, `rest` one shorter.
    while True:
        rest = suffix.partition(".")[2]
        above = rules.get(rest, 0)
        if not site:
            site = _registrable(flags >> _PRIVATE, above >> _PRIVATE, suffix, below)
        icann = _registrable(flags, above, suffix, below)
        if icann or not rest:
            # A name no rule covers falls to the list's default rule: its last label is a suffix.
            icann = icann or below
            return Site(site or icann, icann)
        below, suffix, flags = suffix, rest, above


def _registrable(flags: int, above: int, suffix: str, below: str) -> str:
    """The registrable name if a rule ends at `suffix` (bits of its own and its parent's rules)."""
    if flags & _EXCEPTION:
        return suffix
    return below if flags & _SUFFIX or above & _WILDCARD else ""


@cache
def psl_version() -> str:
    """Return package version and list date, for a run's manifest."""
    match = re.search(r"^// VERSION: (\S+)", _list_text(), re.M)
    return f"publicsuffixlist {version('publicsuffixlist')} ({match[1] if match else 'undated'})"


@cache
def _rules() -> tuple[dict[str, int], frozenset[str]]:
    """Rules by name, as bits, and the known top-level domains."""
    rules: dict[str, int] = {}
    tlds = set()
    shift = 0
    for line in _list_text().splitlines():
        if "===BEGIN PRIVATE DOMAINS===" in line:
            shift = _PRIVATE
        rule = line.split(maxsplit=1)[0] if line.strip() else ""
        if not rule or rule.startswith("//"):
            continue
        kind = _SUFFIX
        if rule.startswith("*."):
            rule, kind = rule[2:], _WILDCARD
        elif rule.startswith("!"):
            rule, kind = rule[1:], _EXCEPTION
        name = ".".join(_ascii_label(label) for label in rule.lower().split("."))
        rules[name] = rules.get(name, 0) | kind << shift
        if not shift:
            tlds.add(name[name.rfind(".") + 1 :])
    return rules, frozenset(tlds)


def _ascii_label(label: str) -> str:
    return label if label.isascii() else "xn--" + label.encode("punycode").decode("ascii")


def _list_text() -> str:
    return (files("publicsuffixlist") / "public_suffix_list.dat").read_text(encoding="utf-8")
