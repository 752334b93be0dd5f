"""A killable child process for native code that crashes, hangs or eats memory.

One child a worker, fed batches. Answers come back one by one, so when the child dies the document
at fault is the first without an answer. That one is tried again alone in a fresh child; if it
dies there too it becomes a `Fault`, and everything else goes on. Limits of bytes, nodes and depth
are the caller's and decide what is kept; CPU and memory limits here are a backstop far above what
real pages need.
"""

from __future__ import annotations

import os
import select
import signal
import subprocess
import sys
from collections.abc import Sequence
from typing import Any, NamedTuple

from pipelines.engine.child import receive, send

CPU_SECONDS = 60.0
MEMORY_BYTES = 3 << 30
WALL_FACTOR = 20.0
"""A child without an answer for this many CPU budgets of wall time hangs without computing."""


class Fault(NamedTuple):
    """A document that could not be handled: error (raised), cpu, memory, crash or hang."""

    reason: str
    detail: str


class ChildDied(Exception):
    def __init__(self, fault: Fault) -> None:
        super().__init__(fault.reason)
        self.fault = fault


class Hung(Exception):
    """The child holds its pipe open but says nothing."""


class Child:
    """`map(requests)` through `factory(config)(request)` of a module, in a process of its own.

    factory: "module:function"; config and requests must pickle. Not thread-safe: one per thread.
    """

    def __init__(
        self,
        factory: str,
        config: Any,
        cpu_seconds: float = CPU_SECONDS,
        memory_bytes: int = MEMORY_BYTES,
    ) -> None:
        self.factory, self.config = factory, config
        self.cpu_seconds, self.memory_bytes = cpu_seconds, memory_bytes
        self.cpu_used = 0.0  # of all children so far
        self._cpu_seen = 0.0  # of the child that lives now
        self._process: subprocess.Popen[bytes] | None = None

    def map(self, requests: Sequence[Any]) -> list[Any]:
        """One answer a request, in order; a `Fault` where there is none."""
        answers: list[Any] = []
        while len(answers) < len(requests):
            rest = requests[len(answers) :]
            try:
                self._converse(rest, answers)
            except ChildDied:
                answers.append(self._alone(requests[len(answers)]))
        return answers

    def _alone(self, request: Any) -> Any:
        """The document at fault once more, in a child that has seen nothing else."""
        alone: list[Any] = []
        try:
            self._converse([request], alone)
        except ChildDied as died:
            return died.fault
        return alone[0]

    def _converse(self, requests: Sequence[Any], answers: list[Any]) -> None:
        process = self._process or self._start()
        assert process.stdin
        try:
            send(process.stdin, list(requests))
            for _ in requests:
                ok, value = self._receive()
                answers.append(value if ok else Fault(*value))
            used = self._receive()
        except (EOFError, BrokenPipeError):
            raise ChildDied(self._bury()) from None
        except Hung:
            self._bury()
            detail = f"no answer in {self.cpu_seconds * WALL_FACTOR:.0f} s"
            raise ChildDied(Fault("hang", detail)) from None
        self.cpu_used += used - self._cpu_seen
        self._cpu_seen = used

    def _start(self) -> subprocess.Popen[bytes]:
        # OpenMP and BLAS threads would spin beside the one thread that works.
        env = {**os.environ, "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
        self._process = subprocess.Popen(
            [sys.executable, "-m", "pipelines.engine.child", self.factory],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env=env,
        )
        self._cpu_seen = 0.0
        assert self._process.stdin
        send(self._process.stdin, (self.config, self.cpu_seconds, self.memory_bytes))
        try:
            self._receive()
        except EOFError:
            fault = self._bury()
            raise RuntimeError(
                f"the child for {self.factory} did not start: {fault.detail}"
            ) from None
        return self._process

    def _receive(self) -> Any:
        """The child's next message. Raises EOFError when it is dead or hangs."""
        assert self._process and self._process.stdout
        return receive(_Deadline(self._process.stdout.fileno(), self.cpu_seconds * WALL_FACTOR))

    def _bury(self) -> Fault:
        """Wait for the dead child and tell from its exit what killed it."""
        assert self._process
        process, self._process = self._process, None
        process.kill()
        code = process.wait()
        for pipe in (process.stdin, process.stdout):
            if pipe:
                try:
                    pipe.close()
                except OSError:
                    pass
        if code == -signal.SIGXCPU:
            return Fault("cpu", f"over {self.cpu_seconds:.0f} CPU-seconds")
        name = signal.Signals(-code).name if code < 0 else f"exit {code}"
        return Fault("crash", name)

    def close(self) -> None:
        if self._process:
            self._bury()


class _Deadline:
    """Reads a pipe's descriptor exactly; raises `Hung` after `seconds` without a byte."""

    def __init__(self, descriptor: int, seconds: float) -> None:
        self.descriptor, self.seconds = descriptor, seconds

    def read(self, size: int) -> bytes:
        parts: list[bytes] = []
        while size:
            ready, _, _ = select.select([self.descriptor], [], [], self.seconds)
            if not ready:
                raise Hung
            part = os.read(self.descriptor, min(size, 1 << 20))
            if not part:
                break
            parts.append(part)
            size -= len(part)
        return b"".join(parts)
