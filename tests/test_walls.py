"""The walls of the house: who may import whom, who may open a connection, how long a file may be.

They are read from the syntax tree, so an import inside a function counts as well. What only running
can show, which modules come along with another, is asked of a fresh interpreter.
"""

from __future__ import annotations

import ast
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
PACKAGES = ("pipelines", "quality", "graph_rank")
MAX_LINES = 350

# Packages that know nothing of runs: each may import itself and libraries other than Beam.
STAND_ALONE = ("quality", "graph_rank")
BEAM = "apache_beam"  # its import costs 2.5 CPU-seconds
MAY_USE_BEAM = ("pipelines.engine", "pipelines.stages")
MAY_CONNECT = ("pipelines.llm", "pipelines.store")
CONNECTS = (
    *("aiohttp", "boto3", "ftplib", "fsspec", "gcsfs", "google.cloud", "http.client", "httpx"),
    *("requests", "s3fs", "smtplib", "socket", "socketserver", "urllib.request", "urllib3"),
    *("websockets", "xmlrpc"),
)
# `why`, `sql` and `--help` must answer at once.
HEAVY = (
    *("apache_beam", "duckdb", "fasttext", "lxml", "networkx", "numba", "pyarrow", "pycld2"),
    *("scipy", "trafilatura"),
)


def within(module: str, packages: str | tuple[str, ...]) -> bool:
    """True where `module` is one of `packages` or lies inside one."""
    names = (packages,) if isinstance(packages, str) else packages
    return any(module == name or module.startswith(name + ".") for name in names)


def module_name(path: Path, root: Path) -> str:
    parts = path.relative_to(root).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def imports(path: Path, root: Path) -> Iterator[tuple[int, str]]:
    """Line and absolute dotted name of each import; `from a import b` yields `a.b`, `a` for `*`."""
    package = module_name(path, root).split(".")
    if path.name != "__init__.py":
        package = package[:-1]
    for node in ast.walk(ast.parse(path.read_text("utf-8"), str(path))):
        match node:
            case ast.Import():
                yield from ((node.lineno, alias.name) for alias in node.names)
            case ast.ImportFrom():
                base = package[: len(package) - node.level + 1] if node.level else []
                base += node.module.split(".") if node.module else []
                for alias in node.names:
                    yield node.lineno, ".".join(base if alias.name == "*" else [*base, alias.name])
            case ast.Call(func=ast.Name(id=name) | ast.Attribute(attr=name), args=[first, *_]):
                if name in ("import_module", "__import__") and isinstance(first, ast.Constant):
                    yield node.lineno, str(first.value)


def stage_of(module: str) -> str | None:
    """`pack` for `pipelines.stages.pack`, all inside it, and its other files, `pack_*`."""
    match module.split("."):
        case ["pipelines", "stages", file, *_]:
            return file.split("_")[0]
    return None


def wall_before(importer: str, imported: str) -> str | None:
    """The wall that stands between two modules, in words; None where there is none."""
    own = importer.split(".")[0]
    if own in STAND_ALONE and within(imported, (BEAM, *PACKAGES)) and not within(imported, own):
        return f"{own} stands alone"
    if within(imported, BEAM) and not within(importer, MAY_USE_BEAM):
        return f"only {' and '.join(MAY_USE_BEAM)} use Beam"
    if within(imported, CONNECTS) and not within(importer, MAY_CONNECT):
        return f"only {' and '.join(MAY_CONNECT)} open connections"
    if (stage := stage_of(importer)) and (other := stage_of(imported)) and stage != other:
        return "stages meet in tables, not in imports"
    return None


def breaches(root: Path) -> list[str]:
    """One line for every breach under `root`, which holds the three packages."""
    found = []
    for path in sorted(path for package in PACKAGES for path in (root / package).rglob("*.py")):
        name = path.relative_to(root)
        lines = len(path.read_text("utf-8").splitlines())
        if lines > MAX_LINES:
            found.append(f"{name}: {lines} lines, more than {MAX_LINES}")
        for line, imported in imports(path, root):
            if wall := wall_before(module_name(path, root), imported):
                found.append(f"{name}:{line} imports {imported}: {wall}")
    return found


def test_no_wall_is_breached() -> None:
    assert all(list((ROOT / package).rglob("*.py")) for package in PACKAGES), "nothing to check"
    assert breaches(ROOT) == []


