"""The form of a cleaning rule set: YAML that a person, a model or a miner can write and review.

A rule is data, never code: an operation, an RE2 pattern over lines and, if wanted, a predicate over
named signals. RE2 has no pattern that takes exponential time, and the predicate is a handful of
arithmetic and comparison nodes, so the worst a bad rule can do is to delete or shorten lines, which
its examples, the gate and the veto in `apply` watch.

A set is checked as it is loaded. The check that matters most is about scripts: in RE2 the classes
\\w \\W \\b \\d (and [^a-z]) know ASCII only, so "a line of symbols", `^\\W+$`, also means every
line of Chinese or Russian. They are refused unless the rule is scoped to ASCII lines; \\pL and
\\pN are what to write.
"""

from __future__ import annotations

import ast
import hashlib
import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import yaml
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from quality.signals import SIGNALS

PATTERN_LENGTH = 300
REPEAT = 100  # RE2 unrolls counted repeats; wide ones cost seconds on long lines


class RuleError(ValueError):
    """A rule set that cannot be used; one line with the file, the rule and the fix."""


class _Form(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


Text = Annotated[str, Field(min_length=1, max_length=1000)]
Words = tuple[Text, ...]


class Scope(_Form):
    """Where a rule holds; an empty list means anywhere. A site also means its subdomains."""

    languages: Words = ()  # primary tags: zh means zh-Hant too
    scripts: Words = ()
    sites: Words = ()
    page_types: Words = ()
    ascii: bool = False  # only lines that are all ASCII


class Examples(_Form):
    """Lines (or, for a rule with a predicate alone, signal values) it must hit and must keep."""

    hit: tuple[str | dict[str, float], ...] = Field(min_length=1)
    keep: tuple[str | dict[str, float], ...] = Field(min_length=1)


class By(_Form):
    """Who proposed the rule; the other fields say how to find the proposal again."""

    kind: Literal["human", "model", "miner"]
    name: Text
    prompt_sha256: str | None = None
    call: str | None = None
    sample: str | None = None


class Rule(_Form):
    """One rule.

    drop_lines   lines that match go
    cut_head     the last match among the first `within` lines goes, and all before it
    cut_tail     the first match among the last `within` lines goes, and all after it
    replace      matches inside a line become `to`; a line left empty goes
    drop_doc     the document is marked, for the decision later; its text stays
    """

    id: str = Field(pattern=r"^[a-z0-9][a-z0-9-]{0,63}$")
    op: Literal["drop_lines", "replace", "cut_head", "cut_tail", "drop_doc"]
    pattern: str | None = Field(default=None, min_length=1, max_length=PATTERN_LENGTH)
    when: str | None = Field(default=None, min_length=1, max_length=PATTERN_LENGTH)
    to: Literal["", " ", "\n"] = ""
    within: int = Field(default=10, ge=1, le=100)
    scope: Scope = Scope()
    examples: Examples
    why: Text
    by: By

    @model_validator(mode="after")
    def _fits(self) -> Rule:
        if self.pattern is None and (self.op != "drop_doc" or self.when is None):
            raise ValueError(f"{self.op} wants a pattern" + " or when" * (self.op == "drop_doc"))
        for field, ops in (("to", ("replace",)), ("within", ("cut_head", "cut_tail"))):
            if field in self.model_fields_set and self.op not in ops:
                raise ValueError(f"{field!r} is for {' and '.join(ops)}: remove it")
        if self.pattern is not None and (
            problem := pattern_problem(self.pattern, self.scope.ascii)
        ):
            raise ValueError(f"pattern: {problem}")
        if self.when is not None:
            predicate(self.when)
        for kind, expected in (("hit", True), ("keep", False)):
            for example in getattr(self.examples, kind):
                if self._hits(example) is not expected:
                    raise ValueError(f"must {kind} {example!r}, but does not")
        return self

    def _hits(self, example: str | dict[str, float]) -> bool:
        if self.pattern is None:
            if isinstance(example, str):
                raise ValueError(f"example {example!r}: give signal values like {{words: 3}}")
            columns = {name: np.array([value]) for name, value in example.items()}
            return bool(evaluate_predicate(predicate(self.when or ""), columns, 1)[0])
        if not isinstance(example, str):
            raise ValueError(f"example {example!r}: give a line of text")
        if self.scope.ascii and not example.isascii():
            return False
        line = pa.array([example.strip()])
        return bool(pc.match_substring_regex(line, pattern=self.pattern)[0].as_py())


class RuleSet(_Form):
    """Rules in order. `scope` narrows all of them; a new version names its parent."""

    form: Literal[1] = Field(alias="schema")
    ruleset: str = Field(pattern=r"^[a-z0-9][a-z0-9-]{0,63}$")
    version: int = Field(ge=1)
    parent: int | None = None
    scope: Scope = Scope()
    rules: tuple[Rule, ...] = Field(min_length=1)

    @model_validator(mode="after")
    def _distinct(self) -> RuleSet:
        ids = [rule.id for rule in self.rules]
        for i, name in enumerate(ids):
            if name in ids[:i]:
                raise ValueError(f"rule {name} stands twice: rename one")
        return self

    @property
    def digest(self) -> str:
        """sha256 of the content: equal for two files that differ in comments or layout only."""
        content = self.model_dump(mode="json", by_alias=True)
        return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


def _tokens(pattern: str) -> Iterator[tuple[str, str]]:
    """('escape' | 'class' | 'repeat' | 'char', source) of an RE2 pattern, quoted text left out."""
    token = re.compile(
        r"\\Q.*?(?:\\E|\Z)|(?P<escape>\\(?:[pP](?:\{[^}]*\}|.)|.))"
        r"|(?P<class>\[\^?\]?(?:\[:\^?\w+:\]|\\[pP]\{[^}]*\}|\\.|[^\]\\])*\])"
        r"|(?P<repeat>\{\d+(?:,\d*)?\})|(?P<char>.)",
        re.DOTALL,
    )
    for match in token.finditer(pattern):
        if match.lastgroup:
            yield match.lastgroup, match.group()


def pattern_problem(pattern: str, ascii_scope: bool = False) -> str | None:
    """What is wrong with a line pattern and what to do, None if nothing is."""
    try:
        empty = pc.match_substring_regex(pa.array([""]), pattern=pattern)[0].as_py()
    except pa.ArrowInvalid as error:
        return f"RE2 refuses it: {' '.join(str(error).split())}"
    if empty:
        return "matches an empty line: make a part of it required"
    if "\n" in pattern or r"\n" in pattern:
        return "has a line end in it, but is matched against single lines: remove it"
    for kind, source in _tokens(pattern):
        if kind == "repeat" and max(int(n) for n in re.findall(r"\d+", source)) > REPEAT:
            return f"repeat {source} is above {REPEAT}: lower it"
        if ascii_scope:
            continue
        bad = None
        if kind == "escape" and source in (r"\w", r"\W", r"\b", r"\B", r"\d", r"\D"):
            bad = source
        elif kind == "class":
            found = re.search(r"\\[wWbBdD]|\[:\^?\w+:\]", source)
            negated = source.startswith("[^") and re.search(r"a-z|A-Z", source)
            bad = found.group() if found else source if negated and r"\p" not in source else None
        if bad:
            fix = r"write [\pL\pN], [^\pL\pN] or \pN, or scope: {ascii: true}"
            return f"{bad} knows ASCII only: {fix}"
    return None


_NODES = (
    *(ast.Expression, ast.BoolOp, ast.And, ast.Or, ast.UnaryOp, ast.Not, ast.USub, ast.Compare),
    *(ast.Lt, ast.LtE, ast.Gt, ast.GtE, ast.Eq, ast.NotEq, ast.BinOp, ast.Add, ast.Sub, ast.Mult),
    *(ast.Div, ast.Name, ast.Load, ast.Constant),
)


def predicate(source: str) -> ast.expr:
    """A boolean expression over signal names, checked node by node; ValueError with the fix."""
    try:
        tree = ast.parse(source.strip(), mode="eval")
    except (SyntaxError, RecursionError, MemoryError, ValueError):
        raise ValueError(f"when: {source!r} is no expression like 'words < 9'") from None
    for node in ast.walk(tree):
        if not isinstance(node, _NODES):
            raise ValueError(
                f"when: {type(node).__name__} is not allowed: "
                "use and, or, not, comparisons, + - * /"
            )
        if isinstance(node, ast.Name) and node.id not in SIGNALS:
            raise ValueError(f"when: no signal {node.id!r}: use one of {', '.join(SIGNALS)}")
        if isinstance(node, ast.Constant) and type(node.value) not in (int, float):
            raise ValueError(f"when: {node.value!r} is no number")
    if not _is_boolean(tree.body):
        raise ValueError(f"when: {source!r} is a number, not a condition: compare it")
    return tree.body


def _is_boolean(node: ast.expr) -> bool:
    """Conditions joined by and, or, not; numbers only below a comparison."""
    if isinstance(node, ast.BoolOp):
        return all(_is_boolean(value) for value in node.values)
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not):
        return _is_boolean(node.operand)
    if isinstance(node, ast.Compare):
        below = [*ast.walk(node)][1:]
        return not any(isinstance(n, (ast.Compare, ast.BoolOp, ast.Not)) for n in below)
    return False


