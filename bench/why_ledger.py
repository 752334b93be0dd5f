"""How long `gristmill why` takes on a ledger of ten million rows (generated).

python -m bench.why_ledger [ROWS]
"""

from __future__ import annotations

import statistics
import sys
import tempfile
import time

import numpy as np
import pyarrow as pa
import xxhash

from bench.measure import measure
from pipelines.store import ledger, manifest, schemas
from pipelines.store.tables import write_table
from quality import urls


def page(n: int) -> tuple[str, str]:
    return f"https://site{n % 99991}.example.org/page/{n}", xxhash.xxh3_128_hexdigest(b"%d" % n)


def bucket_rows(numbers: list[int]) -> pa.Table:
    pages = [page(n) for n in numbers]
    rows = len(pages)
    columns = {
        "url_key": pa.array([urls.url_key(u) for u, _ in pages], pa.uint64()),
        "page_id": [i for _, i in pages],
        "url": [u for u, _ in pages],
        "canonical_url": [u for u, _ in pages],
        "stage": ["extract"] * rows,
        "outcome": ["dropped"] * rows,
        "reason": ["too_short"] * rows,
        "value": [float(n % 200) for n in numbers],
        "threshold": [200.0] * rows,
        "warc_path": [f"crawl/part-{n % 977:05d}.warc.gz" for n in numbers],
        "warc_offset": numbers,
        "warc_length": [n % 50_000 for n in numbers],
    }
    for field in schemas.LEDGER:
        columns.setdefault(field.name, pa.nulls(rows, field.type))
    return pa.table({n: columns[n] for n in schemas.LEDGER.names}, schema=schemas.LEDGER)


def build(out: str, rows: int) -> None:
    buckets = max(1, -(-rows // ledger.ROWS_A_BUCKET))
    keys = np.array([urls.url_key(page(n)[0]) for n in range(rows)], np.uint64)
    ids = np.array([ledger.id_bucket(page(n)[1], buckets) for n in range(rows)], np.int64)
    tables: dict[str, list] = {"ledger": [], "ledger_ids": []}
    for bucket in range(buckets):
        numbers = np.flatnonzero(keys % np.uint64(buckets) == bucket).tolist()
        table = ledger.sort_rows(bucket_rows(numbers))
        tables["ledger"].append(
            write_table(out, "ledger", f"{bucket:05d}", table, ledger.ROW_GROUP)
        )
        numbers = np.flatnonzero(ids == bucket).tolist()
        narrow = pa.table(
            {"page_id": [page(n)[1] for n in numbers], "url_key": pa.array(keys[numbers])}
        )
        tables["ledger_ids"].append(
            write_table(out, "ledger_ids", f"{bucket:05d}", ledger.sort_ids(narrow),
                        ledger.ROW_GROUP)
        )  # fmt: skip
    run = manifest.Manifest(out)
    run.stages["ledger"] = manifest.StageRecord("bench", buckets, tables, {}, 0.0, 0)
    run.write()


def main() -> None:
    rows = int(sys.argv[1]) if len(sys.argv) > 1 else 10_000_000
    with tempfile.TemporaryDirectory(prefix="bench-") as out:
        started = time.monotonic()
        build(out, rows)
        print(f"{rows:,} rows written in {time.monotonic() - started:.0f} s", flush=True)
        for what, question in (("url", 0), ("page_id", 1)):
            costs = [
                measure([sys.executable, "-m", "pipelines.cli", "why", out, page(n)[question]])
                for n in range(7, rows, rows // 7)
            ]
            assert all(c.code == 0 for c in costs)
            print(
                f"why by {what}: median {statistics.median(c.wall for c in costs):.2f} s wall, "
                f"{statistics.median(c.cpu for c in costs):.2f} CPU-s, "
                f"at most {max(c.wall for c in costs):.2f} s over {len(costs)} questions"
            )


if __name__ == "__main__":
    main()
