"""Parquet tables that are atomic, deterministic and named by what they hold.

A table of a stage is a set of files, one a unit. A file's name ends in the first digits of its
SHA-256, so two attempts that wrote the same rows wrote the same file, two that differ never
overwrite each other, and the manifest says which one counts.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from types import TracebackType
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from pipelines.store import files

ROW_GROUP = 8192
"""Rows a row group: 8,192 documents of 4 KB are 32 MB, what a reader holds at a time."""


@dataclass(frozen=True)
class TableFile:
    """One committed Parquet file: path relative to the run, and what proves it unchanged."""

    path: str
    rows: int
    bytes: int
    sha256: str
    logical: str  # hash of the rows themselves, whatever the Parquet encoding

    @property
    def stem(self) -> str:
        """The unit's name, without the hash that names the content."""
        return self.path.rsplit("/", 1)[-1].rsplit(".", 2)[0]

    def to_json(self) -> dict[str, Any]:
        return asdict(self)


class TableWriter:
    """Writes one file of a table in fixed row groups; `commit()` names it and returns its facts.

    Left without `commit()`, no file remains. Rows are dicts (`add`) or Arrow tables (`write`).
    """

    def __init__(
        self,
        run_dir: str,
        folder: str,
        stem: str,
        schema: pa.Schema,
        row_group: int = ROW_GROUP,
        metadata: Mapping[str, str] | None = None,
    ) -> None:
        self.run_dir, self.folder, self.stem, self.schema = run_dir, folder, stem, schema
        self.row_group = row_group
        self.rows = 0
        self._pending: list[dict[str, Any]] = []
        self._logical = hashlib.blake2b(digest_size=16)
        self._place = files.scratch(files.join(run_dir, folder))
        self._tmp = self._place.__enter__()
        kept = schema.with_metadata(dict(metadata)) if metadata else schema
        self._writer = pq.ParquetWriter(
            self._tmp,
            kept,
            compression="zstd",
            compression_level=3,
            use_dictionary=True,
            write_statistics=True,
            write_page_index=True,
            data_page_version="2.0",
        )

    def __enter__(self) -> TableWriter:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._writer.is_open:
            self._writer.close()
        self._place.__exit__(None, None, None)

    def add(self, row: dict[str, Any]) -> None:
        self._pending.append(row)
        if len(self._pending) == self.row_group:
            self._flush()

    def write(self, table: pa.Table) -> None:
        """Append an Arrow table, cut into row groups; not to be mixed with `add`."""
        for start in range(0, table.num_rows, self.row_group):
            self._write_group(table.slice(start, self.row_group).cast(self.schema))

    def _flush(self) -> None:
        if self._pending:
            self._write_group(pa.Table.from_pylist(self._pending, schema=self.schema))
            self._pending = []

    def _write_group(self, table: pa.Table) -> None:
        for batch in table.combine_chunks().to_batches():
            self._logical.update(batch.serialize())
        self._writer.write_table(table, row_group_size=self.row_group)
        self.rows += table.num_rows

    def commit(self) -> TableFile:
        self._flush()
        self._writer.close()
        sha = sha256_of(self._tmp)
        size = os.path.getsize(self._tmp)
        name = f"{self.folder}/{self.stem}.{sha[:12]}.parquet"
        files.publish(self._tmp, files.join(self.run_dir, name))
        return TableFile(name, self.rows, size, sha, self._logical.hexdigest())


def sha256_of(path: str) -> str:
    """Hex SHA-256 of a file's bytes."""
    digest = hashlib.sha256()
    with files.open_read(path) as f:
        while block := f.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()


def write_table(
    run_dir: str, folder: str, stem: str, table: pa.Table, row_group: int = ROW_GROUP
) -> TableFile:
    """Write a whole Arrow table as one committed file."""
    with TableWriter(run_dir, folder, stem, table.schema, row_group) as writer:
        writer.write(table)
        return writer.commit()


def read_table(path: str, columns: Sequence[str] | None = None) -> pa.Table:
    """A whole Parquet file as an Arrow table."""
    if files.is_local(path):
        return pq.ParquetFile(path.removeprefix("file://")).read(columns=columns)
    with files.open_read(path) as f:
        return pq.ParquetFile(f).read(columns=columns)


def read_groups(path: str, columns: Sequence[str] | None = None) -> Iterator[pa.Table]:
    """A Parquet file, one row group at a time."""
    with files.open_read(path) as f:
        parquet = pq.ParquetFile(f)
        for group in range(parquet.num_row_groups):
            yield parquet.read_row_group(group, columns=columns)
