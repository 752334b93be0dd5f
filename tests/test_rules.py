"""Cleaning rules: the form refuses what is unsafe, and applying them does what the lines say."""
# ruff: noqa: E501  (sample lines in eight scripts)

from __future__ import annotations

import re
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from quality.rules.apply import apply
from quality.rules.form import (
    RuleError,
    RuleSet,
    evaluate_predicate,
    load,
    parse,
    pattern_problem,
    predicate,
    starter,
)

BY = {"kind": "human", "name": "test"}


def rule(op: str = "drop_lines", pattern: str | None = "^Share$", **more: Any) -> dict:
    content = {"id": "a-rule", "op": op, "why": "test", "by": BY, **more}
    content.setdefault("examples", {"hit": ["Share"], "keep": ["Share it with us."]})
    return content if pattern is None else {**content, "pattern": pattern}


def ruleset(*rules: dict, **more: Any) -> RuleSet:
    rules = tuple({**r, "id": f"r{i}"} for i, r in enumerate(rules))
    content = {"schema": 1, "ruleset": "test", "version": 1, "rules": rules, **more}
    return parse(yaml.safe_load(yaml.safe_dump(content)), "test.yaml")


def clean(rules: RuleSet, text: str, language: str = "en", **tags: Any) -> str:
    return apply(rules, [text], [language], **tags).texts[0]


# --- what the operations do ----------------------------------------------------------------------

PAGE = "Home\n\nThe river rose in the night and stood level with the bridge.\n\nShare\n\nThe end came.\n"


def test_drop_lines_takes_the_line_and_one_of_two_blanks():
    expected = PAGE.replace("Share\n\n", "")
    result = apply(ruleset(rule()), [PAGE, "  Share \nx\n" * 9], ["en", "en"])
    assert result.texts[0] == expected
    assert result.removed_chars.tolist()[0] == len("Share\n\n")
    assert result.fired == [[0], [0]]
    assert "Share" not in result.texts[1]


def test_cut_head_takes_all_up_to_the_last_match_near_the_top():
    r = ruleset(rule("cut_head", "^--$", within=3, examples={"hit": ["--"], "keep": ["-"]}))
    body = "one long line of text\n" * 5
    assert clean(r, "menu\n--\n\n--\n" + body) == body
    # The fourth filled line is out of reach; blank ones don't count.
    far = "menu\nmenu\nmenu\n--\n" + body
    assert clean(r, far) == far
    assert clean(r, "menu\n\n\n\n--\n" + body) == body


def test_cut_tail_takes_all_from_the_first_match_near_the_end():
    examples = {"hit": ["Related"], "keep": ["Related work"]}
    r = ruleset(rule("cut_tail", "^Related$", within=4, examples=examples))
    body = "one long line of text\n" * 5
    tail = "Related\nteaser\nRelated\nteaser"
    assert clean(r, body + "\n" + tail) == body.rstrip("\n")
    far = body + tail + "\nmore\nmore"
    assert clean(r, far) == body + "Related\nteaser"


def test_replace_edits_lines_and_drops_those_left_empty():
    examples = {"hit": ["History[edit]"], "keep": ["edit"]}
    r = ruleset(
        rule("replace", r"\[edit\]", examples=examples),
        rule("replace", "AA", to=" ", examples={"hit": ["AA"], "keep": ["B"]}),
    )
    text = "  History[edit]\nx[edit]AAy[edit]\n[edit]\nlast line of the text"
    result = apply(r, [text], ["en"])
    assert result.texts == ["  History\nx y\nlast line of the text"]
    assert result.fired == [[0, 1]]
    assert result.removed_chars.tolist() == [len(text) - len(result.texts[0])]


def test_drop_doc_marks_and_lets_the_text_be_cleaned():
    examples = {"hit": [{"words": 3}], "keep": [{"words": 30}, {"digit_ratio": 1, "words": 50}]}
    r = ruleset(rule("drop_doc", None, when="words < 10", examples=examples), rule())
    words = np.array([3, 30, np.nan])
    result = apply(r, [PAGE] * 3, ["en"] * 3, signals={"words": words})
    assert result.drop.tolist() == [True, False, False]
    assert result.fired == [[0, 1], [1], [1]]
    assert "Share" not in result.texts[0]


