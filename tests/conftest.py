"""What every test shares: where caches go, how hard Hypothesis tries, and which tests run.

Two kinds of tests are left out unless asked for (`addopts` in pyproject.toml): `crawl_dev` needs a
folder of real crawl files, `nightly` takes long. A run says how many it left out, so that nothing
is skipped in silence.
"""

from __future__ import annotations

import os
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings
from hypothesis.database import DirectoryBasedExampleDatabase

ROOT = Path(__file__).resolve().parent.parent
CACHE = ROOT / ".cache"

# Before anything imports numba: its default is beside the module, which may be read-only.
os.environ.setdefault("NUMBA_CACHE_DIR", str(CACHE / "numba"))

# The same examples in every run, and no time limits: a busy machine must not fail a test.
settings.register_profile(
    "default",
    derandomize=True,
    deadline=None,
    max_examples=50,
    suppress_health_check=[HealthCheck.too_slow],
)
# New examples every night; those that failed are kept and tried first the next time.
settings.register_profile(
    "nightly",
    settings.get_profile("default"),
    derandomize=False,
    max_examples=500,
    database=DirectoryBasedExampleDatabase(CACHE / "hypothesis"),
)
settings.load_profile("default")

HOW_TO_RUN = {
    "crawl_dev": "GRISTMILL_CRAWL_DEV=FOLDER pytest -m crawl_dev",
    "nightly": "make nightly",
}
left_out: Counter[str] = Counter()


def pytest_deselected(items: list[pytest.Item]) -> None:
    left_out.update(kind for item in items for kind in HOW_TO_RUN if item.get_closest_marker(kind))


def pytest_report_collectionfinish() -> list[str]:
    return [f"not run: {left_out[kind]} {kind} ({HOW_TO_RUN[kind]})" for kind in sorted(left_out)]


@pytest.hookimpl(trylast=True)  # after -m has had its say
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    wants_crawl = any(item.get_closest_marker("crawl_dev") for item in items)
    folder = os.environ.get("GRISTMILL_CRAWL_DEV", "")
    if wants_crawl and not Path(folder or "/nonexistent").is_dir():
        raise pytest.UsageError(
            f"GRISTMILL_CRAWL_DEV={folder!r} is no folder: the crawl_dev tests need one"
        )
