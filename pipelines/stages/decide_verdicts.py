"""decide's arrays: rules that fire, groups that merge, and the table that comes of both.

Rules are asked of every document, whatever other rules say, and each has its bit: so a filter's
effect can be told in the chain, alone and uniquely. Merging then happens among the documents that
no rule took out, so a bad page can never kill its good copy, nor bridge two good ones.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from pipelines.store import schemas

Ints = NDArray[np.int64]
Keys = Callable[[Ints], tuple[NDArray, ...]]
"""Sort keys of some rows, the most important first; the first row in their order survives."""


class Rule(NamedTuple):
    name: str
    kind: str  # filter, policy or merge
    signal: str = ""
    source: str = ""


class Verdicts:
    """One row a document; rules are numbered in the order they are asked."""

    def __init__(self, rows: int) -> None:
        self.rules: list[Rule] = []
        self.bits = np.zeros(rows, np.uint64)
        self.reason = np.full(rows, -1, np.int64)
        self.partner = np.full(rows, -1, np.int64)
        self.merges = np.ones(rows, np.int64)  # rows merged into this one, itself included
        self.captures = np.ones(rows, np.int64)  # of its URL, itself included
        self.value = np.full(rows, np.nan)
        self.threshold = np.full(rows, np.nan)
        self.similarity = np.full(rows, np.nan)
        self.detail: dict[int, str] = {}

    @property
    def alive(self) -> NDArray[np.bool_]:
        return self.reason < 0

    def fire(self, rule: Rule, rows: Ints) -> Ints:
        """A rule takes out `rows`; returns those that no earlier rule had."""
        number = self._number(rule)
        self.bits[rows] |= np.uint64(1 << number)
        fresh = rows[self.reason[rows] < 0]
        self.reason[fresh] = number
        return fresh

    def _number(self, rule: Rule) -> int:
        if rule not in self.rules:
            if len(self.rules) == 64:
                raise ValueError("more than 64 rules")
            self.rules.append(rule)
        return self.rules.index(rule)

    def merge(self, rule: Rule, group: NDArray, keys: Keys) -> Ints:
        """Of living rows with one group value the first by `keys` survives, the rest merge.

        group: any[rows]. Returns the rows that merged; their partner is the survivor.
        """
        living = np.flatnonzero(self.alive)
        _, codes, sizes = np.unique(group[living], return_inverse=True, return_counts=True)
        several = sizes[codes] > 1
        rows, codes = living[several], codes[several]
        if not len(rows):
            self._number(rule)
            return rows
        order = np.lexsort((*keys(rows)[::-1], codes))
        rows, codes = rows[order], codes[order]
        first = np.append(True, codes[1:] != codes[:-1])
        heads = rows[first]
        survivor = heads[np.cumsum(first) - 1]
        losers = rows[~first]
        np.add.at(self.merges, survivor[~first], self.merges[losers])
        self.partner[losers] = survivor[~first]
        self.fire(rule, losers)
        return losers

    def final_partners(self) -> Ints:
        """The survivor of each merged row; one that was itself merged later points on."""
        last = self.partner.copy()
        while True:
            onward = np.where(last >= 0, self.partner[np.maximum(last, 0)], -1)
            if (onward < 0).all():
                return last
            last = np.where(onward >= 0, onward, last)

    def table(self, passed_on: pa.Table) -> pa.Table:
        """The decisions (schema DECISIONS); passed_on: its columns that are known already."""
        ids = passed_on["page_id"]
        kinds = np.array([*(r.kind == "merge" for r in self.rules), False])
        outcome = np.where(self.alive, 0, np.where(kinds[self.reason], 1, 2))  # -1: the last
        partner = self.final_partners()
        detail = pa.nulls(len(ids), pa.string())
        if self.detail:
            detail = pa.array([self.detail.get(i) for i in range(len(ids))], pa.string())
        columns = {name: passed_on[name] for name in passed_on.column_names} | {
            "captures": pa.array(self.captures, pa.int32()),
            "copies": pa.array(self.merges, pa.int32()),
            "outcome": _take(["kept", "merged", "dropped"], outcome),
            "reason": _take(
                [*(r.name for r in self.rules), None],
                np.where(self.reason < 0, len(self.rules), self.reason),
            ),
            "rules": pa.array(self.bits),
            "value": pa.array(self.value, from_pandas=True),
            "threshold": pa.array(self.threshold, from_pandas=True),
            "detail": detail,
            "partner": pc.take(ids, pa.array(partner, mask=partner < 0)),
            "similarity": pa.array(self.similarity.astype(np.float32), from_pandas=True),
        }
        return pa.table({n: columns[n] for n in schemas.DECISIONS.names}).cast(schemas.DECISIONS)

    def rule_table(self) -> pa.Table:
        rows = [
            {"bit": i, "rule": r.name, "kind": r.kind, "signal": r.signal, "source": r.source}
            for i, r in enumerate(self.rules)
        ]
        return pa.Table.from_pylist(rows, schema=schemas.RULES)


def _take(values: list[str | None], index: Ints) -> pa.Array:
    return pa.array(values, pa.string()).take(pa.array(index))


def codes(column: pa.ChunkedArray) -> Ints:
    """Equal values, equal numbers (in the order of first appearance); nulls count as a value."""
    encoded = column.combine_chunks().dictionary_encode("encode")
    if isinstance(encoded, pa.ChunkedArray):
        encoded = encoded.combine_chunks()
    return encoded.indices.to_numpy(zero_copy_only=False).astype(np.int64)


def ranks(column: pa.ChunkedArray, rows: Ints) -> Ints:
    """Places of some rows of a string column in alphabetical order; equal strings tie."""
    some = column.take(pa.array(rows))
    distinct = pc.unique(some)
    place = np.empty(len(distinct), np.int64)
    place[pc.sort_indices(distinct).to_numpy()] = np.arange(len(distinct))
    return place[pc.index_in(some, value_set=distinct).to_numpy().astype(np.int64)]
