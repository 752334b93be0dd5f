"""How long decide takes a million rows: filters, captures, clusters, survivors, the table written.

    python -m bench.decide_rows [ROWS]

Generated documents: a tenth are near-copies, a tenth exact copies, a tenth other captures.
"""

from __future__ import annotations

import sys
import tempfile
import time

import numpy as np
import pyarrow as pa

from pipelines.recipe import Decide
from pipelines.stages.decide import PASSED_ON, chosen, decide
from pipelines.store import schemas
from pipelines.store.tables import write_table


def documents(rows: int, names: list[str]) -> pa.Table:
    random = np.random.default_rng(1)
    place = np.arange(rows)
    origin = np.where(random.random(rows) < 0.1, random.integers(0, rows, rows), place)
    url = np.where(random.random(rows) < 0.1, random.integers(0, rows, rows), place)
    addresses = [f"https://site{n % 50_021}.example.org/a/page/{n}" for n in url.tolist()]
    columns = {
        "page_id": [f"{n:032x}" for n in range(rows)],
        "url": addresses,
        "site": [f"site{n % 50_021}.example.org" for n in url.tolist()],
        "source": pa.array(["crawl"] * rows),
        "canonical_url": addresses,
        "url_key": pa.array(url, pa.uint64()),
        "host": [f"site{n % 50_021}.example.org" for n in url.tolist()],
        "captured_at": pa.array(random.integers(1_700_000_000, 1_790_000_000, rows)).cast(
            pa.timestamp("s", tz="UTC")
        ),
        "language": np.array(["en", "zh", "de", "ru", "ja"])[random.integers(0, 5, rows)],
        "script": pa.array(["Latn"] * rows),
        "tokens": random.integers(50, 5000, rows),
        "quality": pa.array(random.random(rows), pa.float32()),
        "content_hash": [f"{n:032x}" for n in origin.tolist()],
        "rules_drop": np.zeros(rows, bool),
        "cluster_size": np.ones(rows, np.int32),
        "authority": random.random(rows),
        "authority_tier": pa.array(["middle"] * rows),
    }
    columns |= {name: random.random(rows).astype(np.float32) * 2 for name in names}
    return pa.table(columns)


def main() -> None:
    rows = int(sys.argv[1]) if len(sys.argv) > 1 else 1_000_000
    section = Decide()
    asked = chosen(section)
    table = documents(rows, sorted({f.signal for f in asked}))
    random = np.random.default_rng(2)
    pairs = np.sort(random.integers(0, rows, (rows // 10, 2)), axis=1)
    edges = pa.table({"left": pairs[:, 0], "right": pairs[:, 1],
                      "similarity": np.full(len(pairs), 0.8, np.float32)})  # fmt: skip
    for filters, what in ((asked, "default filters"), ((), "no filters, all rows live")):
        decide(table.slice(0, 1000), filters, edges.slice(0, 0), {}, section, [])
        started = time.process_time()
        verdicts = decide(table, filters, edges, {}, section, [])
        decided = time.process_time()
        with tempfile.TemporaryDirectory() as out:
            decisions = verdicts.table(table.select(PASSED_ON)).cast(schemas.DECISIONS)
            write_table(out, "decisions", "bench", decisions, 65536)
        written = time.process_time()
        print(
            f"{rows:,} rows, {what}: decide {decided - started:.1f} CPU-s, table and file "
            f"{written - decided:.1f} CPU-s, {int(verdicts.alive.sum()):,} kept"
        )


if __name__ == "__main__":
    main()
