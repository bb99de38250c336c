"""When arrivals are due in an open loop, and what happens to those that find no free user."""

from __future__ import annotations

import math
import random
from argparse import Namespace
from collections.abc import Callable
from itertools import islice, pairwise, repeat

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from scipy import stats

from loadtest.load.users import arrivals
from loadtest.load.users.arrivals import (
    LEAST_SLEEP,
    NEVER,
    Arrivals,
    Piece,
    due_times,
    even_gaps,
    poisson_gaps,
    schedule,
)

SECOND = 1_000_000_000
RATES = st.just(0.0) | st.floats(0.01, 20)
PIECES = st.lists(st.builds(Piece, st.floats(0.01, 10), RATES, RATES), min_size=1, max_size=4)


def expected_until(pieces: list[Piece], time: float) -> float:
    """How many arrivals are expected until then: the rate, integrated numerically."""
    expected = 0.0
    for piece in pieces:
        grid = np.linspace(0, min(max(time, 0.0), piece.seconds), 3)
        rates = piece.start + (piece.end - piece.start) * grid / piece.seconds
        expected += float(np.trapezoid(rates, grid))  # exact: the rate is a straight line
        time -= piece.seconds
    return expected


def test_a_constant_rate_spaces_even_gaps_evenly() -> None:
    times = due_times([Piece(math.inf, 4, 4)], repeat(1.0))

    assert list(islice(times, 6)) == [0.25, 0.5, 0.75, 1, 1.25, 1.5]


def test_of_a_rising_rate_half_of_the_arrivals_come_in_the_last_three_tenths() -> None:
    times = list(due_times([Piece(10, 0, 20)], repeat(1.0)))

    assert len(times) == 100
    assert times[0] == 1  # t² = 1
    assert times[49] == pytest.approx(math.sqrt(50))
    assert times[99] == 10


def test_a_falling_rate_is_a_rising_one_backwards() -> None:
    rising = list(due_times([Piece(10, 3, 20)], even_gaps(0, 2)))
    falling = list(due_times([Piece(10, 20, 3)], even_gaps(0, 2)))

    assert len(rising) == len(falling) == 115
    assert [10 - time for time in reversed(falling)] == pytest.approx(rising)


def test_nothing_is_due_while_the_rate_is_zero() -> None:
    pieces = [Piece(2, 3, 3), Piece(5, 0, 0), Piece(1, 3, 3)]
    times = list(due_times(pieces, even_gaps(0, 2)))  # half a gap before the first one

    assert times == pytest.approx(
        [1 / 6, 3 / 6, 5 / 6, 7 / 6, 9 / 6, 11 / 6, 43 / 6, 45 / 6, 47 / 6]
    )


def test_an_endless_pause_ends_a_schedule() -> None:
    assert list(due_times([Piece(1, 2, 2), Piece(math.inf, 0, 0)], repeat(1.0))) == [0.5, 1]


@settings(deadline=None)
@given(PIECES, st.floats(0.5, 5))
@example([Piece(7, 0.3, 0)], 1.05)  # as many as are expected at most, the last at a rate of zero
def test_arrivals_are_due_when_so_many_are_expected(pieces: list[Piece], gap: float) -> None:
    times = list(due_times(pieces, repeat(gap)))

    whole = sum((piece.start + piece.end) / 2 * piece.seconds for piece in pieces)
    assert len(times) in (math.floor(whole / gap - 1e-6), math.floor(whole / gap + 1e-6))
    assert all(earlier <= later for earlier, later in pairwise(times))
    for number, time in enumerate(times, start=1):
        assert expected_until(pieces, time) == pytest.approx(number * gap, rel=1e-6, abs=1e-6)


@settings(deadline=None)
@given(st.integers(1, 7), st.floats(0.5, 500))
def test_even_arrivals_of_several_processes_lie_exactly_between_each_other(
    processes: int, rate: float
) -> None:
    share = rate / processes
    times = sorted(
        time
        for index in range(processes)
        for time in islice(
            due_times([Piece(math.inf, share, share)], even_gaps(index, processes)), 20
        )
    )

    assert times == pytest.approx([number / rate for number in range(1, 20 * processes + 1)])


def test_poisson_arrivals_at_a_changing_rate_are_as_many_as_expected_and_independent() -> None:
    pieces = [Piece(100, 5, 15), Piece(50, 15, 15), Piece(50, 0, 0), Piece(200, 15, 5)]
    times = list(due_times(pieces, poisson_gaps(random.Random(1))))

    whole = sum(piece.expected for piece in pieces)
    assert whole == 3750
    assert 0.01 < stats.poisson.cdf(len(times), whole) < 0.99
    gaps = np.diff([expected_until(pieces, time) for time in times])
    assert stats.kstest(gaps, "expon").pvalue > 0.01
    assert abs(stats.pearsonr(gaps[1:], gaps[:-1]).statistic) < 3 / math.sqrt(len(gaps))


def options(**more: object) -> Namespace:
    given = {"arrival_rate": 20.0, "arrivals": "poisson", "drop_after": 1.0, "rate_shared_by": 1}
    return Namespace(**{"seed": 1, "stages": "", "warmup": "0s", **given, **more})


