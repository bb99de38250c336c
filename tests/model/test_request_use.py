"""The requests of one name add up, and their waits are kept by bands of their duration."""

from __future__ import annotations

from collections import Counter
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from loadtest.model.request_use import (
    RequestUse,
    TimeBand,
    band_of,
    is_of_name,
    times_of_name,
)

MILLISECOND = 1_000_000


def test_a_band_is_a_quarter_of_an_octave() -> None:
    edges = [round(1000 * 2 ** (number / 4)) + 1 for number in range(80)]
    assert [band_of(edge) for edge in edges] == list(range(80))
    assert band_of(0) == band_of(999) == band_of(1000) == 0


@given(st.integers(1000, 10**12), st.floats(1, 1.18))
def test_durations_in_a_band_differ_by_less_than_a_fifth(time: int, factor: float) -> None:
    assert 0 <= band_of(round(time * factor)) - band_of(time) <= 1


def test_the_waits_of_requests_are_in_the_bands_of_their_durations() -> None:
    use = RequestUse(count=3)
    use.tell(240 * MILLISECOND, 170 * MILLISECOND)
    use.tell(241 * MILLISECOND, 0)
    use.tell(2 * MILLISECOND, 0)
    slow = TimeBand(2, 481 * MILLISECOND, 170 * MILLISECOND, 170_000**2)
    quick = TimeBand(1, 2 * MILLISECOND)
    assert use.bands == {71: slow, 43: quick}


def test_parts_of_a_request_that_wait_together_wait_no_longer_than_the_request() -> None:
    use = RequestUse()
    use.tell(240 * MILLISECOND, 400 * MILLISECOND)
    assert use.bands == {71: TimeBand(1, 240 * MILLISECOND, 240 * MILLISECOND, 240_000**2)}


def test_requests_add_up_and_both_stay_as_they_were() -> None:
    one = RequestUse(3, 1, 0, 1, Counter({"200": 2, "500": 1}), {4: TimeBand(2, 10, 5, 17)})
    other = RequestUse(
        2, 0, 1, 0, Counter({"200": 2}), {4: TimeBand(1, 4, 0, 3), 5: TimeBand(1, 7, 7, 49)}
    )
    before = one.to_json(), other.to_json()
    both = RequestUse(
        *(5, 1, 1, 1, Counter({"200": 4, "500": 1})),
        {4: TimeBand(3, 14, 5, 20), 5: TimeBand(1, 7, 7, 49)},
    )
    assert one.plus(other) == other.plus(one) == both
    assert (one.to_json(), other.to_json()) == before
    assert RequestUse.from_json(both.to_json()) == both


def test_zeros_are_left_out_of_a_file() -> None:
    assert RequestUse(3).to_json() == {"count": 3}
    assert RequestUse.from_json({"count": 3}) == RequestUse(3)


@pytest.mark.parametrize("failed", [True, False])
def test_histograms_of_names_are_told_from_those_of_all(failed: bool) -> None:
    assert is_of_name(times_of_name("GET /a@b", failed=failed))
    for name in ("request", "failed_request", "abandoned_request", "hold@shop.py:9 order"):
        assert not is_of_name(name)


def test_bands_lie_side_by_side() -> None:
    bands = [band_of(time) for time in range(1000, 100_000, 10)]
    assert {later - earlier for earlier, later in pairwise(bands)} == {0, 1}
