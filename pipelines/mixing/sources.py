"""Which source of the mix each kept document belongs to: SQL predicates, the first match wins."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import duckdb
import numpy as np
import pyarrow as pa
import xxhash
from numpy.typing import NDArray

from pipelines.errors import UserError
from pipelines.store import schemas

DOCUMENT_COLUMNS = ["host", "canonical_url", "captured_at", "title", "published_at", "page_type",
                    "extractor", "licence_url", "warc_path"]  # fmt: skip
"""Columns of documents a predicate may name, besides all of decisions and all signals."""


def columns_table(documents: pa.Table, signals: pa.Table, decisions: pa.Table) -> pa.Table:
    """Three tables, row for row, as the one that predicates see."""
    table = documents.select(DOCUMENT_COLUMNS)
    for more in (decisions, signals):
        for name in more.column_names:
            if name not in table.column_names and name not in _NOT_SHOWN:
                table = table.append_column(name, more[name])
    return table


_NOT_SHOWN = {"rules_fired"}


def assign(table: pa.Table, where: Mapping[str, str]) -> NDArray[np.int64]:
    """Index of the source of each row, -1 for rows that are not kept or that nothing matches.

    where: source name -> predicate, in order. The connection sees this table and nothing else: no
    file, no setting. Raises UserError naming the key of a predicate that cannot be run.
    """
    connection = duckdb.connect(config={"threads": 1, "enable_external_access": False})
    try:
        connection.execute("SET lock_configuration = true")
        numbered = table.append_column("_row", pa.array(np.arange(table.num_rows)))
        connection.register("documents", numbered)
        cases = " ".join(f"WHEN ({sql}) THEN {i}" for i, sql in enumerate(where.values()))
        query = f"SELECT CASE {cases} ELSE -1 END FROM documents WHERE outcome = 'kept'"
        for name, sql in where.items():
            _check(connection, name, sql)
        rows = connection.execute(query.replace("SELECT", "SELECT _row,", 1)).fetchnumpy()
    finally:
        connection.close()
    found = np.full(table.num_rows, -1, np.int64)
    found[np.asarray(rows["_row"], np.int64)] = np.asarray(list(rows.values())[1], np.int64)
    return found


def _check(connection: duckdb.DuckDBPyConnection, name: str, sql: str) -> None:
    key = f"pack.sources.{name}.where"
    try:
        kinds = connection.execute(f"SELECT ({sql}) FROM documents LIMIT 0").description
    except duckdb.Error as error:
        raise UserError(f"key '{key}': {' '.join(str(error).split())[:300]}") from None
    if kinds and str(kinds[0][1]).upper() not in ("BOOLEAN", "BOOL", "NUMBER"):
        raise UserError(f"key '{key}': must be true or false, is {kinds[0][1]}: {sql}")


def check(where: Mapping[str, str], own_signals: Iterable[str] = ()) -> None:
    """Try the predicates on an empty table, before a run starts. Raises UserError."""
    empty = (schemas.DOCUMENTS, schemas.signals(own_signals), schemas.DECISIONS)
    assign(columns_table(*(schema.empty_table() for schema in empty)), where)


def sample_keys(page_ids: list[str], seed: int) -> NDArray[np.uint64]:
    """A stable 64-bit key a page; sorting by it shuffles, and any prefix is a fair sample."""
    keys: list[Any] = [xxhash.xxh3_64_intdigest(i.encode(), seed=seed) for i in page_ids]
    return np.array(keys, np.uint64)
