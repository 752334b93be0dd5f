"""Beam and its workers talk a lot on stderr; that goes to a file, and people get one line."""

from __future__ import annotations

import logging
import os
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager

LONGEST = 16 << 20
"""Bytes of log that are kept, the first ones: what goes wrong first matters most."""


@contextmanager
def worker_log(path: str | None) -> Iterator[None]:
    """Point file descriptor 2, which workers inherit, and Beam's logging at a file.

    `sys.stderr` keeps writing where it did. With no path, or GRISTMILL_DEBUG set, nothing moves.
    The descriptor is a pipe that a thread here drains: were it the file itself, a full disk would
    raise in the middle of Beam's own messages and leave the run waiting for ever.
    """
    if path is None or os.environ.get("GRISTMILL_DEBUG"):
        yield
        return
    reading, writing = os.pipe()
    drain = threading.Thread(target=_drain, args=(reading, path), daemon=True)
    drain.start()
    sys.stderr.flush()
    terminal, ours = os.dup(2), sys.stderr
    os.dup2(writing, 2)
    os.close(writing)
    sys.stderr = os.fdopen(os.dup(terminal), "w", buffering=1)
    handlers, level = logging.root.handlers[:], logging.root.level
    to_pipe = logging.StreamHandler(os.fdopen(os.dup(2), "w", buffering=1))
    logging.root.handlers[:] = [to_pipe]
    try:
        yield
    finally:
        logging.root.handlers[:] = handlers
        logging.root.setLevel(level)
        to_pipe.stream.close()
        sys.stderr.close()
        sys.stderr = ours
        os.dup2(terminal, 2)
        os.close(terminal)
        drain.join(timeout=2)  # a process left over may still hold the pipe


def _drain(reading: int, path: str) -> None:
    """Copy a pipe to the end of a file until it closes; what cannot be written is let go."""
    kept = 0
    with os.fdopen(reading, "rb", buffering=0) as pipe:
        while block := pipe.read(1 << 16):
            if kept < LONGEST:
                try:
                    os.makedirs(os.path.dirname(path), exist_ok=True)
                    with open(path, "ab") as log:
                        log.write(block)
                except OSError:
                    continue
                kept += len(block)
