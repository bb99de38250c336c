"""The use of a recorded pool by each place in the application's code."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from loadtest.analysis.recordings.kept_holds import LONG_KEPT
from loadtest.analysis.recordings.recorded_pool import RecordedPool
from loadtest.model.interval import SECOND
from loadtest.model.place_use import USER_ENDED, PlaceUse, Shortage
from loadtest.model.recorded_places import HeldBy, RecordedPlace, RecordedShortage

# An old hold that is shorter than the longest ended one of its place times this may end, too.
LOST_FACTOR = 3
HOLD_OF, NEEDED_OF = "hold@", "needed@"


class _Lost(NamedTuple):
    """Holds that are not expected to end: their number, the age of the oldest, if still held."""

    number: int = 0
    age: float = 0.0
    now: bool = True


def recorded_places(pool: RecordedPool) -> list[RecordedPlace]:
    """The places, the one first that held connections longest in total."""
    whole = pool.total
    total_hold = sum(use.hold for use in whole.places.values())
    total_held = sum(use.held for use in whole.places.values())
    lost = _lost(pool)
    ranked = sorted(whole.places, key=lambda place: (-whole.places[place].hold, place))
    return [
        _place(pool, place, total_hold, total_held, lost.get(place, _Lost())) for place in ranked
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
        nested=use.nested,
        kept=use.kept,
        lost=lost.number,
        lost_age_seconds=lost.age,
        lost_now=lost.now,
        ended_seconds=use.idle_at[USER_ENDED],
        responding_seconds=use.responding,
        after_response_seconds=use.after_response,
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
    found: dict[str, list[_Lost]] = defaultdict(list)
    seconds = pool.by_second
    # Processes before a time without any are gone, as after a round of a driven application.
    end = max([seconds.begin + seconds.length - LONG_KEPT, *(end for _, end in seconds.gaps)])
    for process in pool.processes:
        now = int(process.columns.second.max()) >= end
        for old in process.old_holds:
            found[old.place].append(_Lost(old.number, old.age, now))
    return {
        place: lost
        for place, each in found.items()
        if (lost := _together(each)).age >= LOST_FACTOR * _longest_ended(pool, place)
        and (max(each).number > 1 or pool.total.places.get(place, PlaceUse()).holds)
    }


def _together(each: Sequence[_Lost]) -> _Lost:
    """Of all processes; the connections of a process that ended are free again."""
    now = [lost for lost in each if lost.now]
    if not now:
        return max(each)
    return _Lost(sum(lost.number for lost in now), max(lost.age for lost in now))


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
