"""The child's side of `isolate`: answers requests on its pipes until they close.

Started as `python -m pipelines.engine.child module:factory`; imports only what the factory needs,
never Beam. Before each document it moves its own CPU limit forward, so the kernel ends it when one
document takes too much, whatever native code it is stuck in.
"""

from __future__ import annotations

import importlib
import os
import pickle
import resource
import struct
import sys
from typing import IO, Any, Protocol

_LENGTH = struct.Struct("<Q")


class Readable(Protocol):
    def read(self, size: int, /) -> bytes: ...


def send(pipe: IO[bytes], value: Any) -> None:
    data = pickle.dumps(value, protocol=pickle.HIGHEST_PROTOCOL)
    pipe.write(_LENGTH.pack(len(data)))
    pipe.write(data)
    pipe.flush()


def receive(pipe: Readable) -> Any:
    """The next message. Raises EOFError when the other side is gone."""
    head = pipe.read(_LENGTH.size)
    if len(head) < _LENGTH.size:
        raise EOFError
    (length,) = _LENGTH.unpack(head)
    data = pipe.read(length)
    if len(data) < length:
        raise EOFError
    return pickle.loads(data)


def _limit_memory(extra_bytes: int) -> None:
    """Cap the address space at what the process has now plus `extra_bytes` (Linux only)."""
    try:
        with open("/proc/self/statm") as f:
            now = int(f.read().split()[0]) * os.sysconf("SC_PAGE_SIZE")
    except OSError:
        return
    resource.setrlimit(resource.RLIMIT_AS, (now + extra_bytes, now + extra_bytes))


def _allow_cpu(seconds: float) -> None:
    used = resource.getrusage(resource.RUSAGE_SELF)
    soft = int(used.ru_utime + used.ru_stime + seconds) + 1
    resource.setrlimit(resource.RLIMIT_CPU, (soft, resource.RLIM_INFINITY))


def main() -> None:
    requests, answers = sys.stdin.buffer, os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # a stray print must not break the protocol
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    module, _, factory = sys.argv[1].partition(":")
    config, cpu_seconds, memory_bytes = receive(requests)
    handle = getattr(importlib.import_module(module), factory)(config)
    _limit_memory(memory_bytes)
    send(answers, "ready")
    while True:
        try:
            batch = receive(requests)
        except EOFError:
            return
        for request in batch:
            _allow_cpu(cpu_seconds)
            try:
                answer = (True, handle(request))
            except MemoryError:
                answer = (False, ("memory", f"over {memory_bytes >> 20} MB"))
            except Exception as error:
                text = " ".join(str(error).split())[:200]
                answer = (False, ("error", f"{type(error).__name__}: {text}"))
            send(answers, answer)
        used = resource.getrusage(resource.RUSAGE_SELF)
        send(answers, used.ru_utime + used.ru_stime)


if __name__ == "__main__":
    main()
