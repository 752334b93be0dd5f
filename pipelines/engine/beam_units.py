"""Run units through Beam: the one transform that every map-only stage is made of."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

import apache_beam as beam
from apache_beam.metrics import Metrics

from pipelines.engine.runners import Engine, run_pipeline
from pipelines.engine.units import Unit, UnitResult, deal, total_bytes
from pipelines.store import files


class Work(Protocol):
    """What a stage does with a unit. Pickled to the workers; `open` and `close` run there."""

    stage: str
    run_dir: str

    def open(self) -> None: ...
    def run(self, unit: Unit) -> UnitResult: ...
    def close(self) -> None: ...


class RunUnit(beam.DoFn):
    """Calls `work.run` for each unit and counts what came of it; yields the unit's key."""

    def __init__(self, work: Work) -> None:
        self.work = work

    def setup(self) -> None:
        self.work.open()

    def process(self, unit: Unit) -> Any:
        with files.storage_errors(self.work.run_dir):
            result = self.work.run(unit)
        Metrics.counter(self.work.stage, "units").inc()
        for name, count in result.counts.items():
            Metrics.counter(self.work.stage, name).inc(count)
        yield result.key

    def teardown(self) -> None:
        self.work.close()


def map_units(engine: Engine, work: Work, units: Sequence[Unit]) -> None:
    """Do all units; results stand in the stage's journal. Raises RunError."""
    if not units:
        return
    processes = engine.processes(total_bytes(units), len(units))
    dealt = deal(units, processes)

    def build(pipeline: beam.Pipeline) -> None:
        _ = (
            pipeline
            | f"{work.stage}: units" >> beam.Create(dealt, reshuffle=processes > 1)
            | f"{work.stage}: work" >> beam.ParDo(RunUnit(work))
        )

    run_pipeline(engine, processes, build, work.stage)