def test_a_pattern_and_a_predicate_must_both_hold():
    r = ruleset(
        rule(
            "drop_doc",
            "^Not found$",
            when="words < 10",
            examples={"hit": ["Not found"], "keep": ["x"]},
        )
    )
    texts = ["Not found\nx", "Not found\nx", "Found"]
    result = apply(r, texts, ["en"] * 3, signals={"words": np.array([5, 50, 5])})
    assert result.drop.tolist() == [True, False, False]
    with pytest.raises(ValueError, match=r"rule r0: .*'words' has no column"):
        apply(r, texts, ["en"] * 3)


def test_rules_are_scoped():
    def hits(scope: dict, **tags: Any) -> list[bool]:
        r = ruleset(rule(scope=scope))
        count = len(next(iter(tags.values())))
        tags = {"languages": ["en"] * count, **tags}
        return [bool(f) for f in apply(r, [PAGE] * count, **tags).fired]

    languages = ["zh", "zh-Hant", "ZH_tw", "ja", None, "zha"]
    assert hits({"languages": ["zh"]}, languages=languages) == [True] * 3 + [False] * 3
    sites = ["example.com", "www.example.com", "notexample.com", None]
    assert hits({"sites": ["example.com"]}, sites=sites) == [True, True, False, False]
    assert hits({"page_types": ["article"]}, page_types=["article", "forum"]) == [True, False]
    assert hits({"scripts": ["Latn"]}, scripts=["Latn", "Cyrl"]) == [True, False]
    # A tag that the caller doesn't know is no match.
    assert hits({"sites": ["example.com"]}, languages=["en"]) == [False]
    narrowed = ruleset(rule(scope={"languages": ["de", "en"]}), scope={"languages": ["en", "fr"]})
    fired = apply(narrowed, [PAGE] * 3, ["de", "en", "fr"]).fired
    assert fired == [[], [0], []]


def test_an_ascii_rule_leaves_other_scripts_alone():
    examples = {"hit": ["-----"], "keep": ["中文没有空格", "word"]}
    r = ruleset(rule(pattern=r"^\W+$", scope={"ascii": True}, examples=examples))
    text = "春眠不觉晓\n* * *\nКак дела\n… …\nplain text"
    assert clean(r, text) == "春眠不觉晓\nКак дела\n… …\nplain text"


# --- keeping, when in doubt ----------------------------------------------------------------------


@pytest.mark.parametrize("text", ["Share\nShare", "Share\n" * 40 + "tiny rest", "Share\n\n \n"])
def test_a_document_that_would_nearly_vanish_stays_and_it_is_said(text: str):
    result = apply(ruleset(rule()), [text, PAGE], ["en", "en"])
    assert result.texts[0] == text
    assert result.restored.tolist() == [True, False]
    assert result.removed_chars.tolist()[0] == 0
    assert result.fired == [[0], [0]]


@pytest.mark.parametrize(
    "text", ["", "\n\n", " ", "x", "\r\n", "a\ud800b", "Share", "x" * 100_000, "a\x00b\u2028c"]
)
def test_texts_without_a_hit_come_back_as_they_were(text: str):
    result = apply(starter(), [text], ["en"], signals={"words": np.array([1])})
    assert result.texts == [text]
    assert result.removed_chars.tolist() == [0]


def test_odd_texts_with_a_hit_lose_nothing_else():
    long = "Share" + "e" * 2001
    text = f"{long}\r\n\u3000Share\u00a0\r\nlone \ud800 surrogate"
    pattern = "^Share"
    r = ruleset(rule(pattern=pattern, examples={"hit": ["Share"], "keep": ["x"]}))
    assert clean(r, text) == f"{long}\r\nlone \ud800 surrogate"
    assert apply(r, [], []).texts == []


