"""The errors a user can mend: one line that names the file, the key and what to do."""

from __future__ import annotations


class UserError(Exception):
    """Something in the request is wrong; `gristmill` prints it on one line and exits 2."""

    exit_code = 2


class RunError(UserError):
    """The request was right but the run could not go on; one line, exit 1."""

    exit_code = 1


def one_line(error: BaseException, limit: int = 300) -> str:
    """The error's type and message on one line, cut at `limit` characters."""
    text = " ".join(str(error).split())
    name = type(error).__name__
    return f"{name}: {text}"[:limit] if text else name
