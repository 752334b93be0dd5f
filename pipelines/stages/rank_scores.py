"""The scores of rank, without a run around them: pairs of names in, a row a site out.

Names stay in Arrow dictionaries: a pair is two 4-byte codes, a name is held about once. Ids are the
places of the names in sorted order, so no score depends on how the pairs were cut into files or in
which order these came.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from graph_rank.authority import harmonic, percentile, tiers
from graph_rank.pagerank import degrees, distinct_links, pagerank
from graph_rank.sites import site_of
from pipelines.errors import RunError, UserError
from pipelines.recipe import Rank
from pipelines.store import files, schemas

ENDS = ("source_site", "target_site")
PRECISION = 1e-12
GOOD_SHARE = 0.85
"""The share of sites taken to be good when a trusted few stand for them (`_spam_mass`)."""

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]


class NoTrustedSite(UserError):
    """None of the trusted sites is in the link graph; who asked says whose list it was."""


class Graph(NamedTuple):
    """Sites sorted by name, and one edge a pair: ids into `sites`, sorted by (target, source)."""

    sites: pa.StringArray
    icann_domains: pa.StringArray
    source: Ints
    target: Ints
    links: int  # that the edges stand for


def score(pairs: pa.Table, section: Rank, trusted: Sequence[str]) -> pa.Table:
    """Scores of all names in `pairs`, sorted by name (schema SITES).

    pairs: source_site, target_site (strings or dictionaries of them, no nulls) and, where links
    were counted, links and nofollow_links; repeated pairs add up. trusted: names as in `pairs`;
    with none, trust and spam_mass are null. Raises NoTrustedSite when none is in the graph.
    """
    return score_graph(fold(counted(pairs, section), section), section, trusted)


def counted(pairs: pa.Table, section: Rank) -> pa.Table:
    """The pairs with links that count: source_site and target_site as dictionaries, links.

    A row without counts is one link.
    """
    counts = "links" in pairs.column_names
    links = pairs["links"] if counts else pa.array(np.ones(pairs.num_rows, np.uint8))
    if "nofollow_links" in pairs.column_names and not section.nofollow:
        links = pc.subtract(links, pairs["nofollow_links"])
    table = pa.table([*map(_coded, _ends(pairs)), links], names=[*ENDS, "links"])
    return table.filter(pc.greater(links, 0))


def gather(tables: Iterable[pa.Table]) -> pa.Table:
    """One table with one dictionary a column. Merged whenever the rows have doubled, so that names
    are held about once, not once a table, at a cost that stays linear."""
    held: list[pa.Table] = []
    for table in tables:
        held.append(table)
        if sum(t.num_rows for t in held[1:]) > held[0].num_rows:
            held = [_merged(held)]
    return _merged(held) if held else counted(schemas.LINKS.empty_table(), Rank())


def fold(pairs: pa.Table, section: Rank) -> Graph:
    """The link graph of `counted` pairs. Only sites with an edge are in it.

    Links to oneself never count; links within one ICANN domain only if the section says so. A name
    without an ICANN domain (an address) is one of its own.
    """
    ends = [column.combine_chunks() for column in _ends(pairs)]
    names = pc.unique(pa.concat_arrays([end.dictionary for end in ends])).drop_null()
    names = names.take(pc.sort_indices(names))
    source, target = (_ids(end, names) for end in ends)
    links = pairs["links"].to_numpy()
    names, source, target, links = _only(source != target, names, source, target, links)
    domains = pa.array([_icann_domain(name) for name in names.to_pylist()], pa.string())
    if not section.same_organisation:
        owner = domains.dictionary_encode().indices.to_numpy()
        abroad = owner[source] != owner[target]
        domains = _only(abroad, domains, source, target, links)[0]
        names, source, target, links = _only(abroad, names, source, target, links)
    return Graph(names, domains, *distinct_links(source, target, len(names)), int(links.sum()))


def score_graph(graph: Graph, section: Rank, trusted: Sequence[str]) -> pa.Table:
    """Scores of a folded graph; see `score`."""
    n = len(graph.sites)
    if n == 0:
        return schemas.SITES.empty_table()
    around = degrees(graph.source, graph.target, n)
    rank = _settled(graph, section)
    central = harmonic(graph.source, graph.target, n, samples=section.harmonic_samples)
    central_pct = percentile(central)
    trust = mass = pa.nulls(n, pa.float64())
    if trusted:
        core = np.isin(np.arange(n), found(trusted, graph))
        if not core.any():
            raise NoTrustedSite(f"none of the {len(trusted)} trusted sites is in the link graph")
        trust = _settled(graph, section, core)
        mass = _spam_mass(rank, trust, around.outgoing == 0, section.damping)
    columns = {
        "site": graph.sites,
        "icann_domain": graph.icann_domains,
        "in_sites": around.incoming,
        "out_sites": around.outgoing,
        "pagerank": rank,
        "harmonic": central,
        "trust": trust,
        "spam_mass": mass,
        "pagerank_pct": percentile(rank),
        "harmonic_pct": central_pct,
        "authority_tier": tiers(central_pct, cuts(section)).tolist(),
    }
    return pa.table(columns, schema=schemas.SITES)


def found(trusted: Sequence[str], graph: Graph) -> Ints:
    """Ids of those trusted sites that the graph has."""
    places = pc.index_in(pa.array(trusted, pa.string()), value_set=graph.sites)
    return places.drop_null().to_numpy()


def cuts(section: Rank) -> dict[str, float]:
    """The tiers' cuts; one that the recipe leaves out keeps its default."""
    return dict([*Rank().tiers.items(), *section.tiers.items()])