LINES = st.sampled_from(
    [
        "Share",
        " Share ",
        "",
        " ",
        "Next",
        "a line of text",
        "另一行文字",
        "[edit]",
        "x[edit]",
        "Home > a > b",
    ]
)
TEXTS = st.lists(LINES, max_size=12).map("\n".join)
MIXED = (
    rule(),
    rule("cut_tail", "^Next$", within=3, examples={"hit": ["Next"], "keep": ["x"]}),
    rule("replace", r"\[edit\]$", examples={"hit": ["x[edit]"], "keep": ["x"]}),
    rule(
        pattern="^Home >",
        scope={"languages": ["en"]},
        examples={"hit": ["Home > a"], "keep": ["x"]},
    ),
)


@given(st.lists(st.tuples(TEXTS, st.sampled_from(["en", "zh"])), max_size=6))
def test_a_batch_equals_its_documents_one_by_one(rows: list[tuple[str, str]]):
    r = ruleset(*MIXED)
    together = apply(r, [t for t, _ in rows], [lang for _, lang in rows])
    for i, (text, language) in enumerate(rows):
        alone = apply(r, [text], [language])
        assert together.texts[i] == alone.texts[0]
        assert together.fired[i] == alone.fired[0]
        assert together.restored[i] == alone.restored[0]
        assert len(text) - len(together.texts[i]) == together.removed_chars[i] >= 0


@given(TEXTS, st.permutations(MIXED))
def test_the_order_of_rules_does_not_change_the_text(text: str, rules: list[dict]):
    assert clean(ruleset(*rules), text) == clean(ruleset(*MIXED), text)


@given(TEXTS)
def test_what_is_left_is_a_selection_of_the_lines(text: str):
    left = iter(text.split("\n"))
    kept = clean(ruleset(MIXED[0], MIXED[1], MIXED[3]), text).split("\n")
    assert all(line in left for line in kept)


# --- the form ------------------------------------------------------------------------------------

BAD = [
    ({"op": "drop_line"}, ["op", "drop_lines"]),
    ({"patern": "x"}, ["patern"]),
    ({"why": ""}, ["why"]),
    ({"by": {"kind": "cat", "name": "x"}}, ["by", "kind"]),
    ({"id": "No Good"}, ["id"]),
    ({"examples": {"hit": ["Share"]}}, ["examples", "keep"]),
    ({"examples": {"hit": ["share"], "keep": ["x"]}}, ["must hit 'share'"]),
    ({"examples": {"hit": ["Share"], "keep": [" Share "]}}, ["must keep ' Share '"]),
    ({"to": " "}, ["'to'", "replace"]),
    ({"within": 3}, ["'within'", "cut_head"]),
    ({"op": "replace", "to": "Buy now!"}, ["to"]),
    ({"pattern": "^(Share$"}, ["RE2 refuses"]),
    ({"pattern": "^Share(?= it)"}, ["RE2 refuses"]),
    ({"pattern": r"(.)\1"}, ["RE2 refuses"]),
    ({"pattern": "x*"}, ["empty line"]),
    ({"pattern": "^Share.{0,101}$"}, ["{0,101}", "100"]),
    ({"pattern": "^Share(e{99}){100}{100}$"}, ["RE2 refuses"]),
    ({"pattern": "^" + "Share|" * 100 + "$"}, ["at most 300"]),
    ({"pattern": r"^Share\b"}, [r"\b", "ASCII", r"\pL"]),
    ({"pattern": r"^[^\w]+$"}, [r"\w", "ASCII"]),
    ({"pattern": r"^[[:punct:]]+$"}, ["[:punct:]", "ASCII"]),
    ({"pattern": "^[^a-zA-Z0-9]{3,}$"}, ["[^a-zA-Z0-9]", "ASCII"]),
    ({"pattern": "Share\\nit"}, ["line end"]),
    ({"when": "word < 3"}, ["no signal 'word'", "words"]),
    ({"when": "words"}, ["compare"]),
    ({"pattern": None}, ["drop_lines wants a pattern"]),
    ({"op": "drop_doc", "pattern": None}, ["drop_doc wants a pattern or when"]),
    ({"op": "drop_doc", "pattern": None, "when": "words < 3"}, ["signal values"]),
]