class Time:
    """A clock that a test sets (ns)."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now = 5 * SECOND
        monkeypatch.setattr(arrivals, "clock", lambda: self.now)

    def started(self, arrivals: Arrivals | None) -> Arrivals:
        """Arrivals whose seconds count from now on."""
        assert arrivals
        self.now = 5 * SECOND - LEAST_SLEEP
        arrivals.start()
        self.at(0)
        return arrivals

    def at(self, seconds: float) -> None:
        """A clock reading this number of seconds after the start of the arrivals."""
        self.now = 5 * SECOND + round(seconds * SECOND)

    def of(self, due: int) -> float:
        """A clock reading in these seconds."""
        return (due - 5 * SECOND) / SECOND


@pytest.fixture
def time(monkeypatch: pytest.MonkeyPatch) -> Time:
    return Time(monkeypatch)


def taken(arrivals: Arrivals, time: Time, count: int) -> list[float]:
    """The next arrivals in seconds, all taken at once."""
    return [time.of(arrivals.take()) for _ in range(count)]


def test_a_closed_loop_has_no_schedule() -> None:
    assert schedule(options(arrival_rate=0.0), 0) is None


def test_a_schedule_is_the_same_in_every_run_and_another_in_each_process(time: Time) -> None:
    def first(**more: object) -> list[float]:
        index = more.pop("index", 0)
        return taken(time.started(schedule(options(**more), index)), time, 50)  # type: ignore[arg-type]

    assert first() == first()
    several = [first(), first(seed=2), first(index=1), first(index=2)]
    assert len({tuple(times) for times in several}) == 4
    assert all(times == sorted(times) for times in several)


def test_processes_share_the_rate(time: Time) -> None:
    whole = [
        due
        for index in range(4)
        for due in taken(
            time.started(schedule(options(rate_shared_by=4, arrivals="even"), index)), time, 10
        )
    ]

    assert sorted(whole) == pytest.approx([number / 20 for number in range(1, 41)], abs=1e-9)


def test_a_worker_that_came_later_fills_the_place_of_one_that_went(time: Time) -> None:
    shared = options(rate_shared_by=2, arrivals="even")

    first, later = (taken(time.started(schedule(shared, index)), time, 5) for index in (1, 3))
    assert first == later


def test_nothing_is_due_before_a_schedule_has_begun(time: Time) -> None:
    arrivals = Arrivals(iter([0.0, 1.0]), drop_after=0.5)
    time.at(100)

    assert (arrivals.arrived(), arrivals.dropped()) == (0, 0)
    assert taken(time.started(arrivals), time, 2) == [0, 1]


def test_arrivals_are_taken_in_order_also_before_they_are_due(time: Time) -> None:
    arrivals = time.started(Arrivals(iter([1.0, 2.0, 3.0]), drop_after=1))

    assert taken(arrivals, time, 2) == [1, 2]
    time.at(3.5)
    assert taken(arrivals, time, 1) == [3]


def test_arrived_are_exactly_those_that_are_due_whoever_took_them(time: Time) -> None:
    arrivals = time.started(Arrivals(iter([1.0, 2.0, 3.0, 4.0]), drop_after=10))
    taken(arrivals, time, 2)

    counts = []
    for now in (0, 0.999999999, 1, 1.5, 3, 100):
        time.at(now)
        counts.append(arrivals.arrived())

    assert counts == [0, 0, 1, 1, 3, 4]


def test_an_arrival_overdue_for_too_long_is_dropped_and_counted_once(time: Time) -> None:
    arrivals = time.started(Arrivals(iter([1.0, 2.0, 3.0]), drop_after=0.5))

    time.at(1.5)
    assert (arrivals.arrived(), arrivals.dropped()) == (1, 0)  # exactly as long as it may be
    time.at(2.500000001)
    assert [arrivals.dropped(), arrivals.dropped()] == [2, 2]
    assert taken(arrivals, time, 1) == [3]
    time.at(9)
    assert (arrivals.arrived(), arrivals.dropped()) == (3, 2)


def test_after_the_end_of_a_schedule_there_is_nothing_to_wait_for(time: Time) -> None:
    arrivals = time.started(Arrivals(iter([1.0]), drop_after=0.5))
    time.at(0.5)

    assert taken(arrivals, time, 1) == [1]
    assert [arrivals.take() for _ in range(3)] == [NEVER] * 3
    time.at(3600)
    assert arrivals.take() == NEVER
    assert (arrivals.arrived(), arrivals.dropped()) == (1, 0)


@settings(deadline=None)
@given(
    gaps=st.lists(st.floats(0, 2), max_size=30),
    steps=st.lists(
        st.tuples(st.floats(0, 3), st.sampled_from(["take", "arrived", "dropped"])), max_size=40
    ),
    drop_after=st.floats(0.1, 3),
)
def test_every_arrival_is_taken_or_dropped_or_still_waits(
    gaps: list[float], steps: list[tuple[float, str]], drop_after: float
) -> None:
    with pytest.MonkeyPatch.context() as monkeypatch:
        time = Time(monkeypatch)
        due = [float(sum(gaps[:number])) for number in range(1, len(gaps) + 1)]
        arrivals = time.started(Arrivals(iter(due), drop_after))
        mine, now = [], 0.0
        for wait, call in steps:
            now += wait
            time.at(now)
            ask: Callable[[], int] = getattr(arrivals, call)
            answer = ask()
            mine += [answer] if call == "take" else []
        arrived, dropped = arrivals.arrived(), arrivals.dropped()

        assert mine == sorted(mine)
        begun = sum(moment <= time.now for moment in mine)
        left = [moment for moment in arrivals._untaken if moment <= time.now]
        assert arrived == sum(5 * SECOND + round(t * SECOND) <= time.now for t in due)
        assert arrived == begun + dropped + len(left)
        assert all(time.now - moment <= round(drop_after * SECOND) for moment in left)
