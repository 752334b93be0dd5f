"""`gristmill verify`: is what stands on disk what the manifest says, and is anything lost?"""

from __future__ import annotations

import pyarrow.compute as pc

from pipelines.store import files, manifest
from pipelines.store.tables import TableFile, read_table, sha256_of


def verify(run: manifest.Manifest) -> list[str]:
    """Problems, one line each, naming the file; empty when all is well.

    Checks every named file's hash and rows, that shards are sorted and hold no page twice, that
    their tokens add up to the mix, and that the ledger has a row for every page that came in.
    """
    problems: list[str] = []
    for record in run.stages.values():
        for table in record.tables.values():
            for file in table:
                problems += _file(run, file)
    if not problems:
        problems += _shards(run) + _balance(run)
    return problems


def _file(run: manifest.Manifest, file: TableFile) -> list[str]:
    path = files.join(run.run_dir, file.path)
    try:
        size = files.identity(path)[0]
    except OSError:
        return [f"{path}: missing; run the recipe again to make it anew"]
    if size != file.bytes or sha256_of(path) != file.sha256:
        return [f"{path}: changed since it was committed; remove it and run the recipe again"]
    return []


def _shards(run: manifest.Manifest) -> list[str]:
    problems: list[str] = []
    seen: set[str] = set()
    tokens = 0
    for file in run.tables("pack", "shards"):
        table = read_table(files.join(run.run_dir, file.path), ["page_id", "sample_key", "tokens"])
        keys = table["sample_key"].to_numpy()
        if (keys[1:] < keys[:-1]).any():
            problems.append(f"{file.path}: not sorted by sample_key")
        ids = table["page_id"].to_pylist()
        if len(seen) + len(set(ids)) != len(seen | set(ids)) or len(set(ids)) != len(ids):
            problems.append(f"{file.path}: holds a page that another row holds too")
        seen |= set(ids)
        tokens += pc.sum(table["tokens"]).as_py() or 0
    mix = files.read_json(files.join(run.run_dir, "mix.json"))
    if mix is not None and "pack" in run.stages and mix["tokens"] != tokens:
        problems.append(f"mix.json: says {mix['tokens']} tokens, the shards hold {tokens}")
    return problems


def _balance(run: manifest.Manifest) -> list[str]:
    extract = run.stages.get("extract")
    if extract is None or "ledger" not in run.stages:
        return []
    pages = sum(f.rows for f in extract.tables["pages"])
    stretches = extract.counts.get("stretches", 0)
    rows = sum(f.rows for f in run.tables("ledger", "ledger"))
    if rows != pages + stretches:
        return [f"ledger: {pages} pages and {stretches} stretches came in, {rows} rows stand there"]
    return []
