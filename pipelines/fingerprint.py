"""The hash of a stage's code: what must run again when a line of it changes, and only then.

Taken over the syntax trees, without docstrings and comments, of the stage's file and of every
project module it imports, directly or not, and the versions of the packages these import.
"""

from __future__ import annotations

import ast
import hashlib
import sys
from functools import cache
from importlib import metadata, util
from pathlib import Path

PROJECT = ("pipelines", "quality", "graph_rank")


@cache
def code_hash(*modules: str) -> str:
    """32 hex digits for the code behind these modules."""
    digest = hashlib.blake2b(digest_size=16)
    own, foreign = _closure(modules)
    for name in sorted(own):
        digest.update(name.encode() + own[name].encode())
    digest.update(repr(versions(frozenset(foreign))).encode())
    digest.update(repr(sys.version_info[:2]).encode())
    return digest.hexdigest()


@cache
def versions(modules: frozenset[str]) -> tuple[tuple[str, str], ...]:
    """(distribution, version) of the packages that top-level modules come from."""
    owners = _distributions()
    found = {d for m in modules for d in owners.get(m, [])}
    return tuple(sorted((d, metadata.version(d)) for d in found))


@cache
def _distributions() -> dict[str, list[str]]:
    return {m: list(d) for m, d in metadata.packages_distributions().items()}


def _closure(modules: tuple[str, ...]) -> tuple[dict[str, str], set[str]]:
    """Syntax trees of all project modules reached, and the top-level names of other packages."""
    own: dict[str, str] = {}
    foreign: set[str] = set()
    waiting = list(modules)
    while waiting:
        name = waiting.pop()
        if name in own:
            continue
        path = source_of(name)
        if path is None:
            continue
        tree = ast.parse(path.read_text(encoding="utf-8"))
        own[name] = ast.dump(_without_docstrings(tree))
        for target in imports(tree):
            if target.split(".")[0] in PROJECT:
                waiting.append(target)
            else:
                foreign.add(target.split(".")[0])
    return own, foreign - set(sys.stdlib_module_names)


def imports(tree: ast.AST) -> set[str]:
    """Dotted names that a module imports; `from a import b` gives both a and a.b."""
    names: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            names |= {node.module, *(f"{node.module}.{a.name}" for a in node.names)}
    return names


@cache
def source_of(module: str) -> Path | None:
    """The file of a module; None for packages without code and for names inside modules.

    Project modules are found by path: asking the import system would import their parents.
    """
    if module.split(".")[0] in PROJECT:
        path = Path(__file__).parent.parent.joinpath(*module.split(".")).with_suffix(".py")
        return path if path.is_file() else None
    try:
        spec = util.find_spec(module)
    except (ImportError, AttributeError, ValueError):
        return None
    return Path(spec.origin) if spec and spec.origin and spec.origin.endswith(".py") else None


def _without_docstrings(tree: ast.AST) -> ast.AST:
    for node in ast.walk(tree):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            body = node.body
            if body and isinstance(body[0], ast.Expr) and isinstance(body[0].value, ast.Constant):
                if isinstance(body[0].value.value, str):
                    node.body = body[1:]
    return tree
