"""Shingles against a plain tokeniser, signatures against datasketch, bands by their promise."""

from __future__ import annotations

import sys
import unicodedata
from itertools import pairwise

import numpy as np
import pytest
from datasketch import MinHash
from hypothesis import example, given, settings
from hypothesis import strategies as st

from quality.minhash import (
    NO_BAND,
    Signatures,
    bands,
    folded,
    sign,
    signature_similarity,
    signatures,
)
from quality.shingles import jaccard, jaccard_pairs, shingle_blocks, shingle_hashes, shingle_sets

UNSPACED = ("CJK UNIFIED", "HIRAGANA", "KATAKANA", "THAI", "LAO", "MYANMAR", "KHMER", "BOPOMOFO",
            "YI SYLLABLE", "HENTAIGANA", "TAI LE", "TAI THAM", "NEW TAI LUE")  # fmt: skip
WORDS = ["the", "Zug", "straße", "don't", "3.14", "snake_case", "Ärger", "A\u0308rger", "ПРИВЕТ",
         "ΟΔΟΣ", "οδος", "हिन्दी", "שָׁלוֹם", "한국어", "ﬁne", "ﬀ", "㎏", "½", "İ", "Ⅷ", "ａｂｃ",
         "中", "文字", "国語", "カタカナ", "ｶﾞ", "ひらがな", "か\u3099", "ไทย", "น้ำ", "ລາວ", "မြန်မာ",
         "ខ្មែរ", "\U00020000\U0002f800", "𝒜𝓫", "👍\ufe0f", "so\xadft", "zero\u200bwidth",
         "nb\xa0sp", "…", "´", "°C", "\ud800", "\U000e0041", "x\u0301\u0323", "\u0301", "₂",
         "ﷺ", ""]  # fmt: skip


@st.composite
def texts(draw):
    parts = draw(st.lists(st.sampled_from(WORDS) | st.text(max_size=3), max_size=14))
    return draw(st.sampled_from(["", " ", ", ", "\n"])).join(parts)


def tokens(text):
    """The definition, one character at a time."""
    found, fresh, symbol = [], True, False
    for character in unicodedata.normalize("NFKC", text):
        category = unicodedata.category(character)
        point = ord(character)
        if category in ("Cf", "Me") or 0xFE00 <= point <= 0xFE0F or 0xE0000 <= point < 0xF0000:
            continue  # invisible: format characters, variation selectors, tags
        lower = {"ς": "σ"}.get(character, character.lower()[0])
        if category in ("Mn", "Mc"):
            if not fresh:
                found[-1] += lower
        elif category[0] in "LN" or character == "_" or is_plane_of_han(character):
            name = unicodedata.name(character, "")
            alone = category in ("Lo", "Lm") and name.startswith(UNSPACED)
            alone = alone or is_plane_of_han(character)
            if fresh or alone or symbol:
                found.append("")
            found[-1] += lower
            fresh, symbol = False, alone
        else:
            fresh, symbol = True, False
    return found


def is_plane_of_han(character):
    """Planes 2 and 3 hold nothing else, whatever this Python's Unicode has assigned there."""
    return 0x20000 <= ord(character) < 0x40000


def shingles(text):
    words = tokens(text)
    return {tuple(words[i : i + 5]) for i in range(max(1, len(words) - 4))} if words else set()


def similarity(a, b):
    return len(a & b) / len(a | b) if a & b else 0.0


@settings(max_examples=250, deadline=None)
@given(texts(), texts())
@example("中a文b字c", "中 a 文 b 字 c")
@example("น้ำใจงาม", "น\u0e49\u0e4d\u0e32ใจงาม")
def test_shingles_are_those_of_the_plain_tokeniser(a, b):
    both = [a, b, a + " " + b]
    sets = shingle_sets(both)
    plain = [shingles(text) for text in both]
    assert np.diff(sets.offsets).tolist() == [len(each) for each in plain]
    left, right = np.array([0, 0, 1]), np.array([1, 2, 2])
    expected = [similarity(plain[i], plain[j]) for i, j in zip(left, right, strict=True)]
    assert jaccard_pairs(sets, left, right).tolist() == expected


@settings(max_examples=200, deadline=None)
@given(st.text() | texts())
def test_normal_forms_make_no_difference(text):
    expected = shingle_hashes(text)
    for form in ("NFC", "NFD", "NFKC", "NFKD"):
        np.testing.assert_array_equal(shingle_hashes(unicodedata.normalize(form, text)), expected)


