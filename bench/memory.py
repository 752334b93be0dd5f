"""Peak proportional set size of a whole run, driver, workers and children together.

    python -m bench.memory CRAWL_DIR [MORE_DIRS ...] [--workers 2]

Give the crawl and a larger one (`bench.grow_crawl`): memory must not grow with the crawl.
"""

from __future__ import annotations

import argparse
import shutil
import sys
import tempfile

from bench.measure import measure


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("crawl", nargs="+", help="path, folder or glob")
    parser.add_argument("--workers", type=int, default=2)
    args = parser.parse_args()
    first = None
    for crawl in args.crawl:
        out = tempfile.mkdtemp(prefix="bench-")
        command = [sys.executable, "-m", "pipelines.cli", "run", "web", "--set", f"input={crawl}"]
        cost = measure([*command, "--out", out, "--workers", str(args.workers)], watch_memory=True)
        shutil.rmtree(out)
        first = first or cost.peak_pss_mb
        print(
            f"{crawl}: peak PSS {cost.peak_pss_mb:.0f} MB ({cost.peak_pss_mb / first:.2f} of the "
            f"first), {cost.cpu:.1f} CPU-s, {cost.wall:.1f} s wall, exit {cost.code}",
            flush=True,
        )


if __name__ == "__main__":
    main()
