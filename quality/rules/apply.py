"""Apply a cleaning rule set to a batch of texts.

All lines of the batch become one Arrow array, and each pattern runs over the lines in its scope in
one RE2 call, so hits are counted rule by rule at no extra cost. What lines go is decided on the
text as it came, whatever the order of the rules; replacements then run on the lines that stay.

When in doubt, keep: a document that would be left empty or under a tenth of itself stays as it was,
and `restored` says so.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from quality.rules.form import Rule, RuleSet, Scope, evaluate_predicate, predicate
from quality.words import primary

LEAST_LEFT = 0.1  # of a document's characters
LONGEST_LINE = 2000  # a longer line is no boilerplate: only `replace` looks at it


class Cleaned(NamedTuple):
    """Texts after cleaning, and what was done to each.

    fired: indices into ruleset.rules that hit, also where the text was restored afterwards;
    removed_chars int32[n]; drop bool[n]: a drop_doc rule fired, the text is cleaned all the same;
    restored bool[n]: the rules would have left next to nothing, so the text is the original.
    """

    texts: list[str]
    fired: list[list[int]]
    removed_chars: NDArray[np.int32]
    drop: NDArray[np.bool_]
    restored: NDArray[np.bool_]


Tags = Sequence[str | None]


def apply(
    ruleset: RuleSet,
    texts: Sequence[str],
    languages: Tags,
    *,
    scripts: Tags | None = None,
    sites: Tags | None = None,
    page_types: Tags | None = None,
    signals: Mapping[str, NDArray] | None = None,
) -> Cleaned:
    """Clean `texts`. A rule scoped by a tag that is not given, or None for a text, does not hold.

    signals: columns over the texts for rules with a `when`; ValueError if one is missing.
    """
    count = len(texts)
    unknown: Tags = [None] * count
    tags: dict[str, Tags] = {
        "languages": [tag and primary(tag) for tag in languages],
        "scripts": unknown if scripts is None else scripts,
        "sites": unknown if sites is None else sites,
        "page_types": unknown if page_types is None else page_types,
    }
    raw = [text.split("\n") for text in texts]
    owner = np.repeat(np.arange(count), np.array([len(lines) for lines in raw], np.int64))
    flat = [line.strip() for lines in raw for line in lines]
    lines = _arrow(flat)
    lengths = pc.utf8_length(lines).to_numpy()
    common = _in_scope(ruleset.scope, tags, count)
    gone = np.zeros(len(flat), np.bool_)
    drop = np.zeros(count, np.bool_)
    fired: list[list[int]] = [[] for _ in texts]
    changed: dict[int, str] = {}
    candidates: dict[tuple, tuple[NDArray[np.int64], pa.Array]] = {}  # lines in a rule's scope

    # Replacements come last, but keep their numbers.
    order = sorted(enumerate(ruleset.rules), key=lambda pair: pair[1].op == "replace")
    for number, rule in order:
        documents = common & _in_scope(rule.scope, tags, count)
        if rule.when is not None and documents.any():
            try:
                documents &= evaluate_predicate(predicate(rule.when), signals or {}, count)
            except ValueError as error:
                raise ValueError(f"rule {rule.id}: {error}") from None
        if not documents.any():
            continue
        if rule.pattern is None:
            hit_documents = np.flatnonzero(documents)
        else:
            key = (rule.scope, rule.when, rule.op == "replace")
            if key not in candidates:
                mask = documents[owner] & (lengths > 0)
                mask &= ~gone if rule.op == "replace" else lengths <= LONGEST_LINE
                if rule.scope.ascii or ruleset.scope.ascii:
                    mask &= pc.string_is_ascii(lines).to_numpy(zero_copy_only=False)
                rows = np.flatnonzero(mask)
                candidates[key] = rows, lines.take(rows)
            rows, among = candidates[key]
            found = pc.match_substring_regex(among, pattern=rule.pattern)
            hits = rows[found.to_numpy(zero_copy_only=False).astype(np.bool_)]
            if rule.op in ("cut_head", "cut_tail"):
                hits = _cut(rule, hits, owner, lengths, gone)
            elif rule.op == "drop_lines":
                gone[hits] = True
            elif rule.op == "replace" and hits.size:
                replaced = pc.replace_substring_regex(
                    lines.take(hits), pattern=rule.pattern, replacement=rule.to
                )
                for i, new in zip(hits.tolist(), replaced.to_pylist(), strict=True):
                    flat[i] = changed[i] = new.strip()
                lines = _arrow(flat)
                lengths = pc.utf8_length(lines).to_numpy()
                candidates.clear()
            hit_documents = np.unique(owner[hits])
        if rule.op == "drop_doc":
            drop[hit_documents] = True
        for document in hit_documents.tolist():
            fired[document].append(number)

    result = list(texts)
    removed = np.zeros(count, np.int32)
    restored = np.zeros(count, np.bool_)
    touched = gone.copy()
    touched[list(changed)] = True
    starts = np.searchsorted(owner, np.arange(count)).tolist()
    for document in np.unique(owner[touched]).tolist():
        start = starts[document]
        text = _rebuild(raw[document], start, gone, changed)
        before = len(texts[document])
        if not text.strip() or len(text) < LEAST_LEFT * before:
            restored[document] = True
        else:
            result[document] = text
            removed[document] = before - len(text)
    return Cleaned(result, [sorted(ids) for ids in fired], removed, drop, restored)


def _arrow(lines: list[str]) -> pa.Array:
    try:
        return pa.array(lines, pa.string())
    except UnicodeEncodeError:  # a lone surrogate, which UTF-8 has no bytes for
        return pa.array([line.encode("utf-8", "replace") for line in lines]).cast(pa.string())


def _in_scope(scope: Scope, tags: Mapping[str, Tags], count: int) -> NDArray[np.bool_]:
    """Which texts the scope covers; a listed site covers its subdomains."""
    inside = np.ones(count, np.bool_)
    for field, values in tags.items():
        listed = set(getattr(scope, field))
        if not listed:
            continue
        suffixes = tuple("." + site for site in listed) if field == "sites" else ()
        covered = {
            tag: tag is not None and (tag in listed or tag.endswith(suffixes))
            for tag in set(values)
        }
        inside &= np.fromiter((covered[value] for value in values), np.bool_, count)
    return inside


def _cut(
    rule: Rule,
    hits: NDArray[np.int64],
    owner: NDArray[np.int64],
    lengths: NDArray[np.int32],
    gone: NDArray[np.bool_],
) -> NDArray[np.int64]:
    """Marks the cut lines in `gone`; returns the hits that led to a cut."""
    used = []
    for document in np.unique(owner[hits]).tolist():
        begin, end = np.searchsorted(owner, [document, document + 1])
        filled = begin + np.flatnonzero(lengths[begin:end] > 0)
        edge = filled[: rule.within] if rule.op == "cut_head" else filled[-rule.within :]
        inside = hits[np.isin(hits, edge)]
        if inside.size and rule.op == "cut_head":
            gone[begin : inside[-1] + 1] = True
        elif inside.size:
            gone[inside[0] : end] = True
        used.append(inside)
    return np.concatenate(used) if used else hits


def _rebuild(
    lines: list[str], start: int, gone: NDArray[np.bool_], changed: Mapping[int, str]
) -> str:
    """The document from its remaining lines; a gap leaves one blank line at most."""
    kept: list[str] = []
    gap = False
    for i, line in enumerate(lines, start):
        new = changed.get(i)
        if gone[i] or new == "":
            gap = True
            continue
        blank = not line.strip()
        if gap and blank and (not kept or not kept[-1].strip()):
            continue
        gap = gap and blank
        if new is not None:
            line = line[: len(line) - len(line.lstrip())] + new
        kept.append(line)
    while gap and kept and not kept[-1].strip():
        kept.pop()
    return "\n".join(kept)
