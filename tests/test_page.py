"""A page's facts and main text: a page read by hand, drawn trees, hostile pages."""

from __future__ import annotations

import logging
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st
from lxml import html as lxml_html

from quality.html.page import Page, read_page
from quality.html.trafilatura import extract_main

PROSE = (
    "The miller opened the sluice before sunrise, as his father had done, and listened for the "
    "first groan of the wheel. By noon the floor was white, and the carts stood in a line down to "
    "the bridge. Nobody spoke much, for the stones were loud and the work was long. "
)
MENU = "".join(f'<li><a href="/{w}">{w.title()}</a></li>' for w in ("home", "news", "shop", "help"))


def read(text: str, max_nodes: int = 50_000, max_depth: int = 200) -> Page:
    return read_page(text, max_nodes=max_nodes, max_depth=max_depth)


def article(head: str = "", body: str = "") -> str:
    paragraphs = f"<p>{PROSE}</p>" * 4
    return (
        f"<!DOCTYPE html><html lang=en><head><title>The mill</title>{head}</head><body>"
        f"<nav><ul>{MENU}</ul></nav><article><h1>The mill</h1>{paragraphs}{body}</article>"
        "<footer>All rights reserved</footer></body></html>"
    )


# ----------------------------------------------------------------------------------------- facts


def test_a_page_read_by_hand() -> None:
    page = read(
        """<!DOCTYPE html><HTML lang="de-AT"><head>
        <base href=" https://a.example/dir/ "><base href="/second">
        <TITLE>  Die &amp;
           M&uuml;hle </TITLE><title>second</title>
        <link rel="stylesheet canonical" href="https://a.example/m"><link rel=license href=/cc>
        <meta name="ROBOTS" content="noindex, nofollow"><meta name=robots content=noai>
        <meta name="GPTBot" content="noindex"><meta name=keywords content="a, b">
        <meta property="og:url" content="https://a.example/og">
        <meta http-equiv="Refresh" content="5; url=/next"><meta name=viewport content=x>
        <script>document.write("<a href='/script'>x</a>")</script><style>p { color: red }</style>
        </head><body><p>Ein  <b>Satz</b>\n und <a href=" /x?a=1&amp;b=2 ">Verweis</a>.</p>
        <svg><text>nicht</text></svg><noscript><a href=/no>nicht</a></noscript>
        <template><p>nicht</p></template><!-- nicht -->
        <a rel="nofollow noopener" href=/n>n</a><a rel=UGC href=/u>u</a><a name=here>h</a>
        <a rel=license href="http://creativecommons.org/licenses/by/4.0/">CC</a></body></html>"""
    )
    assert page.title == "Die & Mühle"
    assert page.lang_attr == "de-AT"
    assert page.base_href == "https://a.example/dir/"
    assert page.rel_canonical == "https://a.example/m"
    assert page.metas == {
        "robots": ["noindex, nofollow", "noai"],
        "gptbot": ["noindex"],
        "og:url": ["https://a.example/og"],
        "refresh": ["5; url=/next"],
    }
    assert page.licence_urls == ["/cc", "http://creativecommons.org/licenses/by/4.0/"]
    assert page.links == [
        ("/x?a=1&b=2", False),
        ("/n", True),
        ("/u", True),
        ("http://creativecommons.org/licenses/by/4.0/", False),
    ]
    assert page.visible_chars == len("Ein Satz und Verweis.") + len("nuh CC")
    assert page.sample.splitlines()[0] == "Ein Satz und Verweis."


@pytest.mark.parametrize("nothing", ["", "   ", "\x00", "<!-- only a comment -->"])
def test_nothing_is_a_page_with_nothing_in_it(nothing: str) -> None:
    page = read(nothing)
    assert (page.tree, page.nodes, page.visible_chars, page.links) == (None, 0, 0, [])
    assert extract_main(page, "http://a.example/").text == ""


INLINE = st.sampled_from(["span", "b", "em", "a"])
BLOCKS = st.sampled_from(["div", "section", "blockquote", "article"])
WORDS = st.text("abc é中 ", min_size=1, max_size=12)


