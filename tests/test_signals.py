"""Signals against a plain string implementation of the papers' definitions, and by hand."""

from __future__ import annotations

import math
import re
import unicodedata
from collections import Counter

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from quality.signals import SIGNALS, signals
from quality.words import STOP_WORDS, words

# --- the oracle: slow, plain, strings only -------------------------------------------------------

ALONE = (
    "CJK UNIFIED",
    "CJK COMPATIBILITY IDEOGRAPH",
    "IDEOGRAPHIC ITERATION",
    "HIRAGANA",
    "KATAKANA",
    "HALFWIDTH KATAKANA LETTER",
    "THAI",
    "LAO",
    "KHMER",
    "MYANMAR",
    "TIBETAN",
    "BOPOMOFO",
)


STOPS = ".!?…。！？．｡؟۔।॥"


def kind(char: str) -> str:
    """One of: space, mark (joins the word before it), alone, letter, digit, other."""
    category = unicodedata.category(char)
    if char == "〇":
        return "alone"
    if category in ("Zs", "Zl", "Zp", "Cc") or char in "\u200b\ufeff":
        return "space"
    if category[0] == "M" or category == "Cf":
        return "mark"
    if category[0] == "L":
        return "alone" if unicodedata.name(char, "").startswith(ALONE) else "letter"
    return "digit" if category[0] == "N" else "other"


def pieces(text: str) -> list[tuple[str, int]]:
    """(piece, end) of all words and punctuation runs."""
    found, i = [], 0
    kinds = [kind(c) for c in text] + ["space", "space"]
    text += "  "
    while i < len(text) - 2:
        if kinds[i] in ("space", "mark"):
            i += 1
            continue
        j = i + 1
        if kinds[i] == "alone":
            while kinds[j] == "mark":
                j += 1
        elif kinds[i] in ("letter", "digit"):
            while True:
                joined = text[j] in "'’._" and kinds[j + 1] in ("letter", "digit")
                comma = text[j] == "," and kinds[j - 1] == kinds[j + 1] == "digit"
                url = re.match(r"://[!-~]+", text[j:])
                if url:
                    j += len(url.group().rstrip(".!?,:;\"')]}"))
                    break
                if kinds[j] in ("letter", "digit", "mark"):
                    j += 1
                elif joined or comma:
                    j += 2
                else:
                    break
        else:
            while text[j] == text[i]:
                j += 1
        found.append((text[i:j], j))
        i = j
    return found


def is_word(piece: str) -> bool:
    return kind(piece[0]) in ("letter", "digit", "alone")


def trim(line: str) -> str:
    while line and kind(line[0]) == "space":
        line = line[1:]
    while line and kind(line[-1]) == "space":
        line = line[:-1]
    return line


def repeats(items: list) -> list:
    """The second and later copies."""
    seen, later = set(), []
    for item in items:
        if item in seen:
            later.append(item)
        seen.add(item)
    return later


def top_ngram(tokens: list[str], n: int) -> int:
    grams = [tuple(tokens[i : i + n]) for i in range(len(tokens) - n + 1)]
    if not grams or max(Counter(grams).values()) == 1:
        return 0
    length = {g: sum(map(len, g)) for g in grams}
    best = max((count, length[g]) for g, count in Counter(grams).items())
    # Hash or insertion order must not matter: every gram as frequent and as long is a candidate.
    candidates = {g for g, count in Counter(grams).items() if (count, length[g]) == best}
    covered = set()
    for gram in candidates:
        i = inside = 0
        while i < len(grams):
            hit = grams[i] == gram
            inside += best[1] * hit
            i += n if hit else 1
        covered.add(inside)
    return covered


def duplicate_ngrams(tokens: list[str], n: int) -> int:
    seen, inside, i = set(), 0, 0
    while i + n <= len(tokens):
        gram = tuple(tokens[i : i + n])
        if gram in seen:
            inside += sum(map(len, gram))
            i += n
        else:
            seen.add(gram)
            i += 1
    return inside


def count_sentences(text: str) -> int:
    total = since = 0
    before = 0
    for piece, end in pieces(text):
        if "\n" in text[before:end]:
            since = 0
        before = end
        if is_word(piece):
            since += 1
            continue
        if piece[0] not in STOPS:
            continue
        rest = re.sub(rf"\A[{STOPS}\"'”’»«“)\]}}」』）】》〉]+", "", text[end:])
        if piece[0] in ".!?…" and rest and kind(rest[0]) != "space":
            continue
        if piece[0] in ".…":
            same_line = rest.split("\n", 1)[0]
            after = trim(same_line)[:1]
            if after and unicodedata.category(after) == "Ll":
                continue
        total += since >= 2
        since = 0
    return total


