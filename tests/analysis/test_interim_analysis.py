"""When a run under way may end, since it is clear what it will say."""

import numpy as np
import pytest

from loadtest.analysis.statistics.batches import batch, whole_seconds
from loadtest.analysis.statistics.interim_analysis import (
    STOPPING_BOUNDS,
    Excess,
    ThroughputEstimate,
    early_conclusion,
    rate_of,
)
from loadtest.model.interval import Interval
from loadtest.model.objective import parse_objective
from tests.analysis.builders import SECOND, interval
from tests.analysis.driven_requests import ORDERS, requested

(P95,) = parse_objective("checkout.wait_seconds.p95 <= 50ms")
BEST = ThroughputEstimate(100.0, 1.0)
SOME = (99, 101, 100, 98, 102, 101, 99, 100, 97, 103)


def seconds(
    per_second: tuple[int, ...] = SOME, wait: int = 10, late: int = 0, unfinished: int = 0
) -> list[Interval]:
    """Seconds with these requests; some of a hundred waits (ms) take ten times as long."""
    return [
        interval(
            number,
            counters={"requests": requests},
            wait=[wait] * (100 - late) + [10 * wait] * late,
            unfinished=[1000] * unfinished,
        )
        for number, requests in enumerate(per_second)
    ]


def estimated(parts: list[Interval]) -> ThroughputEstimate | None:
    """The throughput of some intervals."""
    return rate_of([batch(one) for one in whole_seconds(parts)])


def first_look(
    parts: list[Interval], bounds: object = (P95,), best: ThroughputEstimate | None = BEST
) -> str:
    """What is said first, and after how many of ten seconds."""
    for number in range(1, len(parts) + 1):
        said = early_conclusion(parts[:number], 10, bounds, best)  # type: ignore[arg-type]
        if said:
            return f"{said} after {number}"
    return "nothing"


def test_seconds_that_are_alike_by_chance_decide_no_more_than_their_least_error_allows() -> None:
    alike = [-2.0] * 5  # in total ten below zero
    assert Excess(alike, least_error=3.0).below_zero(3.0) is True
    assert Excess(alike, least_error=4.0).below_zero(3.0) is None


def test_a_pool_that_keeps_nobody_waiting_is_surely_good() -> None:
    assert first_look(seconds()) in ("surely good after 5", "surely good after 8")


def test_many_long_waits_surely_miss_it() -> None:
    assert first_look(seconds(late=30)).startswith(f"surely misses {P95.text} after ")


def test_a_share_of_long_waits_near_the_allowed_one_decides_nothing() -> None:
    assert first_look(seconds(late=5)) == "nothing"


def test_who_loses_throughput_may_end_even_if_it_keeps_to_the_objective() -> None:
    slow = tuple(requests - 30 for requests in SOME)
    assert first_look(seconds(slow)).startswith("surely loses throughput after ")


def test_the_first_good_one_goes_on_to_its_end() -> None:
    assert first_look(seconds(), best=None) == "nothing"
    assert first_look(seconds(late=30), best=None).startswith("surely misses")


def test_waits_that_go_on_are_no_short_ones() -> None:
    assert first_look(seconds(unfinished=90)) == "nothing"


def test_what_part_of_a_run_says_nothing_about_is_not_kept_early() -> None:
    bounds = parse_objective("checkout.wait_seconds.max <= 1s")
    assert first_look(seconds(), bounds) == "nothing"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("errors.rate <= 1%", "surely good"),
        ("throughput.per_second >= 50", "surely good"),
        ("throughput.per_second >= 150", "surely misses"),
        ("request_seconds.p50 <= 50ms", "nothing"),  # none was measured
    ],
)
def test_other_objectives(text: str, said: str) -> None:
    assert first_look(seconds(), parse_objective(text)).startswith(said)


@pytest.mark.parametrize(
    ("text", "late", "failed", "said"),
    [
        ('request["GET /orders"].p95 <= 50ms', 0, 0, "surely good"),
        ('request["GET /orders"].p95 <= 50ms', 30, 0, "surely misses"),
        ('request["GET /orders"].p95 <= 50ms', 5, 0, "nothing"),
        ('request["GET /orders"].error_rate <= 1%', 0, 0, "surely good"),
        ('request["GET /orders"].error_rate <= 1%', 0, 30, "surely misses"),
        ('request["GET /carts"].p95 <= 50ms', 30, 0, "nothing"),  # no request has this name
        ('request["GET /orders"].max <= 1s', 0, 0, "nothing"),
        ('request["GET /orders"].count >= 1', 0, 0, "nothing"),
    ],
)
def test_objectives_on_the_requests_of_one_name(
    text: str, late: int, failed: int, said: str
) -> None:
    parts = seconds()
    for one in parts:
        requests = one.counters["requests"]
        requested(one, ORDERS, [10] * (100 - late) + [100] * late, failed=[5] * failed)
        one.counters["requests"], one.counters["failures"] = requests, 0
    assert first_look(parts, parse_objective(text)).startswith(said)


def test_bits_of_seconds_go_with_their_neighbours() -> None:
    parts = [
        interval(0, length=SECOND // 5, counters={"requests": 20}),
        interval(1, counters={"requests": 100}),
        interval(2, counters={"requests": 100}),
        interval(3, length=SECOND // 5, counters={"requests": 20}),
    ]
    assert [part.counters["requests"] for part in whole_seconds(parts)] == [120, 120]
    assert estimated(parts) == ThroughputEstimate(pytest.approx(100), pytest.approx(0))
    assert estimated(parts[:2]) is None


def test_the_error_of_a_throughput_is_that_of_its_seconds() -> None:
    numbers = np.random.default_rng(1).normal(1000, 50, (300, 10)).round().astype(int)
    found = [estimated(seconds(tuple(map(int, row)))) for row in numbers]
    means = [one.mean for one in found if one]
    errors = [one.error for one in found if one]
    assert np.mean(errors) == pytest.approx(np.std(means), rel=0.1)


def test_four_looks_at_equals_err_as_seldom_as_one() -> None:
    numbers = np.random.default_rng(2).normal(95, 5, (1000, 10)).round().astype(int)
    ended = [first_look(seconds(tuple(map(int, row))), ()) != "nothing" for row in numbers]
    assert sum(ended) / len(ended) < 0.05
    assert [share for share, _ in STOPPING_BOUNDS] == [0.25, 0.5, 0.75]
