"""The totals that metrics show: they add up exactly and survive the header of a run file."""

from __future__ import annotations

import json
from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from loadtest.model.distribution import Distribution
from loadtest.model.interval import Interval
from loadtest.model.metrics import BUCKET_SECONDS, opentelemetry_name
from loadtest.model.pool_totals import PoolTotals

DURATIONS = st.lists(st.integers(0, 100 * 10**9), max_size=20)


def interval(waits: list[int], timeouts: int = 0) -> Interval:
    counters = Counter({"timeouts": timeouts, "cpu": 5})
    return Interval(1, "p1", counters=counters, histograms={"wait": Distribution.of(waits)})


@given(DURATIONS, DURATIONS)
def test_intervals_one_by_one_are_the_intervals_together(one: list[int], two: list[int]) -> None:
    parts = PoolTotals().plus(interval(one, 2)).plus(interval(two, 3))
    whole = PoolTotals().plus(interval(one + two, 5))
    assert parts.to_json() == whole.to_json()
    assert sum(parts.times["wait"].buckets) == len(one) + len(two)
    assert parts.times["wait"].sum == sum(one) + sum(two)


@given(DURATIONS)
def test_the_form_in_a_header_is_read_as_it_was(waits: list[int]) -> None:
    totals = PoolTotals().plus(interval(waits, 1))
    text = json.dumps(totals.to_json())
    assert PoolTotals.from_json(json.loads(text)).to_json() == totals.to_json()


def test_totals_do_not_change_when_something_is_added() -> None:
    before = PoolTotals().plus(interval([10**9], 1))
    told = before.to_json()
    before.plus(interval([10**9, 2 * 10**9], 4))
    assert before.to_json() == told


def test_only_what_is_shown_is_kept() -> None:
    odd = Interval(1, counters=Counter({"x": 1}), histograms={"hold@a.py": Distribution.of([1])})
    assert PoolTotals().plus(odd).to_json() == {"counters": {}, "times": {}}


def test_the_last_bucket_is_above_all_edges() -> None:
    buckets = PoolTotals().plus(interval([61 * 10**9, 59 * 10**9])).times["wait"].buckets
    assert len(buckets) == len(BUCKET_SECONDS) + 1
    assert buckets.tolist()[-2:] == [1, 1]


def test_names_have_dots_where_opentelemetry_has_them() -> None:
    assert {opentelemetry_name(name) for name in ("loadtest_oldest_waiter_seconds", "phase")} == {
        "loadtest.oldest_waiter",
        "phase",
    }
