"""Token counts: how much of a trainer's budget a text takes.

The `bpe-openai` package brings OpenAI's vocabularies inside its wheel, so nothing is fetched. Its
Rust core is asked directly: the Python layer above it would build a second copy of the vocabulary
(0.3 s, 60 MB) and refuses texts from a million characters on. The core takes linear time whatever
the text, so no text is cut.
"""

from __future__ import annotations

import gzip
import hashlib
from functools import cache
from importlib import metadata
from pathlib import Path
from typing import Any

TOKENIZERS = ("o200k_base", "cl100k_base")


def count_tokens(text: str, tokenizer: str = "o200k_base") -> int:
    """Tokens of a text; markers such as <|endoftext|> count as the plain characters they are.

    Lone surrogates count as U+FFFD. Raises ValueError for an unknown tokenizer.
    """
    core = _core(tokenizer)
    try:
        return core.count(text)
    except UnicodeEncodeError:
        return core.count(text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace"))


def tokenizer_id(tokenizer: str = "o200k_base") -> str:
    """What counted, for a manifest: name, SHA-256 of the vocabulary (its start), package version.

    As `o200k_base 446a9538cb6c348e bpe-openai 0.1.4`; the hash is the published vocabulary file's.
    Raises ValueError for an unknown tokenizer.
    """
    _known(tokenizer)
    package = metadata.distribution("bpe-openai")
    # not by importlib.resources, which would import the package
    packed = Path(str(package.locate_file(f"bpe_openai/data/{tokenizer}.tiktoken.gz")))
    digest = hashlib.sha256(gzip.decompress(packed.read_bytes())).hexdigest()
    return f"{tokenizer} {digest[:16]} bpe-openai {package.version}"


def _known(tokenizer: str) -> None:
    if tokenizer not in TOKENIZERS:
        raise ValueError(f"unknown tokenizer {tokenizer!r}: use one of {', '.join(TOKENIZERS)}")


@cache
def _core(tokenizer: str) -> Any:
    _known(tokenizer)
    from bpe_openai import _bindings  # 0.6 s of CPU and 70 MB

    return _bindings.tokenizer_for_encoding(tokenizer)