_COMPARE = {
    ast.Lt: np.less,
    ast.LtE: np.less_equal,
    ast.Gt: np.greater,
    ast.GtE: np.greater_equal,
    ast.Eq: np.equal,
    ast.NotEq: np.not_equal,
}
_ARITHMETIC = {ast.Add: np.add, ast.Sub: np.subtract, ast.Mult: np.multiply, ast.Div: np.divide}


def evaluate_predicate(
    node: ast.expr, columns: Mapping[str, NDArray[Any]], rows: int
) -> NDArray[np.bool_]:
    """Where the predicate holds, bool[rows]; false wherever a signal it names is unknown (NaN).

    Raises ValueError if a signal has no column.
    """
    known = np.ones(rows, np.bool_)
    for name in {n.id for n in ast.walk(node) if isinstance(n, ast.Name)}:
        if name not in columns:
            raise ValueError(f"when: the signal {name!r} has no column here")
        known &= ~np.isnan(np.asarray(columns[name], np.float64))

    def value(node: ast.expr) -> Any:
        match node:
            case ast.Constant():
                return np.float64(node.value)  # type: ignore[arg-type]
            case ast.Name():
                return np.asarray(columns[node.id], np.float64)
            case ast.UnaryOp(op=ast.Not()):
                return ~value(node.operand)
            case ast.UnaryOp():
                return -value(node.operand)
            case ast.BinOp():
                return _ARITHMETIC[type(node.op)](value(node.left), value(node.right))
            case ast.Compare():
                sides = [value(side) for side in (node.left, *node.comparators)]
                pairs = zip(node.ops, sides, sides[1:], strict=False)
                return np.logical_and.reduce([_COMPARE[type(op)](a, b) for op, a, b in pairs])
            case ast.BoolOp():
                join = np.logical_and if isinstance(node.op, ast.And) else np.logical_or
                return join.reduce([value(part) for part in node.values])
        raise ValueError(f"when: {type(node).__name__} is not allowed")

    with np.errstate(all="ignore"):
        return known & np.broadcast_to(value(node), rows)


