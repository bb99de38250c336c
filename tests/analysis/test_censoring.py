"""Percentiles of times that are known only in part."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import CensoredData, ecdf

from loadtest.analysis.statistics.censoring import CensoredTimes, describe, distribution_curve
from loadtest.model.distribution import Distribution
from tests.analysis.builders import milliseconds, seconds_of

ages = st.lists(st.integers(1, 250), max_size=30)


def test_complete_times_have_exact_mean_and_maximum() -> None:
    times = describe(CensoredTimes(milliseconds([10, 20, 30, 40])))
    assert times.mean == 0.025
    assert times.max == 0.04
    assert times.p50 == pytest.approx(0.02, rel=0.01)
    assert times.at_least == ()


def test_nothing_measured_has_no_values() -> None:
    assert describe(CensoredTimes()).p50 is None
    assert describe(CensoredTimes(entered=milliseconds([5]))).max is None


def test_starved_users_make_the_tail_a_lower_bound() -> None:
    """Five users that keep the pool do 900 quick checkouts while 100 wait for all six seconds."""
    times = describe(CensoredTimes(milliseconds([2] * 900), unfinished=milliseconds([6000] * 100)))
    assert times.p50 == pytest.approx(0.002, rel=0.01)
    assert times.p90 == pytest.approx(0.002, rel=0.01)
    assert (times.p95, times.p99, times.max) == (6.0, 6.0, 6.0)
    assert times.at_least == ("p95", "p99", "p999", "max", "mean")
    assert times.mean == pytest.approx(0.9 * 0.002 + 0.1 * 6, rel=0.01)


def test_who_starves_from_the_warm_up_on_makes_the_tail_a_lower_bound() -> None:
    """The same, begun a second before: at risk only from an age on that no quick one reaches."""
    waiting = {"unfinished": milliseconds([7000] * 100), "entered": milliseconds([1000] * 100)}
    times = describe(CensoredTimes(milliseconds([2] * 900), **waiting, throughout=100))
    assert times.p95 == pytest.approx(0.002, rel=0.01)
    assert times.at_least == ("p95", "p99", "p999", "max", "mean")


def test_only_unfinished_waits_bound_everything() -> None:
    times = describe(CensoredTimes(unfinished=milliseconds([100, 300])))
    assert times.p50 == 0.3
    assert set(times.at_least) == {"p50", "p90", "p95", "p99", "p999", "max", "mean"}


@given(finished=ages.filter(len), unfinished=ages)
def test_the_curve_is_the_product_limit_estimate(
    finished: list[int], unfinished: list[int]
) -> None:
    ours = distribution_curve(CensoredTimes(_exact(finished), _exact(unfinished)))
    theirs = ecdf(CensoredData(uncensored=finished, right=unfinished)).cdf
    at = np.isin(theirs.quantiles, finished)
    assert ours[0] == pytest.approx(theirs.quantiles[at] / 1e6)
    assert ours[1] == pytest.approx(theirs.probabilities[at])


@given(st.lists(st.tuples(st.integers(1, 200), st.integers(0, 200)), min_size=1, max_size=30))
def test_times_seen_from_an_age_on_count_only_from_there(seen: list[tuple[int, int]]) -> None:
    """Against the definition, one by one: at risk at t are those with entry < t <= end."""
    pairs = [(entry, entry + lasting) for lasting, entry in seen]
    ours = distribution_curve(
        CensoredTimes(_exact([e for _, e in pairs]), entered=_exact([a for a, _ in pairs if a]))
    )
    surviving, expected = 1.0, []
    for end in sorted({end for _, end in pairs}):
        risk = sum(entry < end <= other for entry, other in pairs)
        surviving *= 1 - sum(other == end for _, other in pairs) / risk
        expected.append(1 - surviving)
    # Above 255 microseconds neighbouring values share a bin.
    exact = [n for n, end in enumerate(sorted({end for _, end in pairs})) if end < 256]
    assert [ours[1][n] for n in exact] == pytest.approx([expected[n] for n in exact])


def test_a_steady_queue_has_the_percentiles_of_its_waits() -> None:
    """Waits that the window cuts off at both ends bias nothing: all of them are 0 to 1 s long."""
    random = np.random.default_rng(7)
    starts, lengths = random.uniform(0, 100, 200_000), random.uniform(0, 1, 200_000)
    ends, begin, end = starts + lengths, 50.0, 52.0
    over = (ends > begin) & (ends <= end)
    before = (starts < begin) & (ends > begin)
    going_on = (starts < end) & (ends > end)
    times = describe(
        CensoredTimes(
            seconds_of(lengths[over]),
            seconds_of(end - starts[going_on]),
            seconds_of(begin - starts[before]),
        )
    )
    assert times.p50 == pytest.approx(0.5, abs=0.03)
    assert times.p95 == pytest.approx(0.95, abs=0.03)
    assert times.at_least == ()


def _exact(microseconds: list[int]) -> Distribution:
    return Distribution.of([1000 * value for value in microseconds])
