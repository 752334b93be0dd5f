"""Which source of the mix each kept document belongs to: SQL predicates, the first match wins."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import duckdb
import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from pipelines.errors import UserError
from pipelines.store import schemas

COLUMNS = [n for n in schemas.DOCUMENTS.names if n not in ("text", "url_key")]
"""Document columns a predicate may name, besides those of decisions."""

_DECIDED = ["captures", "copies"]


def columns_table(documents: pa.Table, decisions: pa.Table) -> pa.Table:
    """Documents (COLUMNS) and decisions, row for row, as the table that predicates see."""
    table = documents.select(COLUMNS)
    for name in ("outcome", *_DECIDED):
        table = table.append_column(name, decisions[name])
    return table


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


def check(where: Mapping[str, str]) -> None:
    """Try the predicates on an empty table, before a run starts. Raises UserError."""
    documents = schemas.DOCUMENTS.empty_table()
    assign(columns_table(documents, schemas.DECISIONS.empty_table()), where)


def sample_keys(page_ids: list[str], seed: int) -> NDArray[np.uint64]:
    """A stable 64-bit key a page; sorting by it shuffles, and any prefix is a fair sample."""
    import xxhash

    keys: list[Any] = [xxhash.xxh3_64_intdigest(i.encode(), seed=seed) for i in page_ids]
    return np.array(keys, np.uint64)