def reference(text: str, language: str) -> dict[str, object]:
    found = [piece for piece, _ in pieces(text)]
    spoken = [piece for piece in found if is_word(piece)]
    lines = [trim(line) for line in text.split("\n")]
    paragraphs, block = [], []
    for line in [*lines, ""]:
        if line:
            block.append(line)
        elif block:
            paragraphs.append(tuple(block))
            block = []
    lines = [line for line in lines if line]
    tokens = ["".join(c.lower() if len(c.lower()) == 1 else c for c in piece) for piece in found]
    chars = sum(map(len, found)) or 1
    line_chars = sum(map(len, lines)) or 1
    letters = [c for c in text if kind(c) in ("letter", "alone")] or [" "]
    visible = [c for c in text if kind(c) not in ("space", "mark")] or [" "]
    width = [
        sum(2 if unicodedata.east_asian_width(c) in "WF" else kind(c) != "mark" for c in line)
        for line in lines
    ]
    ellipses = sum(len(p) // 3 for p in found if p[0] == ".") + text.count("…")
    n_lines, n_pieces = len(lines) or 1, len(found) or 1
    listed = STOP_WORDS.get(language.split("-")[0], "").split()

    def names(c: str) -> str:
        return unicodedata.name(c, "")

    top = {n: top_ngram(tokens, n) or {0} for n in (2, 3, 4)}
    return {
        "words": len(spoken),
        "mean_word_length": sum(map(len, spoken)) / (len(spoken) or 1),
        "symbol_ratio": max(text.count("#"), ellipses) / n_pieces,
        "bullet_line_ratio": sum(line[0] in "•‣◦●○■□▪▫◆◇▶►⁃∙·・*-" for line in lines) / n_lines,
        "ellipsis_line_ratio": sum(line.endswith(("...", "…")) for line in lines) / n_lines,
        "alpha_word_ratio": sum(any(kind(c) in ("letter", "alone") for c in p) for p in found)
        / n_pieces,
        "stop_words": sum(w in set(tokens) for w in listed) if listed else math.nan,
        "dup_line_ratio": len(repeats(lines)) / n_lines,
        "dup_line_char_ratio": sum(map(len, repeats(lines))) / line_chars,
        "dup_paragraph_ratio": len(repeats(paragraphs)) / (len(paragraphs) or 1),
        "dup_paragraph_char_ratio": sum(len(x) for p in repeats(paragraphs) for x in p)
        / line_chars,
        **{f"top_{n}gram_char_ratio": {x / chars for x in top[n]} for n in (2, 3, 4)},
        **{f"dup_{n}gram_char_ratio": duplicate_ngrams(tokens, n) / chars for n in range(5, 11)},
        "terminal_punct_line_ratio": sum(x[-1] in STOPS + "\"'”’“»«」』" for x in lines) / n_lines,
        "short_line_ratio": sum(w <= 30 for w in width) / n_lines,
        "newline_ratio": text.count("\n") / n_pieces,
        "sentences": count_sentences(text),
        "lines": len(lines),
        "digit_ratio": sum(kind(c) == "digit" for c in text) / len(visible),
        "upper_ratio": sum(unicodedata.category(c) in ("Lu", "Lt") for c in text) / len(letters),
        "han_ratio": sum(
            names(c).startswith(("CJK U", "CJK C", "IDEOG")) and kind(c) == "alone" for c in text
        )
        / len(letters),
        "kana_ratio": sum(
            kind(c) == "alone" and ("KATA" in names(c) or "HIRA" in names(c)) for c in text
        )
        / len(letters),
        "curly_braces": text.count("{"),
        "lorem_ipsum": text.lower().count("lorem ipsum"),
        "javascript_lines": sum("javascript" in x.lower() for x in text.split("\n")),
    }


def differences(text: str, language: str) -> dict[str, tuple]:
    ours, plain = signals(text, language), reference(text, language)
    assert list(ours) == list(SIGNALS)
    wrong = {}
    for name, value in ours.items():
        expected = plain[name] if isinstance(plain[name], set) else {plain[name]}
        same = any(abs(value - e) < 1e-6 or (math.isnan(value) and math.isnan(e)) for e in expected)
        if not same:
            wrong[name] = (value, plain[name])
    return wrong


# --- agreement -----------------------------------------------------------------------------------

TEXTS = {
    "en": "The cat sat on the mat. It didn't move, e.g. when called... Why?\n\n"
    "• First point: 1,000 items at 3.14 each\n• Second point (see example.com)\n\n"
    'Read more…\nRead more…\n\nJ. K. Rowling wrote it. "Really?" she asked.\n',
    "zh": "今天天气很好，我们去公园散步。你好吗？我很好！\n\n分享到：微信 QQ空间\n上一篇：无\n"
    "下一篇：无\n"
    "版权所有 © 2024 公司\n他说：“明天再来。”然后走了……\n今天天气很好，我们去公园散步。\n",
    "ja": "今日はいい天気ですね。コンピューターが好きです！\n"
    "「本当ですか？」と聞いた。\n続きを読む\n続きを読む\n",
    "ko": "안녕하세요. 이 책은 그 사람이 쓴 것 중 하나입니다. 읽을 수 있는 책이 많습니다!\n",
    "ru": "— Привет! — сказал он. — Как дела, т.е. что нового?\n— Всё хорошо...\nЧитать далее\n",
    "th": "สวัสดีครับ ผมชื่อสมชาย\nยินดีที่ได้รู้จัก\n",
    "de": "Größe, Straße und ÄÖÜ. Der Hund läuft schnell; die Katze schläft.\n»Ja«, sagte sie.\n",
    "xx": "function f() { return 1; } // JavaScript\nif (x) { y(); }\n#a #b\nLorem ipsum dolor\n",
    "tr": "İstanbul'da hava güzel. IŞIK ve ışık; bir de çok iyi.\n",
}


@pytest.mark.parametrize("language", TEXTS)
def test_signals_equal_the_plain_reference(language: str):
    text = TEXTS[language]
    assert differences(text, language) == {}
    assert differences(text * 3, language) == {}
    assert differences(text.replace("\n", " "), language) == {}


# Few different words, so that n-grams repeat; odd characters, so that edges meet.
LETTERS = "the of cat Cat DOG a x1 3 1,000 don't 中 文 的 ば ー カ 한국 и ß İ ก ำ é Ａ ﾊ ² 〇々 😀"
TOKENS = st.sampled_from(
    LETTERS.split()
    + list("\u0301\u00ad\u200d\u200b\ufeff.…!?。！”\"')」,#•-_{\n\t\u00a0\u3000\x00\ud800")
    + ["...", "://", "\n\n", " \n", "javascript\n", "Lorem ipsum ", "the cat sat on the mat of x1 "]
)


@settings(max_examples=300, deadline=None)
@given(st.lists(st.tuples(TOKENS, st.sampled_from([" ", "", "", "\n"])), max_size=60))
def test_signals_equal_the_plain_reference_on_any_text(parts: list[tuple[str, str]]):
    text = "".join(token + gap for token, gap in parts)
    assert differences(text, "en") == {}


@settings(max_examples=100, deadline=None)
@given(st.text(max_size=200), st.sampled_from(["en", "zh", "tlh"]))
def test_every_value_is_finite_and_every_share_in_0_to_1(text: str, language: str):
    for name, value in signals(text, language).items():
        if name.endswith("_ratio") and not name.startswith("newline"):
            assert 0 <= value <= 1, (name, value)
        else:
            assert value >= 0 or (name == "stop_words" and math.isnan(value))


# --- worked by hand ------------------------------------------------------------------------------


def test_gopher_repetition_by_hand():
    # 4 lines, one a copy of 6 of 24 characters; 3 paragraphs, one a copy.
    s = signals("one two\n\nalphas\n\nalphas\nbeta5", "en")
    assert s["dup_line_ratio"] == 0.25
    assert s["dup_line_char_ratio"] == 0.25
    assert s["dup_paragraph_ratio"] == 0
    s = signals("alphas\nx\n\nalphas\nx", "en")
    assert s["dup_paragraph_ratio"] == 0.5
    assert s["dup_paragraph_char_ratio"] == 0.5
    # "a b" twice in 8 letters; 5-gram "a b c d e" again after itself.
    assert signals("a b c d a b e f", "en")["top_2gram_char_ratio"] == 0.5
    s = signals("a b c d e a b c d e", "en")
    assert s["dup_5gram_char_ratio"] == 0.5
    assert s["dup_6gram_char_ratio"] == 0
    # Copies that overlap count their characters once.
    assert signals("ha " * 50, "en")["top_2gram_char_ratio"] == 1
    assert signals("ha " * 50, "en")["dup_10gram_char_ratio"] == 0.8


def test_repeats_in_chinese_are_seen_without_spaces():
    once = "春眠不觉晓处处闻啼鸟夜来风雨声花落知多少"
    assert signals(once, "zh")["dup_10gram_char_ratio"] == 0
    # Twenty characters, five others, the twenty again: 20 of 45 (found as two 10-grams).
    s = signals(once + "甲乙丙丁戊" + once, "zh")
    assert s["dup_10gram_char_ratio"] == pytest.approx(20 / 45, abs=1e-6)
    assert s["words"] == 45


def test_words_by_script():
    assert words("Don't stop: 1,000 well-known sites like example.com!") == [
        *("Don't", "stop", "1,000", "well", "known", "sites", "like", "example.com")
    ]
    assert words("(see https://example.com/a?b=c, or ftp://x.org/). Ends") == [
        *("see", "https://example.com/a?b=c", "or", "ftp://x.org/", "Ends")
    ]
    assert words("见http://example.com/路径 http:// x") == [
        *("见", "http://example.com/", "路", "径", "http", "x")
    ]
    assert words("我爱Python3和コード") == ["我", "爱", "Python3", "和", "コ", "ー", "ド"]
    assert words("한국어는 띄어쓰기") == ["한국어는", "띄어쓰기"]
    assert words("cafe\u0301 nai\u0308ve co\u00adop") == ["cafe\u0301", "nai\u0308ve", "co\u00adop"]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("He came. She left! Did they? Yes they did.", 4),
        ("See e.g. the cat, i.e. this one. It is 3.5 m long.", 2),
        ("J. K. Rowling wrote the book.", 1),
        ("1. Buy milk\n2. Sell eggs", 0),
        ("你好吗？我很好。谢谢你！", 3),
        ("他说：“明天再来。”然后走了。", 2),
        ("Home\nAbout us\nContact", 0),
        ("هل هذا صحيح؟ نعم هذا صحيح.", 2),
        ("यह सच है। वह घर गया।", 2),
    ],
)
def test_sentences(text: str, expected: int):
    assert signals(text, "en")["sentences"] == expected


