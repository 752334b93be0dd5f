"""decide: keep or drop, over small columns; no text is read and a threshold costs seconds.

inputs      documents and signals (without texts), sites, clusters and their edges, robots
plan        one unit: the columns of a million documents are some 300 MB
transform   rules of the recipe and robots.txt -> captures of one URL -> clusters -> survivors
commit      one decisions file a documents file, row for row; what each rule bit means; the
            revisits' partners; a profile of every site
"""

from __future__ import annotations

import time
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from graph_rank.components import components
from pipelines.engine.beam_units import map_units
from pipelines.engine.units import Journal, Unit, UnitResult, unit_key
from pipelines.errors import UserError
from pipelines.fingerprint import code_hash
from pipelines.recipe import Decide, Recipe
from pipelines.run_state import Run
from pipelines.stages.decide_captures import find_originals, latest_robots, site_profiles
from pipelines.stages.decide_verdicts import Ints, Rule, Verdicts, codes, ranks
from pipelines.store import files, schemas
from pipelines.store.tables import TableFile, read_table, write_table
from quality import filters
from quality.optout import RobotsGroup, robots_verdict

NAME = "decide"
_DOCUMENTS = ["page_id", "url", "site", "source", "canonical_url", "url_key", "host", "captured_at"]
_SIGNALS = ["language", "script", "tokens", "quality", "content_hash", "rules_drop"]
READS = (("extract", "documents"), ("refine", "signals"), ("dedup_clusters", "clusters"),
         ("dedup_clusters", "edges"), ("rank", "sites"), ("extract", "robots"),
         ("extract", "pages"))  # fmt: skip

ROBOTS = Rule("robots", "policy", source="the host's robots.txt")
CLEANING = Rule("drop_doc", "policy", "rules_drop", "cleaning rules")
QUALITY = Rule("quality", "policy", "quality", "classifier")
TIER = Rule("authority_tier", "policy", "authority_tier", "link graph")
REPEATED = Rule("repeated_record", "merge")
CAPTURE = Rule("older_capture", "merge")
EXACT = Rule("exact_copy", "merge")
NEAR = Rule("near_copy", "merge")


def plan(run: Run) -> list[Unit]:
    tables = [run.manifest.tables(stage, table) for stage, table in READS]
    recipe = run.recipe
    basis = [
        code_hash("pipelines.stages.decide"),
        recipe.decide.model_dump(mode="json"),
        [asdict(f) for f in chosen(recipe.decide)],
        recipe.extract.agents,
        [f.logical for files_ in tables for f in files_],
    ]
    return [Unit(unit_key(NAME, basis), NAME, sum(f.rows for f in tables[0]) * 300, tables)]


def chosen(section: Decide) -> tuple[filters.Filter, ...]:
    """The recipe's filters, with its own thresholds. Raises UserError naming the key."""
    if section.filters is None:
        return ()
    try:
        found = filters.DEFAULT if section.filters == "default" else filters.load(section.filters)
    except filters.FilterError as error:
        raise UserError(f"key 'decide.filters': {error}") from None
    known = filters.names(found)
    for name in section.thresholds:
        if name not in known:
            raise UserError(
                f"key 'decide.thresholds.{name}': no such filter; known: {', '.join(known)}"
            )
    return tuple(_changed(f, section) for f in found)


def _changed(one: filters.Filter, section: Decide) -> filters.Filter:
    limits = section.thresholds.get(one.name)
    if limits is None or (one.min is None and one.max is None):  # off stays off
        return one
    low = limits.min if "min" in limits.model_fields_set else one.min
    high = limits.max if "max" in limits.model_fields_set else one.max
    return filters.Filter(one.name, one.signal, low, high, one.languages, "recipe")


def execute(run: Run, units: list[Unit]) -> None:
    map_units(run.engine, DecideWork(run.dir, run.recipe), units)


