"""Who asked not to be trained on: robots.txt, page headers and meta tags, and licence links.

Four mechanisms are read, each as its own standard says, and each verdict names the line that made
it: robots.txt rules for named AI crawlers (RFC 9309); `Content-Signal` (contentsignals.org) and
`Content-Usage` (IETF draft aipref) in robots.txt and headers; `noai` and its kin in X-Robots-Tag
and robots meta tags; and the W3C text-and-data-mining reservation (`tdm-reservation`).
`noindex` is left out on purpose: it is about search results, many trainable pages carry it, and
nobody who writes it speaks of training. So are `noimageai` (images only) and `noarchive`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from typing import NamedTuple

from quality.urls import normalise_escapes

ROBOTS_BYTES = 500 * 1024  # RFC 9309 section 2.5: what a crawler must read at least


class RobotsGroup(NamedTuple):
    """Agents (lower case) that share the same rules, as cleaned lines: `disallow: /x`."""

    agents: tuple[str, ...]
    rules: tuple[str, ...]


class RobotsVerdict(NamedTuple):
    """Whether all named agents may; agent and rule line that decided, None if nothing matched."""

    allowed: bool
    agent: str | None
    rule: str | None


class OptOut(NamedTuple):
    """One refusal found on a page: the mechanism that carried it, and what it said."""

    kind: str
    detail: str


_NEWLINE = re.compile(r"\r\n|\r|\n")
# Field names as written in the wild, folded to the standard one.
_AGENT_FIELDS = {"user-agent", "useragent", "user agent"}
_RULE_FIELDS = {
    "allow": "allow",
    "disallow": "disallow",
    **dict.fromkeys(("dissallow", "dissalow", "disalow", "diasllow", "disallaw"), "disallow"),
    "content-signal": "content-signal",
    "content-usage": "content-usage",
}


def parse_robots(text: str) -> list[RobotsGroup]:
    """Read a robots.txt body into groups, one per distinct set of rules, in order of appearance.

    Groups naming the same agent are merged (RFC 9309 section 2.2.1), so an agent occurs once.
    Only the first 500 KiB count, and a line cut there is dropped rather than read short. An agent
    name ends at a space or `/` (`GPTBot/1.2` is `gptbot`). `Disallow:` without a path forbids
    nothing and leaves no rule, but its group stands, so `*` no longer applies to its agents.
    A content signal before the first User-agent line is nobody's by the standard and clear in its
    intent: it is taken as one for `*`. Sitemaps and unknown fields are ignored. Never raises.
    """
    data = text.encode("utf-8", "replace")
    if len(data) > ROBOTS_BYTES:
        text = data[:ROBOTS_BYTES].decode("utf-8", "ignore")
        text = text[: max(text.rfind("\n"), text.rfind("\r")) + 1]

    rules_of: dict[str, list[tuple[int, str]]] = {}
    agents: list[str] | None = None  # None until the first User-agent line
    naming = False  # the last line that counted was a User-agent line
    for number, line in enumerate(_NEWLINE.split(text.lstrip("\ufeff"))):
        field, colon, value = line.partition("#")[0].partition(":")
        field, value = " ".join(field.split()).lower(), value.strip()
        if not colon:
            continue
        if field in _AGENT_FIELDS:
            if agents is None or not naming:
                agents = []
            naming = True
            agent = value.split("/")[0].split(maxsplit=1)[0].lower() if value.strip("/ ") else ""
            agent = agent if agent == "*" else agent.strip("*")
            if agent and agent not in agents:
                rules_of.setdefault(agent, [])
                agents.append(agent)
        elif field in _RULE_FIELDS:
            naming = False
            field = _RULE_FIELDS[field]
            owners = ["*"] if agents is None and field.startswith("content") else agents
            for agent in owners if owners and value else ():
                rules_of.setdefault(agent, []).append((number, f"{field}: {value}"))
        elif field in ("crawl-delay", "request-rate"):
            naming = False  # not in the RFC, yet everyone writes it as a group's rule

    # Agents with the very same lines share a group.
    shared: dict[tuple[tuple[int, str], ...], list[str]] = {}
    for agent, numbered in rules_of.items():
        shared.setdefault(tuple(numbered), []).append(agent)
    return [
        RobotsGroup(tuple(names), tuple(rule for _, rule in numbered))
        for numbered, names in shared.items()
    ]


def robots_verdict(groups: Iterable[RobotsGroup], agents: Sequence[str], url: str) -> RobotsVerdict:
    """Decide whether every named agent may use a page of the host these groups come from.

    An agent follows its own group, or `*` without one. The longest matching path wins, `allow`
    on a tie (RFC 9309 section 2.2.2); a content signal against training refuses what is allowed
    to be fetched. The first refused agent and its rule are returned; else the first explicit
    `allow`; else (True, None, None). `url` may also be a path. Linear in path plus pattern.
    """
    by_agent = {name: group.rules for group in groups for name in group.agents}
    path = _path_form(url)
    granted: tuple[str, str] | None = None
    for agent in agents:
        rules = by_agent.get(agent.lower())
        if rules is None:
            rules = by_agent.get("*", ())
        paths, starts, signals = _compile(tuple(rules))
        # Both are sorted so that the first match decides. One look rules out most long lists.
        rule = None
        if path.startswith(starts):
            rule = next((r for r in paths if _matches(r, path)), None)
        if rule and not rule.grants:
            return RobotsVerdict(False, agent, rule.line)
        signal = next((r for r in signals if _matches(r, path)), None)
        if signal and not signal.grants:
            return RobotsVerdict(False, agent, signal.line)
        if rule and granted is None:
            granted = (agent, rule.line)
    return RobotsVerdict(True, *(granted or (None, None)))


class _Rule(NamedTuple):
    parts: tuple[str, ...]  # the pattern cut at its stars
    anchored: bool  # it ended in `$`
    grants: bool
    line: str


@lru_cache(maxsize=4096)
def _compile(
    rules: tuple[str, ...],
) -> tuple[tuple[_Rule, ...], tuple[str, ...], tuple[_Rule, ...]]:
    """Path rules, how a path must start to match any of them, and training signals.

    Both kinds of rules stand in the order in which they decide.
    """
    paths, signals = [], []
    for line in rules:
        field, _, value = line.partition(": ")
        if field in ("allow", "disallow"):
            paths.append((len(normalise_escapes(value)), _rule(value, field == "allow", line)))
            continue
        pattern = value.split(maxsplit=1)[0] if value.startswith(("/", "*")) else ""
        grants = training_allowed(value.removeprefix(pattern))
        if grants is not None:
            signals.append((len(normalise_escapes(pattern)), _rule(pattern, grants, line)))
    # A tie goes to allow among path rules, to the refusal among signals (draft aipref-attach).
    paths.sort(key=lambda item: (-item[0], not item[1].grants))
    signals.sort(key=lambda item: (-item[0], item[1].grants))
    starts = tuple({rule.parts[0] for _, rule in paths})
    return tuple(rule for _, rule in paths), starts, tuple(rule for _, rule in signals)


def _rule(pattern: str, grants: bool, line: str) -> _Rule:
    anchored = pattern.endswith("$")
    parts = pattern.removesuffix("$").split("*")
    return _Rule(tuple(_compared(part) for part in parts), anchored, grants, line)


def _matches(rule: _Rule, path: str) -> bool:
    """Match greedily from the left: with `*` the earliest place of each part is never worse."""
    first, *middle = rule.parts
    if not path.startswith(first):
        return False
    at = len(first)
    if not middle:
        return not rule.anchored or at == len(path)
    last = middle.pop()
    for part in middle:
        at = path.find(part, at)
        if at < 0:
            return False
        at += len(part)
    if rule.anchored:
        return len(path) - len(last) >= at and path.endswith(last)
    return path.find(last, at) >= 0


_BARE_RESERVED = re.compile(r"[!$&'()*+,;=:@?]")
_URL_PATH = re.compile(r"(?:[a-z][a-z0-9+.\-]*:)?(?://[^/?#]*)?([^#]*)", re.I | re.S).match


def _path_form(url: str) -> str:
    """Path and query of a URL in the form patterns are compared in."""
    match = _URL_PATH(url.strip())
    path = match[1] if match else ""
    path, mark, query = path.partition("?")
    if not path.startswith("/"):
        path = "/" + path
    # RFC 9309 compares a query's slashes escaped; patterns rarely say so, hence the other way.
    return _compared(path + mark + re.sub("%2f", "/", query, flags=re.I))


def _compared(text: str) -> str:
    """One spelling for comparison: unreserved bare, all else escaped, except the slash, which
    differs from `%2F`. So `,` equals `%2C`, and a literal `*` or `$` is `%2A`, `%24`."""
    return _BARE_RESERVED.sub(lambda m: f"%{ord(m[0]):02X}", normalise_escapes(text))


# Looking behind keeps it linear: a long word is tried once, not from each of its letters.
_PREFERENCE = re.compile(r"(?<![a-z0-9-])([a-z][a-z0-9-]*)\s?=\s?\"?\??([a-z0-9]+)", re.I)
_NO = {"no", "n", "0", "false", "disallow", "deny"}
# contentsignals.org; IETF draft aipref-vocab, now and in its 2025 versions.
_TRAINING = ("ai-train", "train-ai", "train-genai", "genai")
# Wider categories of early aipref drafts: they count where training itself is not mentioned.
_WIDER = ("ai", "tdm", "bots")


def training_allowed(preferences: str) -> bool | None:
    """Read `search=yes, ai-train=no` or `train-ai=n`: may models be trained? None if not said."""
    pairs = _PREFERENCE.findall(" ".join(preferences.split()))
    said = {key.lower(): value.lower() not in _NO for key, value in pairs}
    answers = [said[key] for key in _TRAINING if key in said]
    answers = answers or [said[key] for key in _WIDER if key in said]
    return all(answers) if answers else None


# Directives against training: DeviantArt 2022, Mojeek's NoML, draft-canel-robots-ai-control.
_NO_TRAINING = {"noai", "noml", "disallowaitraining"}
_MENTIONS_TRAINING = re.compile("ai|noml", re.I).search  # most pages' directives don't
_WITH_VALUE = {"unavailable_after", "max-snippet", "max-image-preview", "max-video-preview"}
_SIGNAL_FIELDS = {"content-signal", "content-usage"}
_AGENT_NAME = re.compile(r"\*|[a-z][a-z0-9_.\-]*", re.I).fullmatch


def page_opt_outs(
    headers: Iterable[tuple[str, str]],
    metas: Mapping[str, Sequence[str]],
    agents: Sequence[str],
) -> list[OptOut]:
    """Return what a page's own headers and meta tags say against training, headers first.

    `headers` are HTTP header name and value pairs, `metas` the contents by meta name; case and
    spacing are free. A directive for one agent (`X-Robots-Tag: GPTBot: noai`, a meta named
    `GPTBot`) counts when the agent is among `agents`. Any one refusal is an opt-out: a permission
    elsewhere does not lift it. Kinds: `x-robots-tag`, `meta-robots`, `content-signal`,
    `content-usage`, `tdm-reservation` (detail with the policy's address if one is given).
    """
    named = {agent.lower() for agent in agents} | {"*", "robots"}
    found: list[OptOut] = []
    policy = ""
    reserved = False
    fields = [(name, value, "x-robots-tag") for name, value in headers]
    fields += [(name, value, "meta-robots") for name, values in metas.items() for value in values]
    for name, value, kind in fields:
        name = name.strip().lower()
        if name == "tdm-reservation":
            reserved = reserved or value.strip(' "').startswith("1")
        elif name == "tdm-policy":
            policy = policy or value.strip(' "')
        elif name in _SIGNAL_FIELDS:
            if training_allowed(value) is False:
                found.append(OptOut(name, " ".join(value.split())))
        elif name == "x-robots-tag":
            found += [OptOut(kind, said) for said in _against_training(value, named)]
        elif kind == "meta-robots" and name in named:
            who = "" if name == "robots" else f"{name}: "
            found += [OptOut(kind, who + said) for said in _against_training(value, named)]
    if reserved:
        found.append(OptOut("tdm-reservation", f"1; policy {policy}" if policy else "1"))
    return list(dict.fromkeys(found))


def _against_training(value: str, named: set[str]) -> list[str]:
    """Directives of a robots header or meta that refuse training to one of the named agents."""
    found: list[str] = []
    agent = "*"
    if not _MENTIONS_TRAINING(value):
        return found
    joined = re.sub(r" ?([:=]) ?", r"\1", " ".join(value.lower().split()))
    for token in re.split(r"[,; ]+", joined):
        before, colon, directive = token.partition(":")
        if not colon:
            directive = token
        elif before in _WITH_VALUE or not _AGENT_NAME(before):
            continue
        else:
            agent = before  # it holds for the directives after it too
        if agent in named and (directive in _NO_TRAINING or training_allowed(directive) is False):
            found.append(directive if agent == "*" else f"{agent}: {directive}")
    return found


_CC_LICENCE = re.compile(
    r"(?:https?:)?//(?:www\.)?creativecommons\.org/"
    r"(?P<kind>licenses|publicdomain)/(?P<code>[a-z+\-]+)"
    r"(?:/(?P<version>[0-9]\.[0-9]))?(?:/(?P<country>[a-z]{2}|igo|scotland)(?=/|$))?"
    r"(?:/(?:deed|legalcode|rdf)?(?:[._\-][a-z_\-]+)?(?:\.[a-z_\-]+)?)?/?(?:[?#].*)?",
    re.I,
).fullmatch


def licence_of(licence_urls: Iterable[str]) -> str | None:
    """Return a page's licence address: the first Creative Commons one, else the first; else None.

    Creative Commons links lose what does not change the licence: http, `www.`, `deed` and
    `legalcode` pages, their language, query and fragment
    (`http://creativecommons.org/licenses/by-sa/3.0/de/deed.en` is
    `https://creativecommons.org/licenses/by-sa/3.0/de/`). The country stays: ported licences
    differ. Other addresses are kept as they are.
    """
    first = None
    for url in licence_urls:
        url = url.strip()
        licence = _CC_LICENCE(url)
        if licence:
            path = "/".join(part.lower() for part in licence.groups() if part)
            return f"https://creativecommons.org/{path}/"
        first = first or url or None
    return first
