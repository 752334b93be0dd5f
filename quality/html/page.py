"""A page's facts from one parse and one walk: title, links, licences, opt-outs, a prose sample.

libxml2 through lxml builds the tree, because the careful extractor works on the same tree. Hostile
pages are met before the parse (`hostile`), and libxml2 itself stops at 2,048 nested elements. So
time grows with the bytes, never with their square.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from lxml import etree
from lxml.html import HtmlComment, HtmlElement, HtmlEntity, HtmlProcessingInstruction

from quality.html import hostile

Element = Any  # lxml's element; lxml ships no types


class Page(NamedTuple):
    """What one walk of a page's tree tells.

    tree: the <html> element, None where there is none or a limit was passed before the parse.
    nodes: elements; depth: of the deepest one, <html> is 1. More than the limits given: the page is
    too large or too deep, and the other fields are incomplete.
    metas: lower-cased name, property or http-equiv -> contents in order, only those read later.
    licence_urls: targets of rel=license. links: (href of an <a> as written, nofollow).
    visible_chars: characters of text a reader sees, white space collapsed.
    sample: up to SAMPLE_CHARS characters of the longest passages, for a language guess.
    """

    tree: Element | None
    nodes: int
    depth: int
    title: str | None
    lang_attr: str | None
    base_href: str | None
    rel_canonical: str | None
    metas: dict[str, list[str]]
    licence_urls: list[str]
    links: list[tuple[str, bool]]
    visible_chars: int
    sample: str


SAMPLE_CHARS = 2_000
_PASSAGE_CHARS = 500  # of one passage in the sample, so that no single quote or list fills it
_PASSAGE_BYTES = 40  # shorter ones are taken only until there is enough
_ENOUGH_BYTES = 300
_MAX_URL = 8_192
_MAX_META = 2_000  # characters of one content
_MAX_METAS = 200

_METAS = {
    name: True
    for line in (
        "robots slurp refresh content-language tdm-reservation tdm-policy copyright rights license",
        "dc.rights dc.license dcterms.rights dcterms.license dc.date dcterms.date date pubdate",
        "publishdate datepublished article:published_time og:url og:title og:type og:locale",
    )
    for name in line.split()
}

# Classes of element; anything else is inline. Their order matters to the walk: links, code and
# preformatted text are set apart from prose, preformatted text and blocks end a passage.
_SKIP, _BREAK, _FACT, _LINK, _CODE, _PRE, _BLOCK = range(1, 8)
_KINDS = {
    tag: kind
    for kind, tags in (
        (_SKIP, "script style noscript template svg math object embed applet iframe canvas audio"),
        (_SKIP, "video map select datalist noembed noframes"),
        (
            _BLOCK,
            "html head body address article aside blockquote button caption center dd details",
        ),
        (
            _BLOCK,
            "dialog dir div dl dt fieldset figcaption figure footer form frameset h1 h2 h3 h4",
        ),
        (_BLOCK, "h5 h6 header hgroup legend li main menu nav ol p section summary table tbody td"),
        (_BLOCK, "tfoot th thead tr ul"),
        (_BREAK, "br hr img input"),
        (_LINK, "a"),
        (_CODE, "code kbd samp tt var"),
        (_PRE, "pre textarea xmp"),
        (_FACT, "title meta link base"),
    )
    for tag in tags.split()
}

_PARSER = etree.HTMLParser(
    encoding="utf-8",
    huge_tree=True,
    remove_comments=True,
    remove_pis=True,
    collect_ids=False,
    default_doctype=False,
)
# the same classes lxml.html would choose, chosen in C instead of by a Python call per element
_PARSER.set_element_class_lookup(
    etree.ElementDefaultClassLookup(
        element=HtmlElement,
        comment=HtmlComment,
        pi=HtmlProcessingInstruction,
        entity=HtmlEntity,
    )
)


def read_page(text: str, *, max_nodes: int, max_depth: int) -> Page:
    """Parse a decoded page and walk its tree once.

    A page with more than `max_nodes` start or end tags, or with a tag of more than 255 attributes,
    is not parsed: `nodes` is then above `max_nodes`, `tree` None and the rest empty. Elements
    deeper than `max_depth` are not entered: `depth` is then `max_depth + 1`.
    Never raises; text that is no HTML gives a page with little in it.
    """
    data = hostile.without_controls(text.encode("utf-8", "replace"))
    nodes = hostile.tags(data, max_nodes)
    if nodes > max_nodes or hostile.has_giant_tag(data):
        return _unread(max(nodes, max_nodes + 1))
    try:
        tree = etree.fromstring(data, _PARSER)
    except etree.XMLSyntaxError:  # nothing in it
        tree = None
    if tree is None:
        return _unread(0)
    return _walk(tree, max_depth)


def _unread(nodes: int) -> Page:
    return Page(None, nodes, 0, None, None, None, None, {}, [], [], 0, "")


def _walk(tree: Element, max_depth: int) -> Page:
    facts = _Facts({}, {}, [])
    links: list[tuple[str, bool]] = []
    passages: list[str] = []
    menus: list[str] = []  # passages of links and code, as many as a sample may need
    pieces: list[str] = []  # of the block being read
    visible = menu_chars = nodes = depth = deepest = 0
    aside = set_apart = 0  # open links and code elements; characters of this block inside them
    kind_of = _KINDS.get
    skip, link, pre, block = _SKIP, _LINK, _PRE, _BLOCK  # locals: this loop is most of the cost
    events = etree.iterwalk(tree, events=("start", "end"))
    for event, element in events:
        kind = kind_of(element.tag, 0)
        if kind >= pre and pieces:
            passage = " ".join("".join(pieces).split())
            if passage:
                visible += len(passage)
                if len(passage) > 2 * set_apart:
                    passages.append(passage)
                elif menu_chars < SAMPLE_CHARS:
                    menus.append(passage)
                    menu_chars += len(passage)
            pieces.clear()
            set_apart = 0
        if event == "start":
            nodes += 1
            depth += 1
            if depth > deepest:
                deepest = depth
            if depth > max_depth or kind == skip:
                events.skip_subtree()
                continue
            if kind and kind != block:
                if kind < _FACT:
                    pieces.append(" ")
                elif kind == _FACT:
                    _read_fact(element, facts)
                    continue
                else:
                    aside += 1
                    if kind == link:
                        _read_link(element, links, facts)
            string = element.text
        else:
            depth -= 1
            if link <= kind <= pre and depth < max_depth:
                aside -= 1
            string = element.tail
        if string:
            pieces.append(string)
            if aside:
                set_apart += len(string)
    return Page(
        tree=tree,
        nodes=nodes,
        depth=deepest,
        title=facts.first.get("title"),
        lang_attr=(tree.get("lang") or tree.get("xml:lang") or "").strip() or None,
        base_href=facts.first.get("base"),
        rel_canonical=facts.first.get("canonical"),
        metas=facts.metas,
        licence_urls=facts.licence_urls,
        links=links,
        visible_chars=visible,
        sample=_sample(passages, menus),
    )


class _Facts(NamedTuple):
    first: dict[str, str]  # title, base, canonical: the first one counts
    metas: dict[str, list[str]]
    licence_urls: list[str]


def _read_fact(element: Element, facts: _Facts) -> None:
    tag = element.tag
    if tag == "title":
        title = " ".join((element.text or "").split())
        if title:
            facts.first.setdefault("title", title[:_MAX_META])
        return
    if tag == "meta":
        name = next(
            (
                value
                for key in ("name", "property", "http-equiv", "itemprop")
                if (value := element.get(key))
            ),
            "",
        )
        name, content = name.strip().lower(), element.get("content")
        if content and (name in _METAS or name.endswith("bot") or "bot-" in name):
            values = facts.metas.setdefault(name[:100], [])
            if len(values) < _MAX_METAS and len(facts.metas) <= _MAX_METAS:
                values.append(content.strip()[:_MAX_META])
        return
    href = (element.get("href") or "").strip()
    if not href or len(href) > _MAX_URL:
        return
    if tag == "base":
        facts.first.setdefault("base", href)
        return
    rel = (element.get("rel") or "").lower().split()
    if "canonical" in rel:
        facts.first.setdefault("canonical", href)
    if "license" in rel:
        facts.licence_urls.append(href)


def _read_link(element: Element, links: list[tuple[str, bool]], facts: _Facts) -> None:
    href = (element.get("href") or "").strip()
    if not href or len(href) > _MAX_URL:
        return
    rel = element.get("rel")
    tokens = rel.lower().split() if rel else ()
    links.append((href, any(t in ("nofollow", "ugc", "sponsored") for t in tokens)))
    if "license" in tokens:
        facts.licence_urls.append(href)


def _sample(passages: list[str], menus: list[str]) -> str:
    """The longest passages, in the order of the page; menus where there is next to nothing else.

    Length is in UTF-8 bytes, which weighs a Chinese character like three Latin letters.
    """
    most = max(_PASSAGE_CHARS, SAMPLE_CHARS // (len(passages) or 1))
    cut = [passage[:most] for passage in passages]
    sizes = [len(passage.encode("utf-8", "replace")) for passage in cut]
    chosen: list[int] = []
    chars = size = 0
    for i in sorted(range(len(cut)), key=lambda i: -sizes[i]):
        if chars >= SAMPLE_CHARS or (size >= _ENOUGH_BYTES and sizes[i] < _PASSAGE_BYTES):
            break
        chosen.append(i)
        chars += len(cut[i])
        size += sizes[i]
    texts = [cut[i] for i in sorted(chosen)]
    if size < _ENOUGH_BYTES:
        texts += menus
    return "\n".join(texts)[:SAMPLE_CHARS]
