"""rank: what the links say of each site.

    inputs      links: pairs of sites, counted unit by unit; a list of trusted sites
    plan        one unit: the graph of a crawl is small beside its text, and is solved in memory
    transform   all units' pairs -> one edge a pair -> PageRank, harmonic centrality, trust -> tiers
    commit      one sites file, sorted by site

Every site of the graph has a tier: head, middle or fringe. A site that no counted link leads from
or to has no row; to the stages that ask for its tier it is `unknown`. What a link is worth: a pair
counts once however many links it has, if one of them is not marked nofollow, and if the two sites
are not of one organisation (`github.io` is one, though each blog there is a site); the recipe's
section can let both kinds in.
"""

from __future__ import annotations

import time
from dataclasses import dataclass

from graph_rank.authority import tiers
from graph_rank.sites import psl_version, site_of
from pipelines.engine.beam_units import map_units
from pipelines.engine.units import Journal, Unit, UnitResult, unit_key
from pipelines.errors import RunError, UserError
from pipelines.fingerprint import code_hash
from pipelines.recipe import Rank
from pipelines.run_state import Run
from pipelines.stages.rank_scores import (
    NoTrustedSite,
    counted,
    cuts,
    fold,
    found,
    gather,
    read_trusted,
    score_graph,
)
from pipelines.store import files, schemas
from pipelines.store.tables import read_table, write_table

NAME = "rank"
KEY = "key 'rank.trusted'"


def check(section: Rank) -> None:
    """Find a wrong section before a crawl is read. Raises UserError naming the key."""
    try:
        tiers([], cuts(section))
    except ValueError as error:
        raise UserError(f"key 'rank.tiers': {error}") from None
    _trusted(section)


def plan(run: Run) -> list[Unit]:
    links = run.manifest.tables("extract", "links")
    section = run.recipe.rank
    trusted = _trusted(section)
    asked = section.model_dump(mode="json", exclude={"trusted"})
    logical = sorted(f.logical for f in links)
    basis = [code_hash("pipelines.stages.rank"), psl_version(), asked, trusted, logical]
    key = unit_key(NAME, basis)
    return [Unit(key, NAME, sum(f.bytes for f in links), (links, trusted))]


def execute(run: Run, units: list[Unit]) -> None:
    map_units(run.engine, RankWork(run.dir, run.recipe.rank), units)


@dataclass
class RankWork:
    run_dir: str
    section: Rank
    stage: str = NAME

    def open(self) -> None: ...
    def close(self) -> None: ...

    def run(self, unit: Unit) -> UnitResult:
        started = time.process_time()
        links, trusted = unit.payload
        paths = [files.join(self.run_dir, f.path) for f in links]
        pairs = gather(counted(read_table(p, schemas.LINKS.names), self.section) for p in paths)
        graph = fold(pairs, self.section)
        try:
            sites = score_graph(graph, self.section, trusted)
        except NoTrustedSite as error:
            raise RunError(f"{KEY}: {self.section.trusted}: {error}") from None
        result = UnitResult(unit.key, unit.name, bytes_in=unit.size)
        result.tables["sites"] = [write_table(self.run_dir, "rank/sites", "sites", sites, 65536)]
        result.count("sites", len(graph.sites))
        result.count("edges", len(graph.source))
        result.count("links", graph.links)
        if trusted:
            result.count("trusted", len(found(trusted, graph)))
        result.cpu_seconds = time.process_time() - started
        Journal(self.run_dir, NAME).write(result)
        return result


def _trusted(section: Rank) -> list[str]:
    return read_trusted(section.trusted, _site, KEY) if section.trusted else []


def _site(host: str) -> str | None:
    site = site_of(host)
    return site.site if site else None
