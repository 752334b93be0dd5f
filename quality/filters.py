"""Filters as data: a name, a signal and its limits, for all languages or some.

A filter says nothing about how its signal is computed and drops nothing itself: `evaluate` looks at
columns of a whole table and returns, for each row, one bit a filter and the first that failed.
The default set, with the paper behind each number, is `filters.yaml` beside this file.

Filters that share a name are settings of one filter for different languages, and share its bit:
those that name languages hold there, the one without (if any) everywhere else. A setting with
neither limit switches the filter off for its languages.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import yaml
from numpy.typing import ArrayLike, NDArray

from quality.words import primary

DIGITS = 6  # values and limits are rounded to this before they meet; equal passes


class FilterError(ValueError):
    """A filter set that cannot be used; one line with the file, the filter and the fix."""


@dataclass(frozen=True)
class Filter:
    """`min` <= signal <= `max` passes; a missing limit does not cut, an unknown value passes."""

    name: str
    signal: str
    min: float | None = None
    max: float | None = None
    languages: tuple[str, ...] | None = None  # primary tags (zh, not zh-Hant); None: the rest
    source: str = ""


def names(filters: Iterable[Filter]) -> list[str]:
    """Names in order of first appearance: bit i and index i of `evaluate` mean the i-th."""
    return list(dict.fromkeys(f.name for f in filters))


def setting(filters: Iterable[Filter], name: str, language: str | None) -> Filter | None:
    """The setting of filter `name` that holds for `language`, None if none does."""
    fallback = None
    for f in filters:
        if f.name == name and f.languages is None:
            fallback = f
        elif f.name == name and language and primary(language) in (f.languages or ()):
            return f
    return fallback


def check(filters: Sequence[Filter], where: str = "filters") -> None:
    """Raises FilterError if the set contradicts itself."""
    claimed: dict[tuple[str, str | None], Filter] = {}
    signal_of: dict[str, str] = {}
    for f in filters:
        if f.min is not None and f.max is not None and f.min > f.max:
            raise FilterError(f"{where}: filter {f.name}: min {f.min} is above max {f.max}")
        if signal_of.setdefault(f.name, f.signal) != f.signal:
            raise FilterError(
                f"{where}: filter {f.name} reads {signal_of[f.name]} and {f.signal}: "
                "use one signal or two names"
            )
        for language in f.languages or (None,):
            if language is not None and primary(language) != language:
                raise FilterError(
                    f"{where}: filter {f.name}: write {primary(language)} for {language}"
                )
            if claimed.setdefault((f.name, language), f) is not f:
                raise FilterError(
                    f"{where}: filter {f.name} has two settings for {language or 'all languages'}: "
                    "remove one"
                )
    if len(signal_of) > 64:
        raise FilterError(f"{where}: {len(signal_of)} filters, but a row has 64 bits: remove some")


def load(path: str | Path) -> tuple[Filter, ...]:
    """A filter set from YAML: {filters: [{name, signal, min, max, languages, source}, ...]}."""
    try:
        content = yaml.safe_load(Path(path).read_text(encoding="utf-8"))
    except OSError as error:
        raise FilterError(f"{path}: {error.strerror or error}") from None
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise FilterError(f"{path}: not YAML: {' '.join(str(error).split())}") from None
    rows = content.get("filters") if isinstance(content, dict) else None
    if not isinstance(rows, list) or not rows:
        raise FilterError(f"{path}: wants a list under the key 'filters'")
    filters = tuple(_parse(row, f"{path}: filter {i}") for i, row in enumerate(rows, 1))
    check(filters, str(path))
    return filters


def _parse(row: Any, where: str) -> Filter:
    known = [field.name for field in fields(Filter)]
    if not isinstance(row, dict):
        raise FilterError(f"{where}: wants the keys {', '.join(known)}")
    for key in row:
        if key not in known:
            raise FilterError(f"{where}: unknown key {key!r}: use one of {', '.join(known)}")
    for key in ("name", "signal"):
        if not isinstance(row.get(key), str) or not row[key]:
            raise FilterError(f"{where}: wants a text under {key!r}")
    for key in ("min", "max"):
        number = row.get(key)
        real = isinstance(number, (int, float)) and not isinstance(number, bool)
        if number is not None and not (real and number == number):
            raise FilterError(f"{where}: {key} is {number!r}, wants a number or nothing")
    languages = row.get("languages")
    if languages is not None:
        if not isinstance(languages, list) or not languages:
            raise FilterError(f"{where}: languages wants a list like [zh, ja], or leave it out")
        for language in languages:  # YAML reads a bare `no` as false
            if not isinstance(language, str):
                raise FilterError(f"{where}: language {language!r} is no text: quote it ('no')")
        languages = tuple(languages)
    return Filter(**{**row, "languages": languages})


def evaluate(
    filters: Sequence[Filter], columns: Mapping[str, ArrayLike], languages: ArrayLike
) -> tuple[NDArray[np.uint64], NDArray[np.int16]]:
    """Which filters each row of a table fails.

    columns: signal name -> numbers[n], NaN or None where unknown; languages: tags[n], None where
    unknown. Returns (bits uint64[n], first int16[n]): bit i is set if the filter
    `names(filters)[i]` failed; `first` is the lowest such i, -1 for a row that passed. Raises
    FilterError if a column is missing.
    """
    check(filters)
    tags = pa.array(languages, pa.string(), from_pandas=True).dictionary_encode()
    distinct = [*tags.dictionary.to_pylist(), None]
    codes = tags.indices.fill_null(len(distinct) - 1).to_numpy(zero_copy_only=False)
    bits = np.zeros(len(codes), np.uint64)
    first = np.full(len(codes), -1, np.int16)
    # From the last to the first, so that the first one has the last word.
    for i, name in reversed(list(enumerate(names(filters)))):
        signal = next(f.signal for f in filters if f.name == name)
        if signal not in columns:
            raise FilterError(f"filter {name} reads the signal {signal}, which no column holds")
        values = np.asarray(columns[signal], np.float64)
        if values.shape != codes.shape:
            raise FilterError(f"column {signal} has {values.size} rows, languages {codes.size}")
        used = [setting(filters, name, language) for language in distinct]
        low = np.array([-np.inf if f is None or f.min is None else f.min for f in used])
        high = np.array([np.inf if f is None or f.max is None else f.max for f in used])
        low, high = np.round(low, DIGITS), np.round(high, DIGITS)
        for start in range(0, len(codes), _ROWS):
            part = slice(start, start + _ROWS)
            failed = _outside(np.round(values[part], DIGITS), low, high, codes[part])
            bits[part] |= failed.astype(np.uint64) << np.uint64(i)
            first[part][failed] = i
    return bits, first


_ROWS = 1 << 15  # what a core's cache holds of the arrays below


def _outside(
    values: NDArray[np.float64],
    low: NDArray[np.float64],
    high: NDArray[np.float64],
    codes: NDArray[np.int32],
) -> NDArray[np.bool_]:
    """Whether values[n] leave the limits of their language's code; NaN, unknown, does not."""
    failed = np.zeros(len(values), np.bool_)
    if np.isfinite(low).any():
        failed |= values < (low[0] if (low == low[0]).all() else low[codes])
    if np.isfinite(high).any():
        failed |= values > (high[0] if (high == high[0]).all() else high[codes])
    return failed


DEFAULT: tuple[Filter, ...] = load(Path(__file__).with_name("filters.yaml"))
