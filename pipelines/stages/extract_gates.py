"""The gates that extract asks before it parses anything: status, lists, headers, known sites."""

from __future__ import annotations

import hashlib
from typing import Any, NamedTuple

import numpy as np
import xxhash
from numpy.typing import NDArray

from pipelines.errors import UserError
from pipelines.recipe import Extract, Gate
from pipelines.store import files
from pipelines.store.captures import Captured
from pipelines.store.manifest import table_paths
from pipelines.store.tables import read_table
from quality import urls
from quality.capture import Drop
from quality.optout import page_opt_outs

Hashes = NDArray[np.uint64]


def identity(gate: Gate) -> list[str]:
    """What the gates read from outside the recipe, as hashes for the stage's fingerprint."""
    paths = [gate.url_blocklist, gate.domain_blocklist, gate.domain_allowlist]
    marks = [hashlib.sha256(_lines(p)).hexdigest() if p else "" for p in paths]
    if gate.sites:
        marks += ["/".join(map(str, files.identity(p))) for p in _sites_files(gate.sites)]
    return marks


class Gates(NamedTuple):
    """What `before_reading` needs, loaded once a worker."""

    extract: Extract
    sample: float
    blocked_urls: Hashes | None
    blocked_hosts: Hashes | None
    allowed_hosts: Hashes | None
    tiers: dict[str, str] | None

    def before_reading(self, page: Captured, row: dict[str, Any]) -> Drop | None:
        """Why a page is not read at all, or None. Sets `header_opt_out` on the row."""
        gate = self.extract.gate
        if self.sample < 1 and _share(row["site"]) >= self.sample:
            return Drop("sample", round(_share(row["site"]), 6), self.sample)
        if page.record_type == "revisit":
            return Drop("revisit")
        if not page.url:
            return Drop("no_url")
        if is_robots_txt(page):
            return Drop("robots_txt")
        if page.status is not None and gate.status and page.status not in gate.status:
            return Drop("status", page.status)
        if self.blocked_urls is not None and _holds(self.blocked_urls, row["url_key"]):
            return Drop("url_blocklist")
        if self.blocked_hosts is not None and (name := _listed(self.blocked_hosts, row["host"])):
            return Drop("domain_blocklist", detail=name)
        if self.allowed_hosts is not None and not _listed(self.allowed_hosts, row["host"]):
            return Drop("domain_allowlist", detail=row["host"])
        outs = page_opt_outs(page.message.headers if page.message else (), {}, self.extract.agents)
        if outs:
            row["header_opt_out"] = "; ".join(sorted({f"{o.kind}: {o.detail}" for o in outs}))
            if gate.opt_outs == "honour":
                return Drop("opt_out", detail=row["header_opt_out"])
        if self.tiers is not None:
            tier = self.tiers.get(row["site"], "unknown")
            if tier not in gate.tiers:
                return Drop("site_tier", detail=tier)
        return None


def load(extract: Extract, sample: float) -> Gates:
    """Read the lists. Raises UserError naming the key and the file."""
    gate = extract.gate
    return Gates(
        extract,
        sample,
        _hashes(gate.url_blocklist, urls.url_key),
        _hashes(gate.domain_blocklist, _host_hash),
        _hashes(gate.domain_allowlist, _host_hash),
        _tiers(gate.sites) if gate.sites else None,
    )


def is_robots_txt(page: Captured) -> bool:
    """A robots.txt that was really there."""
    _, _, rest = page.url.partition("://")
    path = rest.partition("/")[2] if rest else ""
    return path == "robots.txt" and page.status in (200, None)


def _share(site: str) -> float:
    return xxhash.xxh3_64_intdigest(site.encode()) / 2**64


def _host_hash(host: str) -> int:
    return xxhash.xxh3_64_intdigest(host.strip().lower().strip(".").encode())


def _holds(hashes: Hashes, key: int) -> bool:
    at = int(np.searchsorted(hashes, np.uint64(key)))
    return at < len(hashes) and int(hashes[at]) == key


def _listed(hashes: Hashes, host: str) -> str | None:
    """The listed name that covers a host: itself or a domain above it."""
    labels = host.split(".")
    for start in range(len(labels)):
        name = ".".join(labels[start:])
        if _holds(hashes, _host_hash(name)):
            return name
    return None


def _lines(path: str) -> bytes:
    try:
        with files.open_read(path) as f:
            return f.read()
    except OSError as error:
        raise UserError(
            f"{path}: a list in extract.gate cannot be read: {error.strerror or error}"
        ) from None


def _hashes(path: str | None, of: Any) -> Hashes | None:
    """A list file as sorted hashes: eight bytes an entry, whatever its length."""
    if path is None:
        return None
    lines = (line.strip() for line in _lines(path).decode("utf-8", "replace").splitlines())
    keys = np.array([of(line) for line in lines if line and line[0] != "#"], np.uint64)
    return np.unique(keys)


def _sites_files(run_or_file: str) -> list[str]:
    if run_or_file.endswith(".parquet"):
        return files.listing(run_or_file)
    found = table_paths(run_or_file, "rank", "sites")
    if not found:
        raise UserError(
            f"{run_or_file}: extract.gate.sites names neither a run with ranks nor a file"
        )
    return found


def _tiers(run_or_file: str) -> dict[str, str]:
    tiers: dict[str, str] = {}
    for path in _sites_files(run_or_file):
        table = read_table(path, ["site", "authority_tier"])
        tiers.update(
            zip(table["site"].to_pylist(), table["authority_tier"].to_pylist(), strict=True)
        )
    return tiers
