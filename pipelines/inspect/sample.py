"""`gristmill sample`: read documents, kept or dropped, a fair and repeatable handful."""

from __future__ import annotations

from typing import Any

from pipelines.inspect.db import rows
from pipelines.store import manifest

_COLUMNS = "page_id, url, site, source, title, language, tokens, text"


def sample(
    run: manifest.Manifest, where: str | None = None, count: int = 20, dropped: bool = False
) -> list[dict[str, Any]]:
    """Documents in the order of a hash of their id: the same ones on every call.

    where: SQL over the columns of documents and decisions. dropped: those that decide took out.
    """
    decided = "decide" in run.stages
    if decided:
        table = (
            f"SELECT {_prefixed()}, c.outcome, c.reason, c.detail, c.partner, c.captures, c.copies,"
            " d.* EXCLUDE (page_id, url, site, source, title, language, tokens, text)"
            " FROM documents d JOIN decisions c USING (page_id)"
        )
    else:
        table = "SELECT * FROM documents"
    conditions = [f"({where})"] if where else []
    if decided:
        conditions.append("outcome <> 'kept'" if dropped else "outcome = 'kept'")
    filtered = f" WHERE {' AND '.join(conditions)}" if conditions else ""
    wanted = f"{_COLUMNS}{', outcome, reason, detail, partner' if decided else ''}"
    return rows(
        run,
        f"SELECT {wanted} FROM ({table}){filtered} ORDER BY md5(page_id), page_id LIMIT ?",
        [count],
    )


def _prefixed() -> str:
    return ", ".join(f"d.{name.strip()}" for name in _COLUMNS.split(","))
