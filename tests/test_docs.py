"""The documents say what is so: commands parse, links lead somewhere, the reference is complete.

Nothing shown is run here. A line of a code block that starts with `gristmill` is parsed as the
command line would parse it: the command exists, so do its options, and choices and numbers fit.
"""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any

import pytest
import typer

ROOT = Path(__file__).resolve().parent.parent
REFERENCE = ROOT / "docs" / "cli.md"
PAGES = sorted(
    path for pattern in ("*.md", "docs/**/*.md", "*/README.md") for path in ROOT.glob(pattern)
)
FENCE = re.compile(r"^( *)(```+|~~~+)[^\n]*\n(.*?)^\1\2", re.MULTILINE | re.DOTALL)
SHELL_OPERATOR = re.compile(r"^[|&;<>]+$|^\d?>")


def shown_commands(markdown: str) -> Iterator[str]:
    """Command lines of code blocks, with or without a prompt; a final backslash joins lines."""
    for _, _, block in FENCE.findall(markdown):
        for line in block.replace("\\\n", " ").splitlines():
            if found := re.match(r"\s*(?:\$ )?(?:\.venv/bin/)?(gristmill(?: .*)?)$", line):
                yield found[1]


def problem(command: Any, arguments: list[str], parent: Any = None) -> str | None:
    """Why `arguments` are no call of `command`, a Typer command or group; None where they are one.

    Runs no command. A file that an example names need not exist.
    """
    try:
        context = command.make_context(command.name, list(arguments), parent)
        if hasattr(command, "resolve_command"):
            left = [*context._protected_args, *context.args]
            if left:
                _, subcommand, rest = command.resolve_command(context, left)
                return problem(subcommand, rest, context)
    except typer.Exit:  # --help, --version
        return None
    except Exception as error:  # whatever the parser raises, its text is the finding
        found = error.format_message() if hasattr(error, "format_message") else repr(error)
        return None if found.endswith("does not exist.") else found
    return None


def words(command_line: str) -> list[str]:
    """Arguments after `gristmill`, up to a pipe, a redirection, or `--` (the rest is Beam's)."""
    arguments = []
    for word in shlex.split(command_line, comments=True)[1:]:
        if word == "--" or SHELL_OPERATOR.match(word):
            break
        arguments.append(word)
    return arguments


def gristmill() -> Any:
    from pipelines.cli import app

    return typer.main.get_command(app)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_commands_shown_parse(page: Path) -> None:
    if page == REFERENCE:  # synopses, made from the commands themselves
        return
    command = gristmill()
    findings = {line: problem(command, words(line)) for line in shown_commands(page.read_text())}
    assert {line: finding for line, finding in findings.items() if finding} == {}


def test_the_reference_is_what_the_commands_say() -> None:
    make_docs = [sys.executable, "-m", "typer", "pipelines.cli", "utils", "docs"]
    run = subprocess.run(
        [*make_docs, "--name", "gristmill"], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert REFERENCE.read_text().strip() == run.stdout.strip(), "run make docs"


def slug(heading: str) -> str:
    """The anchor that a heading gets on the usual forges."""
    return re.sub(r"[^\w\- ]", "", heading.strip().lower()).replace(" ", "-")


def broken_links(page: Path) -> list[str]:
    text = FENCE.sub("", page.read_text())
    broken = []
    for target in re.findall(r"\]\(([^)\s]+)[^)]*\)", text):
        if re.match(r"[a-z]+:", target):
            continue
        file, _, anchor = target.partition("#")
        goal = page.parent / file if file else page
        headings = re.findall(r"^#+ (.*)$", goal.read_text(), re.MULTILINE) if anchor else []
        if not goal.exists() or (anchor and anchor not in map(slug, headings)):
            broken.append(target)
    return broken


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_local_links_lead_somewhere(page: Path) -> None:
    assert broken_links(page) == []


def test_every_make_target_is_described() -> None:
    targets = re.findall(r"^([a-z]+):.*## ", (ROOT / "Makefile").read_text(), re.MULTILINE)
    described = re.findall(r"^\| `make ([a-z]+)`", (ROOT / "docs/targets.md").read_text(), re.M)
    assert sorted(described) == sorted(targets)


def test_nothing_is_left_for_later() -> None:
    mark = re.compile("TO" + "DO|FIX" + "ME")
    sources = [
        path
        for folder in ("pipelines", "quality", "graph_rank", "tests", "bench")
        for path in (ROOT / folder).rglob("*.py")
    ]
    assert [str(path) for path in [*PAGES, *sources] if mark.search(path.read_text())] == []


# --- the checks above can fail ------------------------------------------------------------------

toy = typer.Typer()


@toy.command()
def run(recipe: str, out: Path = Path("runs"), count: int = 1) -> None:
    """Stand-in for the real command line."""


@toy.command()
def check(file: Annotated[Path, typer.Argument(exists=True)]) -> None:
    """Stand-in for a command that wants a file."""


@toy.command(context_settings={"allow_extra_args": True, "ignore_unknown_options": True})
def beam(recipe: str) -> None:
    """Stand-in for a command that passes options on."""


@pytest.mark.parametrize(
    ("line", "finding"),
    [
        ("gristmill run web --out runs/a --count 3  # a comment", None),
        ("gristmill run web | head", None),
        ("gristmill run web > out.txt", None),
        ("gristmill run web -- --runner=FlinkRunner", None),
        ("gristmill run --help", None),
        ("gristmill", None),
        ("gristmill check no-such-file", None),
        ("gristmill beam web --runner=FlinkRunner", None),
        ("gristmill walk web", "No such command 'walk'"),
        ("gristmill run web --owt runs/a", "No such option: --owt"),
        ("gristmill run web more", "unexpected extra argument"),
        ("gristmill run", "Missing argument"),
        ("gristmill run web --count many", "Invalid value for '--count'"),
    ],
)
def test_a_wrong_command_is_seen(line: str, finding: str | None) -> None:
    found = problem(typer.main.get_command(toy), words(line))
    assert found == finding if finding is None else finding in (found or "")


def test_commands_are_found_in_blocks_alone() -> None:
    markdown = """
gristmill prose
```console
$ gristmill run web \\
    --out runs/a
gristmilled 3 pages
```
- in a list
  ```sh
  .venv/bin/gristmill why runs/a URL
  ```
"""
    found = [" ".join(line.split()) for line in shown_commands(markdown)]
    assert found == ["gristmill run web --out runs/a", "gristmill why runs/a URL"]


def test_a_broken_link_is_seen(tmp_path: Path) -> None:
    (tmp_path / "other.md").write_text("# One heading, `coded`\n")
    page = tmp_path / "page.md"
    page.write_text(
        "# Here\n[a](other.md) [b](other.md#one-heading-coded) [c](#here) [d](https://x/y)\n"
        "[e](gone.md) [f](other.md#two) [g](#there)\n```\n[h](in-a-block.md)\n```\n"
    )
    assert broken_links(page) == ["gone.md", "other.md#two", "#there"]
