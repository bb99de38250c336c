"""The use of a recorded pool by each place in the application's code."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from typing import NamedTuple

from loadtest.analysis.recordings.recorded_pool import RecordedPool
from loadtest.model.interval import SECOND
from loadtest.model.place_use import PlaceUse, Shortage
from loadtest.model.recording_summary import HeldBy, RecordedPlace, RecordedShortage

# An old hold that is shorter than the longest ended one of its place times this may end, too.
LOST_FACTOR = 3
HOLD_OF, NEEDED_OF = "hold@", "needed@"


class _Lost(NamedTuple):
    number: int
    age: float


def recorded_places(pool: RecordedPool) -> list[RecordedPlace]:
    """The places, the one first that held connections longest in total."""
    whole = pool.total
    total_hold = sum(use.hold for use in whole.places.values())
    total_held = sum(use.held for use in whole.places.values())
    lost = _lost(pool)
    ranked = sorted(whole.places, key=lambda place: (-whole.places[place].hold, place))
    return [
        _place(pool, place, total_hold, total_held, lost.get(place, _Lost(0, 0.0)))
        for place in ranked
    ]


def _place(
    pool: RecordedPool, name: str, total_hold: int, total_held: int, lost: _Lost
) -> RecordedPlace:
    use, times = pool.total.places[name], pool.total.histograms.get(HOLD_OF + name)
    attempts = use.checkouts + use.timeouts + use.errors
    return RecordedPlace(
        place=name,
        checkouts=use.checkouts,
        timeouts=use.timeouts,
        errors=use.errors,
        wait_seconds_mean=use.wait / attempts / SECOND if attempts else None,
        wait_seconds_max=use.longest_wait / SECOND,
        holds=use.holds,
        hold_seconds_mean=use.hold / use.holds / SECOND if use.holds else None,
        hold_seconds_p95=times.percentile_seconds(95) if times else None,
        hold_seconds_max=use.longest_hold / SECOND,
        querying=min(1.0, use.query / use.hold) if use.hold else None,
        idle_seconds_mean=(use.hold - use.needed) / use.holds / SECOND if use.holds else None,
        idle=max(0, use.hold - use.query) / total_hold if total_hold else 0.0,
        held=use.held / total_held if total_held else 0.0,
        kept=use.kept,
        lost=lost.number,
        lost_age_seconds=lost.age,
        idle_at=_shares(use.idle_at),
        routes=dict(sorted(use.routes.items(), key=lambda one: (-one[1], one[0]))),
    )


def _shares(counts: Mapping[str, int]) -> dict[str, float]:
    whole = sum(counts.values())
    ranked = sorted(counts.items(), key=lambda one: (-one[1], one[0]))
    return {name: number / whole for name, number in ranked if number}


def _lost(pool: RecordedPool) -> dict[str, _Lost]:
    """The old holds of each place that are not expected to end, over all processes.

    One hold of a place that never took another connection may be meant to last.
    """
    numbers: dict[str, int] = defaultdict(int)
    ages: dict[str, float] = defaultdict(float)
    for old in (old for process in pool.processes for old in process.old_holds):
        numbers[old.place] += old.number
        ages[old.place] = max(ages[old.place], old.age)
    return {
        place: _Lost(number, ages[place])
        for place, number in numbers.items()
        if ages[place] >= LOST_FACTOR * _longest_ended(pool, place)
        and (number > 1 or pool.total.places.get(place, PlaceUse()).holds)
    }


def _longest_ended(pool: RecordedPool, place: str) -> float:
    times = pool.total.histograms.get(HOLD_OF + place)
    return times.max / SECOND if times else 0.0


def recorded_shortages(pool: RecordedPool) -> list[RecordedShortage]:
    """The longest waits, the longest first."""
    return [_shortage(one) for one in pool.total.shortages]


def _shortage(one: Shortage) -> RecordedShortage:
    held = sorted(one.holders, key=lambda holders: (-holders.connections, holders.place))
    return RecordedShortage(
        at=one.at / SECOND,
        wait_seconds=one.wait / SECOND,
        timed_out=one.timed_out,
        place=one.place,
        holders=tuple(
            HeldBy(
                place=holders.place,
                connections=holders.connections,
                oldest_seconds=holders.oldest / SECOND,
            )
            for holders in held
        ),
    )
