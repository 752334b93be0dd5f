"""Where a pipeline runs: option profiles for local, portable, Flink and Dataflow.

`local` is Beam's FnApiRunner by name. Plain DirectRunner would first try to download Prism and
then run everything in one process. Small inputs run in this process: two workers cost five
CPU-seconds of imports before the first byte is read.
"""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import apache_beam as beam
from apache_beam.options.pipeline_options import PipelineOptions

from pipelines.engine.worker_log import worker_log
from pipelines.errors import RunError, UserError, one_line

PROFILES = ("local", "portable", "flink", "dataflow")


@dataclass(frozen=True)
class Engine:
    """A runner profile. workers: local processes, or parallelism on a cluster."""

    profile: str = "local"
    workers: int = 0
    beam_args: tuple[str, ...] = field(default=())
    log: str | None = None  # a local file for what Beam and its workers say

    def processes(self, work_bytes: int, units: int) -> int:
        """Local worker processes for this much work."""
        if self.profile != "local":
            return max(self.workers, 1)
        wanted = self.workers or os.cpu_count() or 1
        if not self.workers and work_bytes < SMALL_BYTES:
            return 1
        return max(1, min(wanted, units))

    def options(self, processes: int) -> PipelineOptions:
        shared = {
            "portable": ["--runner=PortableRunner"],
            "flink": ["--runner=FlinkRunner", f"--parallelism={processes}"],
            "dataflow": ["--runner=DataflowRunner"],
        }
        if self.profile == "local":
            args = ["--runner=FnApiRunner"]
            if processes > 1:
                args += [
                    "--direct_running_mode=multi_processing",
                    f"--direct_num_workers={processes}",
                ]
        else:
            args = shared[self.profile]
        return PipelineOptions([*args, *self.beam_args], save_main_session=False)


SMALL_BYTES = 8 << 20


def check_profile(name: str) -> str:
    """The profile a user means; DirectRunner is the local one. Raises UserError."""
    known = {"directrunner": "local", "flinkrunner": "flink", "dataflowrunner": "dataflow"}
    name = known.get(name.lower(), name.lower())
    if name not in PROFILES:
        raise UserError(f"--runner {name}: not a runner; use one of {', '.join(PROFILES)}")
    return name


def run_pipeline(
    engine: Engine, processes: int, build: Callable[[beam.Pipeline], None], what: str
) -> None:
    """Build a pipeline and run it to its end. Raises RunError with one line when it fails."""
    local = engine.profile == "local"
    with worker_log(engine.log), _Watchdog(active=local and processes > 1, what=what):
        pipeline = beam.Pipeline(options=engine.options(processes))
        build(pipeline)
        try:
            result = pipeline.run()
            state = result.wait_until_finish()
        except Exception as error:
            raise _as_run_error(error, what, engine.log) from error
    if str(state) not in ("DONE", "None"):
        raise RunError(f"{what}: the {engine.profile} job ended as {state}")


def _as_run_error(error: Exception, what: str, log: str | None) -> RunError:
    """Beam wraps a worker's exception in text; keep its last line, and an OSError's advice."""
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, RunError):
            return cause
        cause = cause.__cause__
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    wanted = [line for line in lines if line.startswith(MARK)]
    if wanted:
        return RunError(wanted[-1].removeprefix(MARK).split(" [while running")[0])
    errors = [line for line in lines if "Error: " in line or "Exception: " in line]
    line = (errors or lines or [one_line(error)])[-1].split(" [while running")[0]
    more = f"; details in {log}" if log else ""
    return RunError(f"{what}: {line[:400]} (run the same command again to go on{more})")


MARK = "pipelines.errors.RunError: "
"""How a worker's RunError looks in the traceback text that crosses process borders."""


class _Watchdog:
    """Ends this process when a local worker process dies, which Beam would wait for for ever."""

    def __init__(self, active: bool, what: str) -> None:
        self.active, self.what = active, what
        self._before: Any = None

    def __enter__(self) -> None:
        if self.active:
            self._before = threading.excepthook
            threading.excepthook = self._seen

    def __exit__(self, *_: Any) -> None:
        if self.active:
            threading.excepthook = self._before

    def _seen(self, args: Any) -> None:
        if "Worker subprocess exited" in str(args.exc_value):
            print(
                f"gristmill: {self.what}: a worker process died ({args.exc_value}); finished units "
                "are kept: run the same command again to go on",
                file=sys.stderr,
                flush=True,
            )
            os._exit(1)
        self._before(args)