@pytest.mark.parametrize(("change", "parts"), BAD)
def test_a_bad_rule_is_refused_in_one_line(tmp_path: Path, change: dict, parts: list[str]):
    path = tmp_path / "set.yaml"
    content = {
        "schema": 1,
        "ruleset": "s",
        "version": 1,
        "rules": [rule(id="one"), rule(**change)],
    }
    path.write_text(yaml.safe_dump(content, allow_unicode=True))
    with pytest.raises(RuleError) as error:
        load(path)
    message = str(error.value)
    assert "\n" not in message
    named = "rule No Good" if change.get("id") else "rule a-rule"
    for part in [str(path), named, *parts]:
        assert part in message, message


@pytest.mark.parametrize(
    ("content", "part"),
    [
        ("rules: [", "not YAML"),
        ("3", "wants the keys"),
        ("{schema: 2, ruleset: s, version: 1, rules: []}", "schema"),
        ("{schema: 1, ruleset: s, version: 1, rules: []}", "rules"),
        ("{schema: 1, ruleset: s, version: 1, rules: [3]}", "rule 1"),
        ("{schema: 1, ruleset: s, version: 1}", "rules: field required"),
    ],
)
def test_a_bad_file_is_refused_in_one_line(tmp_path: Path, content: str, part: str):
    path = tmp_path / "set.yaml"
    path.write_text(content)
    with pytest.raises(RuleError) as error:
        load(path)
    assert str(path) in str(error.value)
    assert part in str(error.value)
    assert "\n" not in str(error.value)
    with pytest.raises(RuleError, match=r"nowhere\.yaml: No such file"):
        load(tmp_path / "nowhere.yaml")


def test_twice_the_same_id_is_refused():
    content = {"schema": 1, "ruleset": "s", "version": 1, "rules": [rule(), rule()]}
    with pytest.raises(RuleError, match="a-rule stands twice"):
        parse(content, "x")


@pytest.mark.parametrize(
    "pattern", [r"^[\pL\pN]+$", r"^[^\pL]+$", r"\\w", r"\Q\w\E", "[^|>]x", r"^\pN{4}$"]
)
def test_patterns_that_know_all_scripts_are_fine(pattern: str):
    assert pattern_problem(pattern) is None


def test_a_rule_is_fast_on_hostile_lines():
    r = ruleset(rule("replace", "(a+)+(b|a)*$", examples={"hit": ["ab"], "keep": ["x"]}))
    start = time.process_time()
    clean(r, "a" * 200_000 + "!\n" + ("a" * 1999 + "!\n") * 50)
    assert time.process_time() - start < 2


def test_the_digest_follows_the_content_and_not_the_layout(tmp_path: Path):
    text = Path(starter.__globals__["__file__"]).with_name("starter.yaml").read_text()
    other = tmp_path / "other.yaml"
    other.write_text("# a comment\n" + yaml.safe_dump(yaml.safe_load(text), allow_unicode=True))
    assert load(other).digest == starter().digest
    other.write_text(text.replace("within: 12", "within: 13"))
    assert load(other).digest != starter().digest


# --- predicates ----------------------------------------------------------------------------------

NUMBERS = st.floats(-10, 10) | st.just(0.0)


@given(
    st.sampled_from(
        [
            "words < 3",
            "words + lines * 2 >= digit_ratio and not lines == 1",
            "0 <= words <= 5 or lines != digit_ratio",
            "-words > 1.5 - lines and (digit_ratio < 2 or words > lines)",
            "not (words > 1 and lines > 1)",
        ]
    ),
    st.lists(st.tuples(NUMBERS, NUMBERS, NUMBERS), min_size=1, max_size=5),
)
def test_a_predicate_equals_python(source: str, rows: list[tuple[float, float, float]]):
    names = ("words", "lines", "digit_ratio")
    columns = {name: np.array([row[i] for row in rows]) for i, name in enumerate(names)}
    got = evaluate_predicate(predicate(source), columns, len(rows))
    assert got.tolist() == [eval(source, {}, dict(zip(names, row, strict=True))) for row in rows]


