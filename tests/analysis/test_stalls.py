"""Stalls of the generator, from how late it was."""

from __future__ import annotations

import random

import pytest

from loadtest.analysis.prediction.stalls import Stalls, Turns, stalls
from loadtest.model.distribution import Distribution


def lateness(lengths: dict[float, float], seconds: float) -> Distribution:
    """The lags of a clock read every millisecond. lengths: of stalls, with their rate (1/s)."""
    numbers = random.Random(1)
    late: dict[int, int] = {}
    for length, rate in lengths.items():
        for _ in range(round(rate * seconds)):
            begin = numbers.random() * seconds
            for moment in range(int(begin * 1000) + 1, int((begin + length) * 1000) + 1):
                rest = round((begin + length) * 1e9 - moment * 1e6)
                late[moment] = max(late.get(moment, 0), rest)
    never = round(seconds * 1000) - len(late)
    return Distribution.of([*late.values(), *[0] * never])


class TestStalls:
    """What they must have been."""

    def test_of_one_length(self) -> None:
        found = stalls(lateness({0.05: 0.5}, 400))

        assert found.mean_delay == pytest.approx(0.5 * 0.05**2 / 2, rel=0.1)
        long = sum(
            rate for rate, length in zip(found.rates, found.lengths, strict=True) if length > 0.04
        )
        assert long == pytest.approx(0.5, rel=0.2)

    def test_of_two_lengths(self) -> None:
        found = stalls(lateness({0.01: 3.0, 0.1: 0.3}, 400))

        pairs = list(zip(found.rates, found.lengths, strict=True))
        assert sum(rate for rate, length in pairs if length > 0.07) == pytest.approx(0.3, rel=0.25)
        assert sum(rate for rate, length in pairs if length < 0.02) == pytest.approx(3.0, rel=0.25)

    def test_a_generator_that_is_never_late_never_stood_still(self) -> None:
        assert stalls(Distribution.of([0] * 1000)) == Stalls()
        assert stalls(Distribution()) == Stalls()

    def test_moments_do_not_count(self) -> None:
        assert stalls(Distribution.of([0] * 900 + [200_000] * 100)).rates == ()


class TestTurns:
    """Who is due meets what is left of a stall."""

    def test_they_are_as_late_as_the_stalls_say(self) -> None:
        still, turns = Stalls((0.01, 0.1), (2.0, 0.2)), Turns(random.Random(1))
        late = [turns.after(n / 1000, still) - n / 1000 for n in range(2_000_000)]

        # Stalls that meet make it a little more than the sum of both.
        assert sum(late) / len(late) == pytest.approx(still.mean_delay, rel=0.1)
        assert stalls(
            Distribution.of([round(seconds * 1e9) for seconds in late])
        ).mean_delay == pytest.approx(still.mean_delay, rel=0.1)

    def test_all_who_are_due_meanwhile_get_theirs_at_the_same_moment(self) -> None:
        turns, still = Turns(random.Random(1)), Stalls((5.0,), (0.1,))
        found = [turns.after(n / 100, still) for n in range(10_000)]
        late = [one for n, one in enumerate(found) if one > n / 100 + 1e-9]

        assert 200 < len(late) / len(set(late)) < 1000

    def test_without_stalls_everybody_is_in_time(self) -> None:
        turns = Turns(random.Random(1))
        assert [turns.after(n, Stalls()) for n in (1.0, 2.0)] == [1.0, 2.0]
