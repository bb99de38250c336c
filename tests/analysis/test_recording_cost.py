"""Reading a long recording takes little memory and time: what is not looked at is not kept."""

from __future__ import annotations

from pathlib import Path

from loadtest.model.interval import SECOND, Interval, total
from loadtest.model.place_use import PlaceUse
from tests.analysis.recorded_pools import recorded
from tests.analysis.recorded_shop import LIST, PAY, paying, quick, second


def test_the_seconds_of_places_are_not_kept(tmp_path: Path) -> None:
    pool = recorded(tmp_path, [second(n, {PAY: paying(), LIST: quick()}) for n in range(3)])
    (process,) = pool.processes
    assert set(process.columns.times) == {"wait", "hold"}
    assert {f"hold@{PAY}", f"needed@{LIST}"} <= pool.total.histograms.keys()


def test_a_total_takes_new_intervals_without_copying_its_places() -> None:
    whole = total([Interval(0, places={PAY: PlaceUse(checkouts=1, kept=1, longest_hold=5)})])
    kept = whole.places[PAY]
    later = Interval(1, places={PAY: PlaceUse(checkouts=2, kept=2, longest_hold=3)})
    whole.absorb(later)
    assert whole.places[PAY] is kept
    assert kept == PlaceUse(checkouts=3, kept=2, longest_hold=5)
    assert later.places[PAY] == PlaceUse(checkouts=2, kept=2, longest_hold=3)


def test_a_place_that_is_not_in_a_later_interval_keeps_nothing() -> None:
    first = Interval(0, places={PAY: PlaceUse(checkouts=1, kept=1, hold=SECOND)})
    whole = total([first, Interval(1, places={LIST: PlaceUse(kept=3)})])
    assert whole.places == {PAY: PlaceUse(checkouts=1, hold=SECOND), LIST: PlaceUse(kept=3)}
    assert first.places[PAY].kept == 1
