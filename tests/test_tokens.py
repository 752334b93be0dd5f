"""Token counts against another implementation of BPE, and on text that breaks such things."""

from __future__ import annotations

import subprocess
import sys
import time
from typing import Any

import bpe_openai
import pytest
from hypothesis import given
from hypothesis import strategies as st

from quality.tokens import TOKENIZERS, count_tokens, tokenizer_id

TEXTS = [
    "",
    "Hello world",
    "The quick brown fox jumps over the lazy dog. " * 20,
    "性能分析工具会自动运行很多测试，可是开发者并不喜欢它。",
    "すべての人間は、生まれながらにして自由であり、かつ平等である。",
    "모든 인간은 태어날 때부터 자유로우며 그 존엄과 권리에 있어 동등하다.",
    "def f(x):\n    return {'a': [1, 2.5, -3e10], \"b\": x ** 2}\n\n\n",
    "<|endoftext|> is only text here, and so is <|endofprompt|>",
    "1234567 89 0.1\t\t\r\n  \u00a0 x\u0301 🧑‍🌾👍🏽 ﷽",
]


@pytest.fixture(scope="module", params=TOKENIZERS)
def other(request: pytest.FixtureRequest) -> tuple[str, Any]:
    """The same vocabulary and pattern in tiktoken's own code."""
    import tiktoken

    known = bpe_openai.get_encoding(request.param)
    return request.param, tiktoken.Encoding(
        request.param,
        pat_str=known._pat_str,
        mergeable_ranks=known._mergeable_ranks,
        special_tokens={},
    )


@pytest.mark.parametrize("text", TEXTS, ids=range(len(TEXTS)))
def test_counts_are_tiktokens(text: str, other: tuple[str, Any]) -> None:
    name, encoding = other
    assert count_tokens(text, name) == len(encoding.encode_ordinary(text))


@given(st.text(st.characters(exclude_categories=["Cs"]), max_size=300))
def test_counts_are_tiktokens_on_any_text(other: tuple[str, Any], text: str) -> None:
    name, encoding = other
    assert count_tokens(text, name) == len(encoding.encode_ordinary(text))


@pytest.mark.parametrize("unit", ["a", " ", "\n", "=", "中", "é", "aB", "1", "\u0301", ". "])
def test_a_million_of_one_character(unit: str) -> None:
    text = unit * (1_000_000 // len(unit))
    started = time.process_time()
    assert 0 < count_tokens(text) <= len(text.encode())
    assert time.process_time() - started < 3


def test_lone_surrogates_count_as_replacement_characters() -> None:
    assert count_tokens("a \ud800 b\udc00") == count_tokens("a \ufffd b\ufffd")


def test_the_id_names_the_published_vocabulary() -> None:
    # the hash that tiktoken's own source pins for this file
    published = "446a9538cb6c348e3516120d7c08b09f57c36495e2acfffe59a5bf8b0cfb1a2d"
    name, digest, package, version = tokenizer_id("o200k_base").split()
    assert name == "o200k_base" and published.startswith(digest)
    assert (package, version) == ("bpe-openai", bpe_openai.__version__)
    assert tokenizer_id("cl100k_base") != tokenizer_id("o200k_base")


def test_an_unknown_tokenizer_is_named_with_the_known_ones() -> None:
    for function in (lambda: count_tokens("x", "gpt9"), lambda: tokenizer_id("gpt9")):
        with pytest.raises(ValueError, match=r"'gpt9': use one of o200k_base, cl100k_base"):
            function()


def test_importing_does_not_load_the_vocabulary() -> None:
    code = (
        "import sys, quality.tokens as t; t.tokenizer_id(); sys.exit('bpe_openai' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
