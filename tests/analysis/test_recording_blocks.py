"""What is kept of a recording while it is read: blocks of seconds, and holds in progress."""

from __future__ import annotations

import pytest

from loadtest.analysis.recordings.blocks import Blocks
from loadtest.analysis.recordings.kept_holds import KeptHolds
from loadtest.model.interval import Interval
from loadtest.model.place_use import PlaceUse
from tests.analysis.builders import SECOND, START, interval


def blocks_of(lengths: list[int]) -> Blocks:
    """Blocks of successive intervals of these lengths (s), with a checkout each."""
    blocks, begin = Blocks(), -START % 60
    for length in lengths:
        blocks.add(interval(begin, length=length * SECOND, counters={"checkouts": 1}))
        begin += length
    return blocks


@pytest.mark.parametrize("stopped", [16, 60, 4000])
def test_a_process_that_was_stopped_does_not_make_all_blocks_long(stopped: int) -> None:
    blocks = blocks_of([1] * 10 + [stopped] + [1] * 10)
    assert blocks.seconds == 1
    lengths = [one.length // SECOND for one in blocks.by_begin().values()]
    assert lengths == [1] * 10 + [stopped] + [1] * 10


def test_a_recording_over_its_size_limit_has_blocks_of_ten_seconds() -> None:
    blocks = blocks_of([1] * 10 + [10] * 3)
    assert blocks.seconds == 10
    assert [one.counters["checkouts"] for one in blocks.by_begin().values()] == [10, 1, 1, 1]


def test_a_leak_after_the_clock_was_set_back_is_found() -> None:
    """By an hour: 40 seconds later the same connection is still held."""
    kept = KeptHolds()
    for number in range(100):
        second = number if number < 60 else number - 3600
        kept.add(leaking(second, max(0, number - 60)))
    (found,) = kept.old()
    assert (found.place, found.number) == ("shop.py:1 leak", 1)


def leaking(second: int, age: int) -> Interval:
    """An interval with a hold of this age (s) in progress; none at zero."""
    one = interval(second)
    if age:
        one.places = {"shop.py:1 leak": PlaceUse(kept=1, longest_hold=age * SECOND)}
    return one