@dataclass
class DecideWork:
    run_dir: str
    recipe: Recipe
    stage: str = NAME

    def open(self) -> None: ...
    def close(self) -> None: ...

    def run(self, unit: Unit) -> UnitResult:
        started = time.process_time()
        documents, signals, clusters, edges, sites, robots, pages = unit.payload
        asked = chosen(self.recipe.decide)
        wanted = sorted({f.signal for f in asked} - set(_SIGNALS))
        table = self._read(documents, _DOCUMENTS, schemas.DOCUMENTS)
        columns = self._read(signals, [*_SIGNALS, *wanted], schemas.signals())
        for name in columns.column_names:
            table = table.append_column(name, columns[name])
        table = self._with_clusters(table, clusters)
        table = self._with_authority(table, sites)
        pairs = self._read(edges, ["left", "right", "similarity"], schemas.CLUSTER_EDGES)
        verdicts = decide(
            table, asked, pairs, latest_robots(self._read(robots, None, schemas.ROBOTS)),
            self.recipe.decide, self.recipe.extract.agents,
        )  # fmt: skip
        result = UnitResult(unit.key, unit.name, bytes_in=unit.size)
        decisions = verdicts.table(table.select(PASSED_ON))
        result.tables["decisions"] = self._write(documents, decisions)
        result.tables["rules"] = [
            write_table(self.run_dir, "decide/rules", "rules", verdicts.rule_table())
        ]
        result.tables["revisits"] = self._revisits(pages)
        result.tables["site_profiles"] = [
            write_table(self.run_dir, "decide/site_profiles", "sites", site_profiles(decisions))
        ]
        for row in (
            decisions.group_by(["outcome", "reason"]).aggregate([([], "count_all")]).to_pylist()
        ):
            name = row["outcome"] + (f"_{row['reason']}" if row["reason"] else "")
            result.count(name, row["count_all"])
        result.cpu_seconds = time.process_time() - started
        Journal(self.run_dir, NAME).write(result)
        return result

    def _read(
        self, table: list[TableFile], columns: list[str] | None, schema: pa.Schema
    ) -> pa.Table:
        parts = [read_table(files.join(self.run_dir, f.path), columns) for f in table]
        if not parts:
            return schema.empty_table().select(columns or schema.names)
        return pa.concat_tables(parts).combine_chunks()

    def _with_clusters(self, table: pa.Table, clusters: list[TableFile]) -> pa.Table:
        size = pa.array(np.ones(table.num_rows, np.int32))
        if clusters:
            size = self._read(clusters, ["cluster_size"], schemas.CLUSTERS)["cluster_size"]
        return table.append_column("cluster_size", size)

    def _with_authority(self, table: pa.Table, sites: list[TableFile]) -> pa.Table:
        ranked = self._read(sites, ["site", "harmonic_pct", "authority_tier"], schemas.SITES)
        at = pc.index_in(table["site"], value_set=ranked["site"].combine_chunks())
        tier = pc.fill_null(ranked["authority_tier"].take(at), "unknown")
        table = table.append_column("authority", ranked["harmonic_pct"].take(at))
        return table.append_column("authority_tier", tier)

    def _write(self, documents: list[TableFile], decisions: pa.Table) -> list[TableFile]:
        written, start = [], 0
        for file in documents:
            part = decisions.slice(start, file.rows)
            written.append(write_table(self.run_dir, "decide/decisions", file.stem, part, 65536))
            start += file.rows
        return written

    def _revisits(self, pages: list[TableFile]) -> list[TableFile]:
        """The page that each revisit record repeats, a file a pages file."""
        names = ["page_id", "url_key", "payload_digest", "record_type", "revisit_of"]
        table = self._read(pages, names, schemas.PAGES)
        is_revisit = pc.equal(table["record_type"], "revisit")
        found = find_originals(table.filter(is_revisit), table.filter(pc.invert(is_revisit)))
        written, start = [], 0
        for file in pages:
            count = int(pc.sum(is_revisit.slice(start, file.rows)).as_py() or 0)
            part, found = found.slice(0, count), found.slice(count)
            written.append(write_table(self.run_dir, "decide/revisits", file.stem, part))
            start += file.rows
        return written


PASSED_ON = ["page_id", "url", "site", "source", "language", "script", "tokens", "quality",
             "authority", "authority_tier", "cluster_size"]  # fmt: skip


def decide(
    table: pa.Table,
    asked: tuple[filters.Filter, ...],
    edges: pa.Table,
    robots: dict[str, list[RobotsGroup]],
    section: Decide,
    agents: list[str],
) -> Verdicts:
    """What becomes of every document.

    Survivors: of captures the latest; of a cluster the one of highest quality, then highest
    authority, then most tokens, then earliest capture, then shortest canonical URL. Ties go by
    URL, then page_id, then place.
    """
    verdict = Verdicts(table.num_rows)
    if section.robots == "honour":
        _ask_robots(table, robots, agents, verdict)
    verdict.fire(CLEANING, np.flatnonzero(_bools(table["rules_drop"])))
    _ask_filters(table, asked, verdict)
    _ask_policy(table, section, verdict)
    time_ = pc.fill_null(table["captured_at"].cast(pa.int64()), 0).to_numpy()

    def names(rows: Ints) -> tuple[NDArray, ...]:
        return ranks(table["url"], rows), ranks(table["page_id"], rows), rows

    verdict.merge(REPEATED, codes(table["page_id"]), lambda rows: (rows,))
    before = verdict.merges.copy()
    if section.captures == "latest":
        verdict.merge(
            CAPTURE, table["url_key"].to_numpy(), lambda rows: (-time_[rows], *names(rows))
        )
    verdict.captures = verdict.merges - before + 1
    if section.copies == "merge":
        quality, authority = _high_first(table["quality"]), _high_first(table["authority"])
        tokens = pc.fill_null(table["tokens"], 0).to_numpy()
        length = pc.utf8_length(table["canonical_url"]).to_numpy()
        _merge_copies(
            table,
            edges,
            verdict,
            lambda rows: (
                quality[rows], authority[rows], -tokens[rows], time_[rows], length[rows],
                *names(rows),
            ),
        )  # fmt: skip
    return verdict