def test_an_unknown_signal_value_makes_a_predicate_false():
    columns = {"words": np.array([np.nan, 1, 9]), "lines": np.array([0.0, 0, 0])}
    for source, expected in [("words < 5", [0, 1, 0]), ("not words < 5", [0, 0, 1])]:
        assert evaluate_predicate(predicate(source), columns, 3).tolist() == expected
    assert evaluate_predicate(predicate("words / lines > 1"), columns, 3).tolist() == [0, 1, 1]


@pytest.mark.parametrize(
    "source",
    [
        "__import__('os').system('true') < 1",
        "words.__class__ < 1",
        "words ** words < 1",
        "9 ** 9 ** 9 < 1",
        "[words][0] < 1",
        "(lambda: 1)() < 1",
        "(x := 3) < 1",
        "words < '3'",
        "words < True",
        "words if lines else words",
        "words < 3; lines",
        "words <",
        "words in lines",
        "(words < 3) < 2",
        "words and lines",
        "(" * 140 + "1" + ")" * 140,
        "words < 1j",
        "f'{words}' < 1",
    ],
)
def test_a_predicate_is_arithmetic_and_nothing_else(source: str):
    with pytest.raises(ValueError, match="when: "):
        predicate(source)


# --- the starter set -----------------------------------------------------------------------------


def as_python(pattern: str) -> str:
    return (
        pattern.replace(r"[\pL ]", r"(?:[^\W\d_]| )")
        .replace(r"\pN", r"\d")
        .replace(r"\pL", r"[^\W\d_]")
    )


def test_starter_hits_equal_those_of_python_re():
    """RE2 on whole batches against Python's own engine on single lines."""
    rules = starter()
    pool = [x for r in rules.rules for x in (*r.examples.hit, *r.examples.keep)]
    pool += [x.upper() for x in pool] + [x + "." for x in pool] + [f"- {x}" for x in pool]
    # One line a document, held up by neutral text, so that every hit can be told.
    texts = [f"neutral text of some length {'x' * 400}\n{line}" for line in pool]
    for language in ("en", "zh", "ja", "de", "ru", "es"):
        fired = apply(
            rules, texts, [language] * len(texts), signals={"words": np.zeros(len(texts))}
        ).fired
        for line, ids in zip(pool, fired, strict=True):
            expected = [
                i
                for i, r in enumerate(rules.rules)
                if (not r.scope.languages or language in r.scope.languages)
                and re.search(as_python(r.pattern or ""), line.strip())
            ]
            assert ids == expected, line


PROTECTED = {
    "en": "Share your bread with me.\nPrint\nThe next page of the book was torn.\nHome\nRegister\n"
    "We use cookies in the oven test.\nCopyright was unknown then.\nRead more slowly, he said.\nNext\n",
    "zh": "上一篇文章介绍了安装方法。\n分享到这里就结束了，谢谢大家。\n编辑：用 vim 打开文件\n首页的设计很重要。\n"
    "版权是作者的权利。\n春眠不觉晓\n处处闻啼鸟\n",
    "ja": "続きを読むのが楽しみだ。\n次の記事を書いている。\n古池や\n蛙飛びこむ\n水の音\n",
    "ru": "Подробнее об этом ниже.\nНаверх вела лестница.\nЧитать далее он не стал.\n— Поделиться? — спросил он.\n",
    "de": "Nach oben führte eine Treppe.\nMehr erfahren wir im nächsten Kapitel.\nWeiterlesen half nicht.\n",
    "es": "Leer más libros.\nVer más lejos.\nCompartir es vivir.\n",
    "xx": "for (i = 0; i < 3; i++) {\n  share[i] = next(page);\n}\n| a | b |\n|---|---|\n404 birds\n",
}


@pytest.mark.parametrize("language", PROTECTED)
def test_starter_leaves_text_alone_that_only_looks_like_furniture(language: str):
    text = PROTECTED[language]
    result = apply(starter(), [text], [language], signals={"words": np.array([20])})
    assert result.texts == [text]
    assert not result.drop.any()
