"""What Beam and the isolated child cost: extract against the same functions in a bare pool.

    python -m bench.beam_overhead CRAWL [CRAWL ...] [--pairs 7]

Both read the same files with the same functions on two processes and write the same tables. The
pool calls the page reader in its own process; the run goes through Beam and a killable child.
Start-up (imports) is measured on the smallest file of the list and taken off both sides. Runs are
interleaved in pairs; the ratio is of CPU seconds of the whole process tree.
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import shutil
import statistics
import sys
import tempfile
from pathlib import Path

from bench.measure import measure


class InProcess:
    """The child's interface without the child."""

    def __init__(self, config) -> None:
        from quality.capture import reader

        self.read, self.cpu_used = reader(config), 0.0

    def map(self, requests):
        return [self.read(r) for r in requests]

    def close(self) -> None: ...


def pool(recipe, out: str, workers: int) -> None:
    from pipelines.engine.runners import Engine
    from pipelines.engine.units import deal
    from pipelines.run_state import Run
    from pipelines.stages import extract
    from pipelines.store.manifest import Manifest

    units = extract.plan(Run(out, recipe, Engine(), Manifest(out)))
    context = multiprocessing.get_context("spawn")
    with context.Pool(workers, initializer=_open, initargs=(out, recipe)) as processes:
        processes.map(_one, deal(units, workers), chunksize=1)


def _open(out, recipe) -> None:
    global _work
    from pipelines.stages import extract
    from pipelines.stages import extract_gates as gates

    _work = extract.ExtractWork(out, recipe)
    _work._gates = gates.load(recipe.extract, recipe.sample)
    _work._child = InProcess(extract.child_config(recipe))


def _one(unit) -> None:
    _work.run(unit)


def one(kind: str, out: str, inputs: list[str], workers: int) -> None:
    from pipelines import recipe as recipes
    from pipelines import run as runs

    recipe = recipes.Recipe.model_validate({"input": inputs})
    if kind == "pool":
        pool(recipe, out, workers)
    else:
        from pipelines.engine.runners import Engine

        runs.run(recipe, out, Engine("local", workers), until="extract")


def timed(kind: str, inputs: list[str], workers: int) -> float:
    out = tempfile.mkdtemp(prefix="bench-")
    try:
        command = [sys.executable, "-m", "bench.beam_overhead", *inputs]
        cost = measure([*command, "--one", kind, "--out", out, "--workers", str(workers)])
        assert cost.code == 0, kind
        return cost.cpu
    finally:
        shutil.rmtree(out, ignore_errors=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("crawl", nargs="+")
    parser.add_argument("--pairs", type=int, default=7)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--one", choices=["beam", "pool"])
    parser.add_argument("--out", default="")
    args = parser.parse_args()
    if args.one:
        one(args.one, args.out, args.crawl, args.workers)
        return
    tiny = Path(tempfile.mkdtemp(prefix="bench-tiny-"))
    names = [str(tiny / f"{k}.warc") for k in range(args.workers)]
    for name in names:
        Path(name).write_bytes(b"")
    ratios, starts = [], []
    for pair in range(args.pairs):
        order = ("beam", "pool") if pair % 2 == 0 else ("pool", "beam")
        start = {kind: timed(kind, names, args.workers) for kind in order}
        full = {kind: timed(kind, args.crawl, args.workers) for kind in order}
        net = {kind: full[kind] - start[kind] for kind in order}
        ratios.append(net["beam"] / net["pool"])
        starts.append(start)
        print(
            f"pair {pair + 1}: beam {full['beam']:.1f} CPU-s (start {start['beam']:.1f}), "
            f"pool {full['pool']:.1f} (start {start['pool']:.1f}), ratio {ratios[-1]:.3f}",
            flush=True,
        )
    shutil.rmtree(tiny)
    print(
        f"extract / bare pool, CPU without start-up: median {statistics.median(ratios):.3f}, "
        f"{min(ratios):.3f} to {max(ratios):.3f} over {len(ratios)} pairs; start-up "
        f"{statistics.median(s['beam'] for s in starts):.1f} against "
        f"{statistics.median(s['pool'] for s in starts):.1f} CPU-s; {os.cpu_count()} cores"
    )


if __name__ == "__main__":
    main()