def test_end_punctuation_is_not_only_ascii():
    lines = "一行。\n二行！\n三行？\n四行”\nfive.\nsechs»\nسبعة؟\nमेनू\nmenu"
    assert signals(lines, "zh")["terminal_punct_line_ratio"] == round(7 / 9, 6)


def test_a_short_line_is_measured_in_columns():
    # 15 Chinese characters fill what 30 Latin letters fill.
    assert signals("中" * 15, "zh")["short_line_ratio"] == 1
    assert signals("中" * 16, "zh")["short_line_ratio"] == 0
    assert signals("a" * 30, "en")["short_line_ratio"] == 1
    assert signals("a" * 31, "en")["short_line_ratio"] == 0


def test_stop_words_follow_the_language():
    assert signals("The cat and THE dog of mine", "en")["stop_words"] == 3
    assert signals("我的书在家里", "zh")["stop_words"] == 2
    assert signals("我的書在家裡", "zh-Hant")["stop_words"] == 2
    assert signals("der Hund und die Katze", "de_AT")["stop_words"] == 3
    assert math.isnan(signals("nuqneH", "tlh")["stop_words"])


def test_blank_lines_and_margins_change_nothing_but_newlines():
    text = TEXTS["en"]
    padded = "\n \n" + text.replace("\n", "  \n") + "\n\t\n"
    ours, other = signals(text, "en"), signals(padded, "en")
    ours.pop("newline_ratio"), other.pop("newline_ratio")
    assert ours == other


@pytest.mark.parametrize(
    "text", ["", " \n\t ", "\x00", "\ud800", "\u0301", "." * 5000, "a" * 300_000]
)
def test_odd_texts_have_values_too(text: str):
    assert list(signals(text, "en")) == list(SIGNALS)


def test_values_survive_float32():
    """A float32 column must fall on the same side of a six-digit threshold."""
    for language, text in TEXTS.items():
        for name, value in signals(text, language).items():
            if SIGNALS[name].arrow == "float32" and value < 16:
                assert round(float(np.float32(value)), 6) == value


def test_arrow_types_exist():
    for signal in SIGNALS.values():
        assert pa.type_for_alias(signal.arrow) in (pa.int32(), pa.float32())
