"""Filters: the vectorised evaluation against a row-by-row oracle, the default set on real prose."""
# ruff: noqa: E501  (prose in eight scripts, one sentence a line)

from __future__ import annotations

from decimal import ROUND_HALF_EVEN, Decimal
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from quality.filters import DEFAULT, Filter, FilterError, evaluate, load, names, setting
from quality.signals import SIGNALS, signals

PROSE = {
    "en": "The river had risen in the night, and by morning it stood level with the old bridge. "
    "We walked down to look at it with our coats over our heads. Nobody said very much. "
    "The miller was there before us, and he told us that he had not seen the water so high "
    "since the year his father died. “It will fall by Sunday,” he said, but he did not sound sure. "
    "Then the rain began again, and we all went home to wait.\n",
    "de": "In der Nacht war der Fluss gestiegen, und am Morgen stand er so hoch wie die alte Brücke. "
    "Wir gingen hinunter, um ihn anzusehen, und hielten die Mäntel über den Kopf. Niemand sagte "
    "viel. Der Müller war vor uns da und erzählte, dass er das Wasser seit dem Tod des Vaters nicht "
    "mehr so hoch gesehen habe. „Bis Sonntag fällt es“, sagte er, aber er klang nicht sicher. "
    "Dann fing der Regen wieder an, und wir gingen alle nach Hause und warteten.\n",
    "ru": "Ночью река поднялась, и к утру вода стояла вровень со старым мостом. Мы пошли вниз, чтобы "
    "посмотреть на неё, и держали пальто над головой. Никто почти не говорил. Мельник пришёл раньше "
    "нас и сказал, что не видел такой высокой воды с того года, как умер его отец. «К воскресенью "
    "спадёт», — сказал он, но голос его звучал неуверенно. Потом снова пошёл дождь, и мы все "
    "отправились домой и стали ждать на кухне, что будет дальше с мостом и с мельницей.\n",
    "zh": "夜里河水涨了，到了早晨，水面已经和老桥一样高。我们把外套顶在头上，走下去看。谁也没有多说话。"
    "磨坊主比我们先到，他告诉我们，自从他父亲去世的那一年以来，他就没有见过这么大的水。"
    "“到星期天就会退的。”他说，可是听起来并不怎么肯定。后来雨又下了起来，我们都回家去等消息。\n",
    "zh-Hant": "夜裡河水漲了，到了早晨，水面已經和老橋一樣高。我們把外套頂在頭上，走下去看。誰也沒有多說話。"
    "磨坊主比我們先到，他告訴我們，自從他父親去世的那一年以來，他就沒有見過這麼大的水。"
    "「到星期天就會退的。」他說，可是聽起來並不怎麼肯定。後來雨又下了起來，我們都回家去等消息。\n",
    "ja": "夜のうちに川の水かさが増え、朝には古い橋と同じ高さになっていた。私たちは上着を頭にかぶって見に行った。"
    "誰もあまり話さなかった。粉屋は先に来ていて、父親が死んだ年からこんなに高い水は見たことがないと言った。"
    "「日曜までには引くだろう」と彼は言ったが、自信はなさそうだった。それからまた雨が降り出し、みんな家に帰った。\n",
    "ko": "밤사이 강물이 불어 아침에는 오래된 다리와 같은 높이가 되었다. 우리는 외투를 머리에 쓰고 그 물을 보러 "
    "내려갔다. 말을 많이 하는 사람은 없었다. 방앗간 주인은 우리보다 먼저 와 있었고, 아버지가 돌아가신 해 "
    "이후로 이렇게 높은 물은 본 적이 없다고 말했다. 일요일까지는 빠질 것이라고 그는 말했지만 자신은 없어 "
    "보였다. 그리고 다시 비가 내리기 시작했고 우리는 모두 집으로 돌아가 기다릴 수 밖에 없었다. 그 다리는 "
    "다음 날 아침에도 그대로 서 있었고, 방앗간의 바퀴는 이 날 하루 종일 돌지 않았다.\n",
}