def _ask_robots(
    table: pa.Table, robots: dict[str, list[RobotsGroup]], agents: list[str], verdict: Verdicts
) -> None:
    refusing = pa.array(
        sorted(h for h, gs in robots.items() if any(map(_refuses, gs))), pa.string()
    )
    asked = np.flatnonzero(pc.is_in(table["host"], value_set=refusing).to_numpy())
    some = table.select(["host", "url"]).take(pa.array(asked))
    out = []
    pairs = zip(some["host"].to_pylist(), some["url"].to_pylist(), strict=True)
    for row, (host, url) in zip(asked.tolist(), pairs, strict=True):
        said = robots_verdict(robots[host], agents, url)
        if not said.allowed:
            out.append(row)
            verdict.detail[row] = f"{said.agent}: {said.rule}"
    verdict.fire(ROBOTS, np.array(out, np.int64))


def _refuses(group: RobotsGroup) -> bool:
    """Whether a group can refuse anything: most hosts' cannot, and need no look at their URLs."""
    return any(
        not rule.startswith("allow:") and rule.strip() != "disallow:" for rule in group.rules
    )


def _ask_filters(table: pa.Table, asked: tuple[filters.Filter, ...], verdict: Verdicts) -> None:
    signals = {f.signal for f in asked}
    columns = {s: table[s].to_numpy().astype(np.float64) for s in signals}
    languages = np.array(table["language"].to_pylist(), dtype=object)
    bits, _ = filters.evaluate(asked, columns, languages)
    for i, name in enumerate(filters.names(asked)):
        first = next(f for f in asked if f.name == name)
        rows = np.flatnonzero(bits >> np.uint64(i) & np.uint64(1)).astype(np.int64)
        fresh = verdict.fire(Rule(name, "filter", first.signal, first.source), rows)
        verdict.value[fresh] = columns[first.signal][fresh]
        for language in set(languages[fresh].tolist()):
            mine = fresh[languages[fresh] == language]
            limits = filters.setting(asked, name, language)
            if limits is not None:
                low = np.nan if limits.min is None else limits.min
                high = np.nan if limits.max is None else limits.max
                verdict.threshold[mine] = np.where(verdict.value[mine] < low, low, high)


def _ask_policy(table: pa.Table, section: Decide, verdict: Verdicts) -> None:
    if section.min_quality is not None:
        quality = table["quality"].to_numpy().astype(np.float64)
        fresh = verdict.fire(QUALITY, np.flatnonzero(quality < section.min_quality))
        verdict.value[fresh], verdict.threshold[fresh] = quality[fresh], section.min_quality
    if section.tiers is not None:
        inside = pc.is_in(table["authority_tier"], value_set=pa.array(section.tiers, pa.string()))
        fresh = verdict.fire(TIER, np.flatnonzero(~_bools(inside)))
        tiers = table["authority_tier"].take(pa.array(fresh)).to_pylist()
        verdict.detail.update(zip(fresh.tolist(), tiers, strict=True))


def _merge_copies(table: pa.Table, edges: pa.Table, verdict: Verdicts, keys: Any) -> None:
    """Clusters taken anew among the living: verified near-duplicates and equal texts."""
    alive = verdict.alive
    text = codes(table["content_hash"])
    left, right = edges["left"].to_numpy(), edges["right"].to_numpy()
    both = alive[left] & alive[right]
    living = np.flatnonzero(alive)
    first = np.full(text.max(initial=-1) + 1, table.num_rows, np.int64)
    np.minimum.at(first, text[living], living)
    label = components(
        np.concatenate([left[both], first[text[living]]]),
        np.concatenate([right[both], living]),
        table.num_rows,
    )
    # One merge for both kinds; which it was is told by the texts' hashes.
    merged = verdict.merge(NEAR, label, keys)
    partner = verdict.partner[merged]
    same = text[merged] == text[partner]
    near, exact = (verdict._number(r) for r in (NEAR, EXACT))
    verdict.reason[merged[same]] = exact
    verdict.bits[merged[same]] ^= np.uint64(1 << near) | np.uint64(1 << exact)
    verdict.similarity[merged[same]] = 1.0
    _direct_similarity(merged[~same], partner[~same], left, right, edges, verdict)


def _direct_similarity(
    merged: Ints, partner: Ints, left: Ints, right: Ints, edges: pa.Table, verdict: Verdicts
) -> None:
    """The verified similarity of a page to its survivor; null where others link the two."""
    rows = len(verdict.reason)
    known = left * rows + right
    order = np.argsort(known)
    wanted = np.minimum(merged, partner) * rows + np.maximum(merged, partner)
    at = np.searchsorted(known[order], wanted)
    inside = at < len(order)
    hit = np.zeros(len(wanted), bool)
    hit[inside] = known[order][at[inside]] == wanted[inside]
    similarity = edges["similarity"].to_numpy()
    verdict.similarity[merged[hit]] = similarity[order[at[hit]]]


def _bools(column: pa.ChunkedArray) -> NDArray[np.bool_]:
    return pc.fill_null(column, False).to_numpy().astype(bool)


def _high_first(column: pa.ChunkedArray) -> NDArray[np.float64]:
    """Sort keys that put high values first and unknown ones last; quantised against noise."""
    values = column.to_numpy().astype(np.float64)
    return np.where(np.isnan(values), np.inf, -np.round(values, 4))