def read_trusted(path: str, name_of: Callable[[str], str | None], key: str) -> list[str]:
    """The sites a file lists, one a line, sorted; empty lines and lines that begin with # are none.

    name_of: from a host to the name the graph has for it. Raises UserError naming `key` and line.
    """
    try:
        with files.open_read(path) as f:
            lines = f.read().decode("utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        why = error.strerror if isinstance(error, OSError) else "it is not UTF-8 text"
        raise UserError(f"{key}: {path}: cannot be read: {why or error}") from None
    names = set()
    for number, line in enumerate(lines, 1):
        host = line.strip()
        if host and host[0] != "#":
            name = name_of(host)
            if name is None:
                raise UserError(f"{key}: {path}, line {number}: {host[:80]!r} is no host name")
            names.add(name)
    if not names:
        raise UserError(f"{key}: {path}: no site in it; write one a line")
    return sorted(names)


def _settled(graph: Graph, section: Rank, jump: NDArray[np.bool_] | None = None) -> Floats:
    """PageRank with an error below `PRECISION`, as L1 norm of the whole vector.

    A sweep shrinks the change, at first at most 2, by `damping` or more; so what is left to come
    after a change is at most damping / (1 - damping) of it.
    """
    damping = section.damping
    tol = max(PRECISION * (1 - damping) / damping, 1e-14)  # below is the noise of float64
    sweeps = math.ceil(math.log(tol / 2) / math.log(damping)) + 2
    ranks = pagerank(
        graph.source, graph.target, len(graph.sites),
        damping=damping, jump=jump, tol=tol, max_iter=sweeps,
    )  # fmt: skip
    if not ranks.converged:
        raise RunError(f"rank: PageRank still changed by {ranks.delta:.1e} after {sweeps} sweeps")
    return ranks.scores


def _spam_mass(
    rank: Floats, trust: Floats, dangling: NDArray[np.bool_], damping: float
) -> NDArray[np.float64]:
    """The share of a site's PageRank that does not come from good sites: 1 - p'/p.

    Gyongyi, Berkhin, Garcia-Molina, Pedersen, Link Spam Detection Based on Mass Estimation, VLDB
    2006: p jumps everywhere alike, p' to the trusted core only, with the weight that all good
    sites together would have (`GOOD_SHARE`, 0.85 there). At most 1; far below 0 in the core itself.
    Both are the paper's linear PageRank, where what reaches a site without links is lost: our
    scores differ from it by one factor, the mass that such sites send back to the jump.
    """
    linear = [
        scores * (1 - damping) / (1 - damping + damping * scores[dangling].sum())
        for scores in (rank, trust)
    ]
    return np.asarray(1 - GOOD_SHARE * linear[1] / linear[0])


def _ends(pairs: pa.Table) -> list[pa.ChunkedArray]:
    return [pairs[name] for name in ENDS]


def _coded(column: pa.ChunkedArray) -> pa.ChunkedArray:
    return column if pa.types.is_dictionary(column.type) else column.dictionary_encode()


def _merged(tables: list[pa.Table]) -> pa.Table:
    return pa.concat_tables(tables).combine_chunks()


def _ids(end: pa.DictionaryArray, names: pa.StringArray) -> Ints:
    """Each row's place in `names`."""
    places = pc.fill_null(pc.index_in(end.dictionary, value_set=names), -1).to_numpy()
    return places.astype(np.int64)[end.indices.to_numpy()]


def _only(
    keep: NDArray[np.bool_], names: pa.StringArray, source: Ints, target: Ints, links: Ints
) -> tuple[pa.StringArray, Ints, Ints, Ints]:
    """The pairs to keep, and of the names those that they use, with ids to match."""
    source, target = source[keep], target[keep]
    used = np.zeros(len(names), bool)
    used[source] = used[target] = True
    place = np.cumsum(used) - 1
    return names.filter(pa.array(used)), place[source], place[target], links[keep]


def _icann_domain(name: str) -> str:
    site = site_of(name)
    return site.icann_domain if site else name
