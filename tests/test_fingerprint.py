"""A stage runs again when its code changes, and only then."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
SHOW = (
    "from pipelines.fingerprint import code_hash\n"
    "for s in ('extract', 'decide', 'pack'): print(s, code_hash('pipelines.stages.' + s))\n"
)


def hashes(root: Path) -> dict[str, str]:
    done = subprocess.run(
        [sys.executable, "-c", SHOW], cwd=root, capture_output=True, text=True, check=True,
        env={"PYTHONPATH": str(root)},
    )  # fmt: skip
    return dict(line.split() for line in done.stdout.splitlines())


@pytest.fixture
def tree(tmp_path):
    for package in ("pipelines", "quality", "graph_rank"):
        for path in (ROOT / package).rglob("*.py"):
            target = tmp_path / path.relative_to(ROOT)
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(path.read_bytes())
    return tmp_path


def edit(path: Path, old: str, new: str) -> None:
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new, 1))


def test_comments_and_docstrings_change_nothing(tree):
    before = hashes(tree)
    edit(tree / "pipelines/stages/decide.py", '"""decide:', '"""Decide, in other words:')
    edit(tree / "pipelines/stages/pack.py", "NAME = ", "# a remark\nNAME = ")
    (tree / "README.md").write_text("new words")
    assert hashes(tree) == before


def test_a_changed_line_changes_its_stage_alone(tree):
    before = hashes(tree)
    edit(tree / "pipelines/stages/decide.py", "* 300", "* 301")
    after = hashes(tree)
    assert {s for s in before if before[s] != after[s]} == {"decide"}


def test_a_changed_helper_changes_every_stage_that_uses_it(tree):
    before = hashes(tree)
    edit(tree / "pipelines/store/tables.py", "compression_level=3", "compression_level=4")
    assert all(after != before[s] for s, after in hashes(tree).items())
    edit(
        tree / "quality/optout.py",
        "def licence_of",
        "def unused() -> None: ...\n\n\ndef licence_of",
    )