@pytest.mark.parametrize(
    ("file", "source", "breach"),
    [
        ("quality/words.py", "import apache_beam as beam", "1 imports apache_beam"),
        ("quality/words.py", "x = 1\nfrom pipelines import run", "2 imports pipelines.run"),
        ("quality/html/walk.py", "import graph_rank.sites", "1 imports graph_rank.sites"),
        ("graph_rank/sites.py", "from quality.words import count", "1 imports quality.words.count"),
        ("pipelines/run.py", "def f():\n    import apache_beam.io", "2 imports apache_beam.io"),
        ("pipelines/store/warc.py", "from apache_beam import io", "1 imports apache_beam.io"),
        (
            "pipelines/run.py",
            "from importlib import import_module\nimport_module('httpx')",
            "2 imp",
        ),
        ("pipelines/inspect/why.py", "from urllib import request", "1 imports urllib.request"),
        ("pipelines/engine/units.py", "import fsspec", "1 imports fsspec"),
        ("quality/pii.py", "import http.client", "1 imports http.client"),
        ("pipelines/stages/pack.py", "from . import decide", "1 imports pipelines.stages.decide"),
        ("pipelines/stages/pack.py", "from .rank import x", "1 imports pipelines.stages.rank.x"),
        ("pipelines/stages/pack.py", "import pipelines.stages.rank", "1 imports pipelines.stages"),
        ("graph_rank/sites.py", "\n" * (MAX_LINES + 1), f" {MAX_LINES + 1} lines"),
    ],
)
def test_a_breach_is_seen(tmp_path: Path, file: str, source: str, breach: str) -> None:
    path = tmp_path / file
    path.parent.mkdir(parents=True)
    path.write_text(source)
    [line] = breaches(tmp_path)
    assert line.startswith(f"{file}:{breach}")


def test_what_is_allowed_is_no_breach(tmp_path: Path) -> None:
    allowed = {
        "quality/words.py": "from .html import walk\nimport quality.html\nimport numpy",
        "graph_rank/sites.py": "from graph_rank import pagerank\nimport urllib.parse",
        "pipelines/engine/shuffle.py": "import apache_beam as beam",
        "pipelines/stages/pack.py": "import apache_beam\nfrom ..store import tables",
        "pipelines/stages/rank.py": "from pipelines.engine import units\nimport graph_rank",
        "pipelines/stages/rank_sites.py": "from pipelines.stages.rank import plan",
        "pipelines/store/files.py": "import fsspec",
        "pipelines/llm/client.py": "import httpx",
        "pipelines/run.py": "from pipelines.stages import pack, rank",
    }
    for file, source in allowed.items():
        (tmp_path / file).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / file).write_text(source)
    assert breaches(tmp_path) == []


def undeclared(root: Path) -> list[str]:
    """Libraries that the packages import and pyproject's dependencies do not name."""
    project = tomllib.loads((root / "pyproject.toml").read_text("utf-8"))["project"]
    named = {re.split(r"[^\w.-]", line)[0] for line in project["dependencies"]}
    declared = {name.lower().replace("_", "-") for name in named}
    distributions = packages_distributions()
    found = set()
    for path in (path for package in PACKAGES for path in (root / package).rglob("*.py")):
        for _, imported in imports(path, root):
            top = imported.split(".")[0]
            providers = {name.lower().replace("_", "-") for name in distributions.get(top, [top])}
            known = top in PACKAGES or top in sys.stdlib_module_names or providers & declared
            if not known:
                found.add(f"{path.relative_to(root)} imports {top}")
    return sorted(found)


def test_what_is_imported_is_declared() -> None:
    assert undeclared(ROOT) == []


def test_an_undeclared_import_is_seen(tmp_path: Path) -> None:
    (tmp_path / "pyproject.toml").write_text('[project]\ndependencies = ["PyYAML>=6", "rich"]\n')
    (tmp_path / "quality").mkdir()
    (tmp_path / "quality/a.py").write_text("import re, yaml, rich.table, quality.b\nimport pytest")
    assert undeclared(tmp_path) == ["quality/a.py imports pytest"]


def comes_with(modules: list[str], suspects: tuple[str, ...]) -> list[str]:
    """Those of `suspects` that a fresh interpreter has loaded after importing `modules`."""
    code = (
        "import importlib, sys\n"
        f"for name in {modules!r}: importlib.import_module(name)\n"
        f"print(*[name for name in {suspects!r} if name in sys.modules])"
    )
    run = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert run.returncode == 0, run.stderr
    return run.stdout.split()


def test_the_command_line_starts_light() -> None:
    assert comes_with(["pipelines.cli"], HEAVY) == []


def test_questions_never_load_beam() -> None:
    rooms = [ROOT / "pipelines" / room for room in ("store", "inspect")]
    modules = [module_name(path, ROOT) for room in rooms for path in sorted(room.rglob("*.py"))]
    assert comes_with(modules, (BEAM,)) == []


def test_a_heavy_import_is_seen() -> None:
    assert comes_with(["json", "xml.dom"], ("json", "apache_beam", "xml.dom")) == [
        "json",
        "xml.dom",
    ]
