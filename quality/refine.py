"""A batch of texts refined: language, signals, cleaning rules, tokens, quality.

The order matters. Signals of the raw text come first, because rules may ask them; then the rules;
then the signals of those texts that changed; tokens, hash and quality are of the clean text. A
rule that would drop the document only sets a flag: deciding is another stage's work.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import xxhash

from quality import classifier
from quality.language import detect
from quality.rules.apply import apply
from quality.rules.form import RuleSet
from quality.signals import SIGNALS, signals
from quality.tokens import count_tokens

OwnSignal = Callable[[str, str], float]
"""A user's signal: (text, language) -> number."""


class Tools(NamedTuple):
    """What a worker loads once: rule sets, the classifier's model, the user's own signals."""

    rules: Sequence[RuleSet]
    model: Any | None
    own: Mapping[str, OwnSignal]
    tokenizer: str


class Batch(NamedTuple):
    """Texts and what rules may be scoped by; all of one length."""

    texts: Sequence[str]
    languages: Sequence[str | None]  # a guess, kept where the text is too short to tell
    scripts: Sequence[str | None]
    sites: Sequence[str | None]
    page_types: Sequence[str | None]


def refine(batch: Batch, tools: Tools) -> tuple[list[str], dict[str, list[Any]]]:
    """Clean texts, and the columns of the signals table (all but page_id) in the same order."""
    told = [detect(text) for text in batch.texts]
    languages = [
        t.language if t.language != "und" else guess or "und"
        for t, guess in zip(told, batch.languages, strict=True)
    ]
    scripts = [
        t.script if t.language != "und" else guess or t.script
        for t, guess in zip(told, batch.scripts, strict=True)
    ]
    measured = [
        signals(text, language) for text, language in zip(batch.texts, languages, strict=True)
    ]
    texts, fired, removed, drop, restored = _clean(batch, languages, scripts, measured, tools.rules)
    for i, (before, after) in enumerate(zip(batch.texts, texts, strict=True)):
        if before != after:
            measured[i] = signals(after, languages[i])
    quality: list[float | None] = [None] * len(texts)
    if tools.model is not None:
        scores = classifier.score(tools.model, texts)
        quality = [None if np.isnan(s) else float(s) for s in scores]
    columns: dict[str, list[Any]] = {
        "language": languages,
        "script": scripts,
        "language_confidence": [t.confidence for t in told],
        "text_bytes": [len(t.encode("utf-8", "surrogatepass")) for t in texts],
        "tokens": [count_tokens(t, tools.tokenizer) for t in texts],
        "content_hash": [content_hash(t) for t in texts],
        "quality": quality,
        "rules_fired": fired,
        "removed_chars": removed,
        "rules_drop": drop,
        "rules_restored": restored,
        **{name: [m[name] for m in measured] for name in SIGNALS},
        **{
            name: [float(f(t, lang)) for t, lang in zip(texts, languages, strict=True)]
            for name, f in tools.own.items()
        },
    }
    return texts, columns


def _clean(
    batch: Batch,
    languages: list[str],
    scripts: list[str],
    measured: list[dict[str, float | int]],
    rulesets: Sequence[RuleSet],
) -> tuple[list[str], list[list[str]], list[int], list[bool], list[bool]]:
    """Each rule set in turn; rules are named `set@version:rule` in what fired."""
    texts, count = list(batch.texts), len(batch.texts)
    fired: list[list[str]] = [[] for _ in range(count)]
    removed, drop, restored = (
        np.zeros(count, np.int64),
        np.zeros(count, bool),
        np.zeros(count, bool),
    )
    columns = {name: np.array([m[name] for m in measured], np.float64) for name in SIGNALS}
    for rules in rulesets:
        done = apply(
            rules,
            texts,
            languages,
            scripts=scripts,
            sites=batch.sites,
            page_types=batch.page_types,
            signals=columns,
        )
        texts = list(done.texts)
        removed += done.removed_chars
        drop |= done.drop
        restored |= done.restored
        for names, numbers in zip(fired, done.fired, strict=True):
            names += [f"{rules.ruleset}@{rules.version}:{rules.rules[n].id}" for n in numbers]
    return texts, fired, removed.tolist(), drop.tolist(), restored.tolist()


def content_hash(text: str) -> str:
    """128 bits of a text with its white space folded, as 32 hex digits: equal for exact copies."""
    return xxhash.xxh3_128_hexdigest(" ".join(text.split()).encode("utf-8", "surrogatepass"))


def own_signal(path: str) -> OwnSignal:
    """A user's function by `package.module:function`. Raises ImportError, AttributeError."""
    module, _, function = path.partition(":")
    found: OwnSignal = getattr(importlib.import_module(module), function)
    return found
