"""`gristmill sample`: read documents, kept or dropped, a fair and repeatable handful."""

from __future__ import annotations

from typing import Any

from pipelines.errors import UserError
from pipelines.inspect.db import rows
from pipelines.store import manifest

_SHOWN = (
    "page_id, url, site, source, title, language, tokens, quality, outcome, reason, detail, partner"
)


def sample(
    run: manifest.Manifest, where: str | None = None, count: int = 20, dropped: bool = False
) -> list[dict[str, Any]]:
    """Documents in the order of a hash of their id: the same ones on every call.

    where: SQL over the columns of decisions, documents and signals. dropped: those that decide
    took out. `text` is the clean text, `text_before` the extracted one where cleaning changed it.
    """
    if "decide" not in run.stages:
        raise UserError(f"{run.run_dir}: nothing is decided yet; run up to stage decide")
    conditions = [f"({where})"] if where else []
    conditions.append("outcome <> 'kept'" if dropped else "outcome = 'kept'")
    return rows(
        run,
        f"""
        SELECT {_SHOWN}, text, nullif(text_before, text) AS text_before
        FROM (SELECT c.*, d.* EXCLUDE ({_TWICE}, text, text_bytes),
                     s.* EXCLUDE (page_id, language, script, tokens, quality),
                     t.text, d.text AS text_before
              FROM decisions c JOIN documents d USING (page_id) JOIN signals s USING (page_id)
              JOIN texts t USING (page_id))
        WHERE {" AND ".join(conditions)} ORDER BY md5(page_id), page_id LIMIT ?
        """,
        [count],
    )


_TWICE = "page_id, url, site, source, language, script"