def load(path: str | Path) -> RuleSet:
    """A rule set from a YAML file, fully checked. Raises RuleError."""
    try:
        content = yaml.safe_load(Path(path).read_text(encoding="utf-8"))
    except OSError as error:
        raise RuleError(f"{path}: {error.strerror or error}") from None
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise RuleError(f"{path}: not YAML: {' '.join(str(error).split())}") from None
    return parse(content, str(path))


def parse(content: Any, where: str) -> RuleSet:
    """A rule set from parsed YAML or JSON; `where` opens the message of a RuleError."""
    if not isinstance(content, dict):
        raise RuleError(f"{where}: wants the keys schema, ruleset, version, rules")
    try:
        return RuleSet.model_validate(content)
    except ValidationError as error:
        problem = error.errors(include_url=False)[0]
    place = list(problem["loc"])
    if place[:1] == ["rules"] and len(place) > 1:
        rule = content["rules"][place[1]]
        name = rule.get("id") if isinstance(rule, dict) else None
        place[:2] = [f"rule {name or place[1] + 1}"]  # type: ignore[operator]
    message = problem["msg"].removeprefix("Value error, ").replace("\n", " ")
    where = ": ".join([where, *(str(part) for part in place)])
    raise RuleError(f"{where}: {message[0].lower()}{message[1:]}")


def starter() -> RuleSet:
    """The rule set that comes with the package."""
    return load(Path(__file__).with_name("starter.yaml"))
