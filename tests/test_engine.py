"""The engine: dealing, the packed GroupByKey, the killable child, retries."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

import apache_beam as beam
import numpy as np
import pyarrow as pa
import pytest
from apache_beam.testing.util import assert_that, equal_to
from hypothesis import given
from hypothesis import strategies as st

from pipelines.engine import shuffle
from pipelines.engine.isolate import Child, Fault
from pipelines.engine.units import Unit, deal, retry

TROUBLE = "tests.trouble:factory"


@pytest.fixture
def child():
    made = Child(TROUBLE, {"scale": 10}, cpu_seconds=1, memory_bytes=256 << 20)
    yield made
    made.close()


def test_answers_come_in_order(child):
    assert child.map([("scale", n) for n in range(100)]) == [n * 10 for n in range(100)]
    assert child.cpu_used > 0


def test_an_exception_is_one_fault_and_the_child_lives(child):
    assert child.map([("scale", 1), ("raise", "no\nway"), ("scale", 2)]) == [
        10,
        Fault("error", "ValueError: no way"),
        20,
    ]


@pytest.mark.parametrize(
    ("deed", "reason", "detail"),
    [
        ("segfault", "crash", "SIGSEGV"),
        ("exit", "crash", "exit 3"),
        ("spin", "cpu", "over 1 CPU-seconds"),
        ("eat", "memory", "over 256 MB"),
        ("print", None, None),
    ],
)
def test_only_the_document_at_fault_is_lost(child, deed, reason, detail):
    answers = child.map([("scale", 1), ("scale", 2), (deed, None), ("scale", 3)])
    fault = answers.pop(2)
    assert answers == [10, 20, 30]
    assert fault == (Fault(reason, detail) if reason else None)


def test_a_child_killed_from_outside_loses_nothing(child):
    assert child.map([("scale", 1)]) == [10]
    os.kill(child._process.pid, signal.SIGKILL)
    assert child.map([("scale", 2), ("scale", 3)]) == [20, 30]


def test_the_child_ends_when_its_parent_lets_go(child):
    child.map([("scale", 1)])
    pid = child._process.pid
    child._process.stdin.close()
    for _ in range(100):
        if not Path(f"/proc/{pid}").exists() or "Z" in Path(f"/proc/{pid}/stat").read_text():
            return
        time.sleep(0.05)
    pytest.fail("the child outlived its pipe")


def test_the_child_imports_no_beam(child):
    modules = child.map([("modules", None)])[0]
    assert not {m for m in modules if m.startswith("apache_beam")}


def test_a_factory_that_cannot_start_says_so():
    with pytest.raises(RuntimeError, match="did not start"):
        Child("tests.trouble:nowhere", {}).map([1])


@given(st.lists(st.integers(1, 10**9), min_size=1, max_size=60), st.integers(1, 8))
def test_dealing_keeps_every_unit_and_balances(sizes, workers):
    units = [Unit(str(i), str(i), size) for i, size in enumerate(sizes)]
    dealt = deal(units, workers)
    assert sorted(u.key for u in dealt) == sorted(u.key for u in units)
    loads = [sum(u.size for u in dealt[k::workers]) for k in range(workers)]
    # forth and back: no two workers differ by more than the largest unit
    assert max(loads) - min(loads) <= 2 * max(sizes)


def test_dealing_alternates_the_larger_share():
    units = [Unit(str(s), str(s), s) for s in (2000, 100, 2000, 100, 2000, 100, 2000, 100)]
    dealt = deal(units, 2)
    assert sum(u.size for u in dealt[0::2]) == sum(u.size for u in dealt[1::2])


def to_packed(share, buckets):
    table = pa.table(
        {"key": pa.array([k for k, _ in share], pa.int64()),
         "value": pa.array([v for _, v in share], pa.string())}
    )  # fmt: skip
    return list(shuffle.pack(table, np.array([k % buckets for k, _ in share], np.int64)))


def from_packed(grouped, buckets):
    bucket, parts = grouped
    for row in shuffle.unpack(parts).to_pylist():
        assert row["key"] % buckets == bucket
        yield row["key"], row["value"]


@given(
    st.lists(st.tuples(st.integers(0, 50), st.text(max_size=8)), max_size=200),
    st.integers(1, 9),
)
def test_packing_keeps_every_pair_in_its_bucket(pairs, buckets):
    back = [pair for packed in to_packed(pairs, buckets) for pair in from_packed(
        (packed[0], [packed[1]]), buckets)]  # fmt: skip
    assert sorted(back) == sorted(pairs)


@pytest.mark.parametrize(("seed", "buckets", "units"), [(1, 1, 1), (2, 7, 3), (3, 64, 5)])
def test_packed_group_by_key_equals_the_plain_one(seed, buckets, units):
    """Same groups as beam.GroupByKey over single records, whatever the cut into units."""
    random = np.random.default_rng(seed)
    pairs = [(int(k), f"v{i}") for i, k in enumerate(random.zipf(1.5, 2000) % 300)]
    shares = [pairs[k::units] for k in range(units)]
    with beam.Pipeline(runner="FnApiRunner") as pipeline:
        plain = (
            pipeline
            | "pairs" >> beam.Create(pairs)
            | beam.GroupByKey()
            | "sort plain" >> beam.MapTuple(lambda k, vs: (k, sorted(vs)))
        )
        packed = (
            pipeline
            | "shares" >> beam.Create(shares)
            | beam.FlatMap(to_packed, buckets)
            | shuffle.GroupPacked()
            | beam.FlatMap(from_packed, buckets)
            | "regroup" >> beam.GroupByKey()
            | "sort packed" >> beam.MapTuple(lambda k, vs: (k, sorted(vs)))
        )
        grouped: dict[int, list[str]] = {}
        for key, value in pairs:
            grouped.setdefault(key, []).append(value)
        expected = [(k, sorted(vs)) for k, vs in grouped.items()]
        assert_that(plain, equal_to(expected), label="plain")
        assert_that(packed, equal_to(expected), label="packed")


def test_a_packed_part_stays_small():
    text = "x" * 1000
    table = pa.table({"value": [text + str(i) for i in range(20_000)]})
    parts = list(shuffle.pack(table, np.zeros(20_000, np.int64)))
    assert len(parts) > 3
    assert shuffle.unpack([data for _, data in parts]).equals(table)


def test_passes_bound_what_moves():
    passes = shuffle.passes(list(range(10)), bytes_each=200 << 20, limit=512 << 20)
    assert [len(p) for p in passes] == [2, 2, 2, 2, 2]
    assert [bucket for one in passes for bucket in one] == list(range(10))


def test_retry_gives_up_after_three_and_not_on_a_full_disk():
    tried = []

    def fails():
        tried.append(1)
        raise ValueError("no")

    assert retry(fails, lambda error: f"gave up: {error}", pause=0) == "gave up: no"
    assert len(tried) == 3

    def full():
        tried.append(1)
        raise OSError(28, "No space left on device")

    with pytest.raises(OSError, match="No space"):
        retry(full, lambda error: "lost", pause=0)
    assert len(tried) == 4
