"""Nightly: the driver, a worker or its child killed at random moments; the run ends the same."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import yaml

from pipelines.inspect.verify import verify
from pipelines.store import manifest as manifests
from tests.crawls import Crawl, html, prose
from tests.test_run import committed, finish, recipe_for

pytestmark = pytest.mark.nightly
KILLS = 10


@pytest.fixture(scope="module")
def crawl_files(tmp_path_factory):
    crawl = Crawl()
    for n in range(600):
        crawl.page(f"https://s{n % 40}.example.org/{n}", html(f"Page {n}", prose(n, 120)))
    return crawl.write(tmp_path_factory.mktemp("kills"), 8)


@pytest.fixture(scope="module")
def expected(crawl_files, tmp_path_factory):
    return committed(finish(recipe_for(crawl_files), tmp_path_factory.mktemp("whole"), 2))


def start(crawl_files, tmp_path, out):
    path = tmp_path / "recipe.yaml"
    path.write_text(yaml.safe_dump(recipe_for(crawl_files).model_dump(mode="json")))
    command = [sys.executable, "-m", "pipelines.cli", "run", str(path), "--out", str(out)]
    return subprocess.Popen([*command, "--workers", "2"], stderr=subprocess.PIPE, text=True)


def descendants(root: int, marker: str) -> list[int]:
    """Processes below `root` whose command line holds `marker`."""
    children: dict[int, list[int]] = {}
    commands: dict[int, str] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                parent = int((entry / "stat").read_text().rsplit(")", 1)[1].split()[1])
                commands[int(entry.name)] = (entry / "cmdline").read_bytes().decode("latin-1")
            except (OSError, ValueError):
                continue
            children.setdefault(parent, []).append(int(entry.name))
    found, waiting = [], [root]
    while waiting:
        below = children.get(waiting.pop(), [])
        found += [pid for pid in below if marker in commands[pid]]
        waiting += below
    return sorted(found)


@pytest.mark.parametrize("victim", ["driver", "worker"])
def test_killed_ten_times_a_run_ends_the_same(crawl_files, expected, tmp_path, victim):
    out = tmp_path / "run"
    moments = random.Random(victim)
    killed = 0
    for _ in range(KILLS):
        process = start(crawl_files, tmp_path, out)
        time.sleep(3 + moments.random() * 12)
        targets = [process.pid]
        if victim == "worker":
            targets = descendants(process.pid, "sdk_worker_main")[:1]
        killed += kill(process, targets)
        finished(process, victim)
        half = manifests.load(str(out))
        for file in half.named() if half else []:
            assert (out / file).exists()
        if victim == "worker" and process.returncode:
            assert "run the same command again" in process.stderr.read()
    assert killed >= 3, "too few kills hit a running process to mean anything"
    ended = finish(recipe_for(crawl_files), out, 2)
    assert committed(ended) == expected
    assert verify(ended) == []


def test_a_child_killed_while_it_reads_costs_nothing(crawl_files, expected, tmp_path):
    """The page at hand is read again by a new child; the run itself goes on to its end."""
    moments = random.Random("child")
    killed = 0
    for n in range(KILLS):
        out = tmp_path / f"run-{n}"
        process = start(crawl_files, tmp_path, out)
        while process.poll() is None and not descendants(process.pid, "engine.child"):
            time.sleep(0.05)
        time.sleep(moments.random() * 3)
        killed += kill(process, descendants(process.pid, "engine.child")[:1])
        finished(process, "child")
        assert process.returncode == 0, process.stderr.read()
        assert committed(manifests.must_load(str(out))) == expected
    assert killed >= 5, "too few kills hit a child at work to mean anything"


def kill(process, targets: list[int]) -> int:
    for target in targets if process.poll() is None else []:
        try:
            os.kill(target, signal.SIGKILL)
        except ProcessLookupError:
            return 0
    return len(targets)


def finished(process, victim: str) -> None:
    try:
        process.wait(timeout=240)
    except subprocess.TimeoutExpired:
        pytest.fail(f"the run hangs after its {victim} was killed")