def failed(text: str, language: str) -> set[str]:
    row = signals(text, language)
    bits, _ = evaluate(DEFAULT, {name: [value] for name, value in row.items()}, [language])
    return {name for i, name in enumerate(names(DEFAULT)) if int(bits[0]) >> i & 1}


@pytest.mark.parametrize("language", PROSE)
def test_plain_prose_passes_every_default_filter(language: str):
    assert failed(PROSE[language], language) == set()


@pytest.mark.parametrize("language", PROSE)
def test_bad_pages_fail_for_the_reason_one_would_give(language: str):
    prose = PROSE[language]
    first = prose[: len(prose) // 6]
    assert "gopher_words" in failed(first, language)
    assert {"gopher_dup_lines", "gopher_dup_line_chars", "gopher_dup_10gram"} <= failed(
        prose * 3, language
    )
    menu = "\n".join(prose.replace("，", " ").replace("、", " ").split()) + "\n"
    if language in ("en", "de", "ru", "ko"):
        menu = menu.replace(".", "").replace(",", "")
        assert {"fineweb_short_lines", "fineweb_newlines", "fineweb_line_punctuation"} <= failed(
            menu, language
        )
    assert "c4_curly_braces" in failed(prose + "{x}", language)
    assert "c4_lorem_ipsum" in failed(prose + "Lorem ipsum dolor.", language)
    bullets = "".join(
        f"• {line}。\n" for line in prose.replace("。", ".").split(".") if line.strip()
    )
    assert "gopher_bullet_lines" in failed(bullets, language)
    assert "gopher_symbols" in failed("# ".join(prose.split()) + "#" * 40, language)


def test_a_chinese_menu_fails():
    menu = "首页\n新闻中心\n产品展示\n联系我们\n关于我们\n在线留言\n" * 3
    assert {"fineweb_short_lines", "fineweb_newlines", "c4_sentences"} <= failed(menu, "zh")


def test_default_signals_exist_and_every_setting_names_its_source():
    for f in DEFAULT:
        assert f.signal in SIGNALS
        assert f.source
        assert (f.min is not None or f.max is not None) or f.source == "off"


# --- evaluate against a plain loop ---------------------------------------------------------------

FILTERS = (
    Filter("a", "x", min=0.1),
    Filter("a", "x", max=0.9, languages=("zh", "ja")),
    Filter("b", "y", min=-1, max=0.5, languages=("en",)),
    Filter("c", "x", max=0.25),
    Filter("c", "x", languages=("de",)),
    Filter("d", "y", max=0.3),
)
VALUES = st.one_of(
    st.none(),
    st.just(float("nan")),
    st.floats(-2, 2),
    # Around a limit, where rounding decides.
    st.sampled_from([0.1, 0.25, 0.3, 0.5, 0.9]).flatmap(
        lambda x: st.sampled_from([x, x + 4e-7, x - 4e-7, x + 6e-7, x - 6e-7])
    ),
)
LANGUAGES = st.sampled_from(["en", "zh", "zh-Hant", "ja", "de", "fr", "EN", None])


def row_by_row(x: float | None, y: float | None, language: str | None) -> list[str]:
    def rounded(value: float) -> Decimal:
        return Decimal(value).quantize(Decimal("0.000001"), ROUND_HALF_EVEN)

    main = (language or "").lower().split("-")[0]
    bad = []
    for name in "abcd":
        rules = [f for f in FILTERS if f.name == name]
        rule = next((f for f in rules if f.languages and main in f.languages), None) or next(
            (f for f in rules if f.languages is None), None
        )
        value = {"x": x, "y": y}[rules[0].signal]
        if rule is None or value is None or value != value:
            continue
        low = rule.min is not None and rounded(value) < rounded(rule.min)
        high = rule.max is not None and rounded(value) > rounded(rule.max)
        if low or high:
            bad.append(name)
    return bad


@given(st.lists(st.tuples(VALUES, VALUES, LANGUAGES), max_size=30))
def test_evaluate_equals_a_row_by_row_reading(rows: list[tuple]):
    columns = {k: np.array([row[i] for row in rows], object) for i, k in enumerate("xy")}
    bits, first = evaluate(FILTERS, columns, np.array([row[2] for row in rows], object))
    assert bits.dtype == np.uint64
    assert first.dtype == np.int16
    for row, bit, one in zip(rows, bits.tolist(), first.tolist(), strict=True):
        expected = row_by_row(*row)
        assert [n for i, n in enumerate("abcd") if bit >> i & 1] == expected
        assert one == ("abcd".index(expected[0]) if expected else -1)


def test_long_tables_and_every_bit():
    """More rows than one block, and filters up to the 64th bit."""
    n = 100_001
    filters = [Filter(f"f{i}", "x", max=i / 64) for i in range(64)]
    x = np.arange(n) / (n - 1)
    bits, first = evaluate(filters, {"x": x.astype(np.float32)}, np.full(n, "en"))
    assert int(bits[-1]) == 2**64 - 1
    assert bits[0] == 0
    assert first[0] == -1
    counts = [int(((bits >> np.uint64(i)) & np.uint64(1)).sum()) for i in range(64)]
    assert counts == [int((np.round(x, 6) > np.round(i / 64, 6)).sum()) for i in range(64)]


def test_float32_and_float64_columns_decide_alike():
    values = np.round(np.random.default_rng(0).random(10_000), 6)
    f = [Filter("f", "x", max=float(values[7]))]
    wide, _ = evaluate(f, {"x": values}, np.full(values.size, "en"))
    narrow, _ = evaluate(f, {"x": values.astype(np.float32)}, np.full(values.size, "en"))
    assert (wide == narrow).all()
    assert wide[7] == 0


def test_the_setting_that_held_can_be_told():
    assert setting(FILTERS, "a", "zh-Hant") is FILTERS[1]
    assert setting(FILTERS, "a", None) is FILTERS[0]
    assert setting(FILTERS, "b", "fr") is None


# --- errors --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("content", "parts"),
    [
        ("filters: [", ["not YAML"]),
        ("[]", ["'filters'"]),
        ("filters: []", ["'filters'"]),
        ("filters: [3]", ["filter 1", "name"]),
        ("filters: [{name: a, signal: x, mim: 3}]", ["filter 1", "'mim'", "min"]),
        ("filters: [{name: a}]", ["filter 1", "'signal'"]),
        ("filters: [{name: a, signal: x, min: yes}]", ["filter 1", "min", "True"]),
        ("filters: [{name: a, signal: x, max: .nan}]", ["filter 1", "max"]),
        ("filters: [{name: a, signal: x, languages: zh}]", ["languages", "[zh, ja]"]),
        ("filters: [{name: a, signal: x, languages: [no]}]", ["False", "quote"]),
        ("filters: [{name: a, signal: x, languages: [zh-Hant]}]", ["filter a", "write zh"]),
        ("filters: [{name: a, signal: x, min: 2, max: 1}]", ["filter a", "above"]),
        ("filters: [{name: a, signal: x}, {name: a, signal: y}]", ["filter a", "x and y"]),
        ("filters: [{name: a, signal: x}, {name: a, signal: x, max: 1}]", ["two settings"]),
    ],
)
def test_a_bad_file_is_refused_in_one_line(tmp_path: Path, content: str, parts: list[str]):
    path = tmp_path / "f.yaml"
    path.write_text(content)
    with pytest.raises(FilterError) as error:
        load(path)
    message = str(error.value)
    assert "\n" not in message
    for part in [str(path), *parts]:
        assert part in message


def test_a_missing_file_or_column_is_named(tmp_path: Path):
    with pytest.raises(FilterError, match=r"nowhere\.yaml"):
        load(tmp_path / "nowhere.yaml")
    with pytest.raises(FilterError, match=r"filter d .*signal y"):
        evaluate([Filter("d", "y")], {"x": [1.0]}, ["en"])
    with pytest.raises(FilterError, match="65 filters"):
        evaluate([Filter(f"f{i}", "x") for i in range(65)], {"x": [1.0]}, ["en"])
