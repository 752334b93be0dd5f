"""A fastText classifier of document quality: train on labelled texts, score any text.

fastText is a bag of word and word-pair vectors with a softmax on top (Joulin et al. 2017,
arXiv:1607.01759): about a quarter of a millisecond a page, and what DCLM and others chose among far
costlier models (Li et al. 2024, arXiv:2406.11794, section 4.4). One model serves one language or
several; the caller chooses.

Training runs in one thread, because only then the same rows give the same bytes. The package is
`fasttext-community`: other builds of the same module diverge when trained twice in a process.
"""

from __future__ import annotations

import hashlib
import os
import random
import tempfile
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import fasttext
import numpy as np
from numpy.typing import NDArray

from quality.words import split

GOOD = "good"
_PREFIX = "__label__"


def normalise(text: str) -> str:
    """One line of lower-cased pieces, a space between: words, marks, single Han or kana characters.

    The split is that of `quality.words`, so no text can spell a label or a line end.
    """
    parts = split(text)
    spans = zip(parts.starts.tolist(), parts.ends.tolist(), strict=True)
    line = " ".join([text[start:end] for start, end in spans]).lower()
    return line.encode("utf-8", "replace").decode("utf-8")


def train(
    rows: Iterable[tuple[str, str]],
    path: str | Path,
    *,
    seed: int = 0,
    dim: int = 64,
    epoch: int = 5,
    lr: float = 0.25,
    word_ngrams: int = 2,
    bucket: int = 200_000,
    min_count: int = 1,
) -> str:
    """Train on (text, label) rows, write the model to `path`, return the file's sha256.

    Labels are 'good' and any others ('bad'). Rows are shuffled by `seed`; equal rows in equal
    order and equal arguments give equal bytes. The file has 4 * dim * (bucket + words) bytes.
    Raises ValueError if the labels cannot be told apart or hold white space.
    """
    lines = [(label, normalise(text)) for text, label in rows]
    labels = sorted({label for label, _ in lines})
    if GOOD not in labels or len(labels) < 2:
        raise ValueError(f"training rows have the labels {labels}: wants {GOOD!r} and another")
    if bad := [label for label in labels if not label or label.split() != [label]]:
        raise ValueError(f"label {bad[0]!r} is empty or has white space in it: rename it")
    random.Random(seed).shuffle(lines)
    path = Path(path)
    with tempfile.TemporaryDirectory(dir=path.parent, prefix=f".{path.name}.") as folder:
        source, target = Path(folder, "train.txt"), Path(folder, "model.bin")
        with source.open("w", encoding="utf-8", newline="\n") as file:
            file.writelines(f"{_PREFIX}{label} {line}\n" for label, line in lines)
        model = fasttext.train_supervised(
            input=str(source),
            dim=dim,
            epoch=epoch,
            lr=lr,
            wordNgrams=word_ngrams,
            bucket=bucket,
            minCount=min_count,
            seed=seed,
            thread=1,
            verbose=0,
        )
        model.save_model(str(target))
        with target.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
        os.replace(target, path)
    return digest


def load(path: str | Path) -> Any:
    """A model written by `train` (or any supervised fastText model with a label 'good').

    Raises ValueError for another file. fastText trusts what it reads: check the sha256 of a file
    of unsure origin first.
    """
    try:
        model = fasttext.load_model(str(path))
    except (ValueError, MemoryError) as error:
        raise ValueError(f"{path}: not a fastText model: {error}") from None
    if _PREFIX + GOOD not in model.get_labels():
        raise ValueError(f"{path}: the model has no label {GOOD!r}: {model.get_labels()[:5]}")
    return model


def score(model: Any, texts: Sequence[str]) -> NDArray[np.float64]:
    """Probability of the label 'good', float64[n], rounded to 1e-4 so that builds agree on tiers;
    NaN for a text without a single word or mark.
    """
    result = np.full(len(texts), np.nan)
    lines = [normalise(text) for text in texts]
    used = [i for i, line in enumerate(lines) if line]
    if not used:
        return result
    labels, probabilities = model.predict([lines[i] for i in used], k=-1)
    for i, names, values in zip(used, labels, probabilities, strict=True):
        # fastText adds 1e-5 before its logarithm, so a certain answer comes out above 1.
        result[i] = min(1.0, float(values[names.index(_PREFIX + GOOD)]))
    return np.round(result, 4)