def nested(children: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    many = st.lists(children, max_size=4).map("".join)
    return st.one_of(
        st.builds("<{0}>{1}</{0}>".format, BLOCKS, many),
        st.builds('<div><a href="/{0}">{0}</a>{1}</div>'.format, st.sampled_from("xyz"), many),
    )


@given(st.recursive(WORDS.map("<div>{}</div>".format), nested, max_leaves=30))
def test_counts_agree_with_the_tree(inside: str) -> None:
    page = read(f"<html><body>{inside}</body></html>")
    tree = lxml_html.document_fromstring(f"<html><body>{inside}</body></html>")
    elements = list(tree.iter())
    assert page.nodes == len(elements)
    assert page.depth == max(len(list(e.iterancestors())) + 1 for e in elements)
    assert [href for href, _ in page.links] == tree.xpath("//a/@href")
    # every text in these trees fills a block of its own
    texts = [" ".join(e.text_content().split()) for e in tree.xpath("//*[text() and not(self::a)]")]
    texts += tree.xpath("//a/text()")
    assert page.visible_chars == sum(map(len, texts))


@given(st.text(st.sampled_from("<>/!-='\"& apdivscrt\n\x00é中"), max_size=300))
def test_any_text_reads(text: str) -> None:
    page = read(text, max_nodes=100, max_depth=5)
    assert page.depth <= 6
    assert (page.tree is None) or page.nodes <= 300


# ----------------------------------------------------------------------------------------- sample


def test_the_sample_is_prose_not_menus_or_code() -> None:
    code = "<pre>" + "for (int i = 0; i < n; i++) { sum += values[i]; }\n" * 40 + "</pre>"
    chinese = "<p>性能分析工具会自动运行很多测试，可是开发者并不喜欢它，因为工具的设计有问题。</p>"
    menu = f"<ul>{MENU * 20}</ul>"
    page = read(f"<body>{menu}{code}{chinese * 5}<footer>{menu}</footer></body>")
    assert page.sample.count("性能分析工具") == 5
    assert "sum" not in page.sample and "Home" not in page.sample


def test_a_sample_of_a_page_of_links_is_its_links() -> None:
    assert "News" in read(f"<ul>{MENU}</ul>").sample


def test_the_sample_is_short_and_in_order() -> None:
    parts = [f"<p>Number {i}. {PROSE * (1 + i % 3)}</p>" for i in range(50)]
    sample = read("".join(parts)).sample
    numbers = [int(line.split(".")[0].removeprefix("Number ")) for line in sample.splitlines()]
    assert numbers == sorted(numbers) and len(numbers) >= 4
    assert len(sample) <= 2_000


# ---------------------------------------------------------------------------------------- hostile

HOSTILE = {
    "nesting": "<div>" * 200_000,
    "nesting, closed": "<div>" * 3_000 + "x" + "</div>" * 3_000,
    "spans": "<p><span>" * 25_000,
    "elements": "<p>" * 1_000_000,
    "stray ends": "<div>" * 2_000 + "</b>" * 400_000,
    "stray </p>": "</p>" * 500_000,
    "attributes": "<p " + " ".join(f"a{i}=1" for i in range(200_000)) + ">x",
    "quoted attributes": "<p " + " ".join(f"a{i}='>'" for i in range(200_000)) + ">x",
    "hidden attributes": "<script>'<p x=\"</script><p "
    + " ".join(f"a{i}" for i in range(200_000))
    + ">",
    "open comment": "<p>x<!-- " + "a" * 5_000_000,
    "comments": "<!--" * 1_000_000,
    "open script": "<script>" + "<" * 5_000_000,
    "open tags": "<a/b=" * 500_000,
    "less-than": "<" * 2_000_000,
    "entities": "<p>" + "&amp;" * 500_000,
    "one word": "x" * 5_000_000,
    "links": '<a href="/x">x</a>' * 24_000,
    "titles": "<title>" * 40_000,
}


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_pages_cost_linear_time_and_say_so(name: str) -> None:
    started = time.process_time()
    page = read(HOSTILE[name])
    assert time.process_time() - started < 3  # the quadratic ones took minutes
    assert page.depth <= 201
    assert page.nodes <= 50_000 or page.tree is None


def test_limits_are_told_by_the_numbers() -> None:
    assert read("<p>" * 51_000).nodes > 50_000
    assert read("<p>x" * 40_000).nodes == 40_002
    assert read("<div>" * 300).depth == 201
    assert read("<div>" * 150).depth == 152
    assert read("<p " + " ".join(f"a{i}=1" for i in range(50_000)) + ">x").nodes > 50_000


def test_scripts_full_of_markup_do_not_count_as_a_giant_tag() -> None:
    script = "<script>" + "if (a<b && c>d) { x(\"<p title='y'>\"); } // </style> <!-- \n" * 4_000
    page = read(script + "</script>" + f"<p>{PROSE}</p>")
    assert page.tree is not None
    assert page.sample == PROSE.strip()


# ------------------------------------------------------------------------------------- main text


def test_main_text_has_the_article_and_not_the_menu() -> None:
    page = read(article())
    main = extract_main(page, "https://a.example/mill")
    assert main.text.count("first groan of the wheel") >= 1
    assert "Shop" not in main.text and "All rights" not in main.text
    assert main.title == "The mill"
    assert extract_main(page, "https://a.example/mill") == main  # the tree is as it was
    assert extract_main(read(article()), "https://a.example/mill") == main


def test_tables_stay_and_comments_go() -> None:
    table = "<table><tr><td>Flour</td><td>12 sacks</td></tr></table>"
    comments = (
        '<div id="comments"><div class="comment"><p>First! Great post, thanks.</p></div></div>'
    )
    text = extract_main(read(article(body=table + comments)), "https://a.example/").text
    assert "12 sacks" in text
    assert "First!" not in text


def test_a_page_without_an_html_tag_has_text() -> None:
    body = "<div class=wrap>" + f"<p>{PROSE}</p>" * 4 + "</div>"
    assert "carts stood" in extract_main(read(body), "https://a.example/").text


@pytest.mark.parametrize("bad", ["\x00", "\x01", "&#1;", "&#11;", "&#x1F;", "\ufffe", "&#xFFFF;"])
def test_one_forbidden_character_does_not_lose_the_page(bad: str) -> None:
    text = extract_main(
        read(article(body=f"<p>Before {bad} after.</p>")), "https://a.example/"
    ).text
    assert "carts stood" in text and "after." in text


def test_references_that_only_begin_like_a_control_stay() -> None:
    text = extract_main(read(article(body="<p>A &#8230; B &#1044; C &#xe9; D</p>")), "x").text
    assert "A … B Д C é D" in text


JSON_LD = '{"@graph": [{"datePublished": "2020-02-29"}]}'


@pytest.mark.parametrize(
    ("head", "body", "expected"),
    [
        (
            '<meta property="article:published_time" content="2021-03-04T05:06:07+0100">',
            "",
            "2021-03-04T05:06:07+01:00",
        ),
        ('<meta itemprop="datePublished" content="2021-03-04">', "", "2021-03-04"),
        (f"<script type='application/ld+json'>{JSON_LD}</script>", "", "2020-02-29"),
        ("", '<time datetime="2019-12-31T23:59Z" pubdate>then</time>', "2019-12-31T23:59Z"),
        ('<meta name="date" content="31 February">', "", None),
        ('<meta name="date" content="2021-02-31">', "", None),
    ],
)
def test_dates_stated_for_machines(head: str, body: str, expected: str | None) -> None:
    assert extract_main(read(article(head, body)), "https://a.example/").published_at == expected


def test_no_noise(caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]) -> None:
    with caplog.at_level(logging.DEBUG):
        extract_main(read("<html><body><script>x</script></body></html>"), "https://a.example/")
    assert not caplog.records
    assert capfd.readouterr() == ("", "")