def test_every_letter_of_an_unspaced_script_is_a_token_and_no_other():
    others = ("HANGUL SYL", "ARABIC", "HEBREW", "DEVANAGARI", "TIBETAN", "ETHIOPIC", "TAMIL")
    points = (chr(point) for point in range(sys.maxunicode + 1))
    letters = [c for c in points if unicodedata.name(c, "").startswith((*UNSPACED, *others))]
    letters = [c for c in letters if unicodedata.is_normalized("NFKC", c)]
    letters = [c for c in letters if unicodedata.category(c) == "Lo"]
    counts = np.diff(shingle_sets([f"{c}x{c}x{c}x" for c in letters]).offsets)
    # Six tokens make two shingles, one word makes one.
    expected = [2 if unicodedata.name(c).startswith(UNSPACED) else 1 for c in letters]
    wrong = [c for c, found, right in zip(letters, counts, expected, strict=True) if found != right]
    assert len(letters) > 100_000 and not wrong


@pytest.mark.parametrize(
    ("a", "b"),
    [("Hello, WORLD! It is me.", "hello world it is me"), ("ﬁne ½ Ⅷ ａｂｃ", "fine 1⁄2 viii abc"),
     ("soft\xadware", "software"), ("你好，世界！", "你 好 世 界"), ("ΟΔΟΣ", "οδος"),
     ("Café", "Cafe\u0301"), ("\ufa10一二三四", "塚一二三四")],
)  # fmt: skip
def test_what_makes_no_difference(a, b):
    assert shingle_hashes(a).size and (shingle_hashes(a) == shingle_hashes(b)).all()


@pytest.mark.parametrize(
    ("a", "b"),
    [("ab c", "a bc"), ("a b", "b a"), ("a", "a a"), ("404 Not Found", "403 Not Found"),
     ("中文", "中"), ("one two three four", "one two three four five"), ("resume", "résumé")],
)  # fmt: skip
def test_short_texts_match_only_their_equals(a, b):
    assert shingle_hashes(a).size == shingle_hashes(b).size == 1
    assert jaccard(shingle_hashes(a), shingle_hashes(b)) == 0
    assert jaccard(shingle_hashes(a), shingle_hashes(a)) == 1


def test_texts_without_words_match_nothing():
    signed = signatures(["", " \n\t", "— … !?", "👍", "\u0301", "\ud800", "word"])
    assert signed.shingles.tolist() == [0, 0, 0, 0, 0, 0, 1]
    assert (bands(signed)[:6] == NO_BAND).all() and (bands(signed)[6] != NO_BAND).all()
    pairs = np.array([0, 0, 6]), np.array([1, 6, 6])
    assert signature_similarity(signed, *pairs).tolist() == [0, 0, 1]
    assert jaccard(shingle_hashes(""), shingle_hashes("")) == 0


@settings(max_examples=60, deadline=None)
@given(st.lists(texts(), max_size=6), st.sampled_from([(128, 1), (128, 7), (16, 1), (112, 3)]))
def test_signatures_equal_datasketch_bit_for_bit(batch, parameters):
    num_perm, seed = parameters
    signed = signatures(batch, num_perm, seed)
    assert signed.values.shape == (len(batch), num_perm)
    for text, values, count in zip(batch, *signed, strict=True):
        hashes = folded(shingle_hashes(text))
        theirs = MinHash(num_perm=num_perm, seed=seed, scheme="affine32", hashfunc=int)
        if count:
            theirs.update_batch([int(value) for value in hashes])
        assert (theirs.hashvalues == values).all()
        assert count == len(hashes)


def test_a_long_text_equals_datasketch():
    text = " ".join(np.random.default_rng(0).choice(["a", "b", "c", "d", "e", "f", "g"], 20_000))
    theirs = MinHash(num_perm=128, seed=1, hashfunc=int)
    theirs.update_batch(folded(shingle_hashes(text)).tolist())
    signed = signatures([text])
    assert signed.shingles[0] == len(shingles(text)) > 10_000
    assert (signed.values[0] == theirs.hashvalues).all()


def documents(count, words, seed=0):
    rng = np.random.default_rng(seed)
    return [[f"w{i}" for i in rng.integers(0, 5000, words)] for _ in range(count)]


