"""Beam and its workers talk a lot on stderr; that goes to a file, and people get one line."""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def worker_log(path: str | None) -> Iterator[None]:
    """Point file descriptor 2, which workers inherit, and Beam's logging at a file.

    `sys.stderr` keeps writing where it did. With no path, or GRISTMILL_DEBUG set, nothing moves.
    """
    if path is None or os.environ.get("GRISTMILL_DEBUG"):
        yield
        return
    os.makedirs(os.path.dirname(path), exist_ok=True)
    sys.stderr.flush()
    terminal = os.dup(2)
    ours = sys.stderr
    handlers, level = logging.root.handlers[:], logging.root.level
    with open(path, "ab") as log:
        os.dup2(log.fileno(), 2)
    sys.stderr = os.fdopen(os.dup(terminal), "w", buffering=1)
    file_handler = logging.StreamHandler(os.fdopen(os.dup(2), "w", buffering=1))
    logging.root.handlers[:] = [file_handler]
    try:
        yield
    finally:
        logging.root.handlers[:] = handlers
        logging.root.setLevel(level)
        file_handler.stream.close()
        sys.stderr.flush()
        sys.stderr.close()
        sys.stderr = ours
        os.dup2(terminal, 2)
        os.close(terminal)