def test_a_signature_does_not_depend_on_its_batch():
    # Over the size of a block, with texts that need NFKC and empty ones between.
    batch = [" ".join(words) for words in documents(50, 10_000)]
    batch[5:5] = ["", "ﬁve ligatures ﬁll this ﬁne line", "kurz"]
    batch[40:40] = ["e\u0301 " + batch[0], ""]
    whole = signatures(batch)
    assert len(list(shingle_blocks(batch))) > 1
    for i, text in enumerate(batch):
        alone = signatures([text])
        assert (alone.values[0] == whole.values[i]).all() and alone.shingles[0] == whole.shingles[i]
    sets = shingle_sets(batch)
    assert (sign(sets).values == whole.values).all()
    assert all((np.diff(sets.hashes[a:b]) > 0).all() for a, b in pairwise(sets.offsets))


def edited(words, share, rng):
    return [f"x{rng.integers(10**9)}" if rng.random() < share else word for word in words]


def test_estimates_stay_within_their_error_and_bands_find_the_close_pairs():
    rng = np.random.default_rng(4)
    base = documents(150, 400)
    batch = [" ".join(words) for words in base]
    batch += [" ".join(edited(words, rng.choice([0.01, 0.02, 0.04]), rng)) for words in base]
    left, right = np.arange(150), np.arange(150, 300)
    exact = jaccard_pairs(shingle_sets(batch), left, right)
    signed = signatures(batch)
    error = signature_similarity(signed, left, right) - exact
    assert 0.4 < exact.min() < 0.7 < exact.max()
    assert np.sqrt((error**2).mean()) < 1.25 * np.sqrt((exact * (1 - exact) / 128).mean())
    assert abs(error.mean()) < 0.01
    hashes = bands(signed)
    found = (hashes[left] == hashes[right]).any(axis=1)
    assert found[exact >= 0.7].all()
    # Unrelated texts don't meet: no band hash occurs in two of the bases.
    assert len(np.unique(hashes[:150])) == 150 * 32


@settings(max_examples=20, deadline=None)
@given(
    st.integers(0, 2**32 - 1),
    st.sampled_from([(32, None, 4), (25, 5, 5), (14, 8, 8), (128, None, 1)]),
)
def test_band_hashes_are_equal_exactly_where_the_rows_are(seed, shape):
    count, rows, height = shape
    rng = np.random.default_rng(seed)
    values = rng.integers(0, 2, (40, 128)).astype(np.uint32)  # many equal bands
    hashes = bands(Signatures(values, np.ones(40, np.int32)), count, rows)
    assert hashes.shape == (40, count) and hashes.dtype == np.uint64
    keys = {}
    for i in range(40):
        for band in range(count):
            key = band, tuple(values[i, band * height : (band + 1) * height].tolist())
            assert keys.setdefault(key, hashes[i, band]) == hashes[i, band]
    assert len(set(keys.values())) == len(keys)


@pytest.mark.parametrize(("count", "rows"), [(0, None), (32, 5), (129, None), (4, 0), (-1, 2)])
def test_bands_that_do_not_fit(count, rows):
    with pytest.raises(ValueError, match="bands"):
        bands(signatures(["a b c"]), count, rows)


def test_nothing_in_nothing_out():
    signed = signatures([])
    assert signed.values.shape == (0, 128) and signed.shingles.shape == (0,)
    assert bands(signed).shape == (0, 32)
    none = np.zeros(0, np.int64)
    assert signature_similarity(signed, none, none).size == 0
    assert jaccard_pairs(shingle_sets([]), none, none).size == 0


def test_pairs_outside_are_a_one_line_error():
    sets = shingle_sets(["a", "b"])
    with pytest.raises(ValueError, match="outside"):
        jaccard_pairs(sets, np.array([0]), np.array([2]))
    with pytest.raises(ValueError, match="right has 2"):
        jaccard_pairs(sets, np.array([0]), np.array([0, 1]))


def test_stored_signatures_stay_comparable():
    # A change here makes every signature and band index written before useless.
    fox = "The quick brown fox jumps"
    assert shingle_hashes(fox).tolist() == [8191484043119490407]
    assert signatures([fox]).values[0, :2].tolist() == [3520813702, 2363597187]
    assert bands(signatures([fox]))[0, 0] == 18224376334247088418
    assert bands(signatures(["敏捷的棕色狐狸"]))[0, 31] == 10248507488318228219
