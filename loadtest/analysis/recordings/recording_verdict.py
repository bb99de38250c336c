"""The verdict on a recording in words: one sentence a line, the headline first."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from loadtest.analysis.recordings.clock_time import clock_of
from loadtest.analysis.recordings.pool_judgement import (
    checkouts_fail,
    idle_holders,
    is_short,
    leaking_places,
    makes_engines,
    mostly_ended,
)
from loadtest.analysis.units import count, duration, listed, marked_duration, percent, plural
from loadtest.model.recorded_places import RecordedPlace
from loadtest.model.recording_summary import FixValue, RecordedPoolSummary

_CAUSES = {
    "nested_checkout": "Requests took a second connection while they held the first.",
    "null_pool": "NullPool connected for each checkout.",
    "several_engines": "A process has several engines with the same settings.",
}


def recording_verdict(pools: Sequence[RecordedPoolSummary]) -> str:
    """The verdict on all pools: first those with a finding."""
    wrong = [pool for pool in pools if pool.findings]
    if not wrong:
        return "\n".join(map(_nothing_wrong, pools))
    return "\n".join(line for pool in wrong for line in _wrong(pool))


def _nothing_wrong(pool: RecordedPoolSummary) -> str:
    used, allowed = pool.connections.in_use_most, pool.connections.allowed
    of = f" of {count(allowed)}" if allowed else ""
    waits = pool.checkout.wait_seconds
    waited = f", and no checkout waited longer than {duration(waits.max)}"
    if "max" in waits.at_least:
        waited = f", and the longest wait is {marked_duration(waits, 'max')}"
    if waits.max is None:
        waited = ""
    return (
        f"Nothing was wrong with the pool of `{pool.name}`: at most {count(used)}{of} connections "
        f"were in use at once{waited}."
    )


def _wrong(pool: RecordedPoolSummary) -> Iterator[str]:
    yield " ".join(filter(None, [_how_full(pool), _cause(pool)]))
    if pool.checkout.timeouts:
        share = percent(pool.checkout.timeouts / pool.checkout.attempts)
        yield f"{plural(pool.checkout.timeouts, 'checkout')} timed out ({share})."
    if checkouts_fail(pool):
        share = percent(pool.checkout.errors / pool.checkout.attempts)
        yield f"{plural(pool.checkout.errors, 'checkout')} failed ({share})."
    if pool.fix:
        yield fix_sentence(pool.fix)


def _how_full(pool: RecordedPoolSummary) -> str:
    if not is_short(pool):
        limited = pool.connections.allowed is not None
        how = "was large enough" if limited else "has no limit"
        return f"The pool of `{pool.name}` {how}."
    first, last = pool.full[0], pool.full[-1]
    begin, end = map(clock_of(pool.begin, pool.end), (first.begin, last.end))
    when = f"from {begin} UTC"
    if len(pool.full) > 1:
        when = f"in {count(len(pool.full))} periods from {begin} to {end} UTC"
    return f"The pool of `{pool.name}` was full for {duration(pool.full_seconds)} {when}."


def _cause(pool: RecordedPoolSummary) -> str:
    """The most important cause in short."""
    if leaking := leaking_places(pool):
        places = listed([f"`{place.place}`{_number_lost(place)}" for place in leaking])
        lost = any(place.lost for place in leaking)
        how = "not returned" if lost else "in use after their task, greenlet or thread had ended"
        return f"Connections were {how}: {places}."
    if makes_engines(pool):
        return "Engines were made or disposed of repeatedly. Therefore many checkouts connected."
    if idle := idle_holders(pool):
        return (
            f"{percent(idle[0].idle)} of the time in use, `{idle[0].place}` held a connection "
            "without running a query."
        )
    codes = [finding.code for finding in pool.findings]
    told = next((text for code, text in _CAUSES.items() if code in codes), "")
    return told or _time_in_queries(pool)


def _number_lost(place: RecordedPlace) -> str:
    return f" ({count(place.lost)})" if place.lost else ""


def _time_in_queries(pool: RecordedPoolSummary) -> str:
    if not mostly_ended(pool):
        return ""
    querying = 1 - sum(place.idle for place in pool.places)
    return f"{percent(querying)} of the time in use, connections ran queries."


def fix_sentence(fix: FixValue) -> str:
    """The value of a fix, as a sentence."""
    places = listed([f"`{place}`" for place in fix.places])
    returned = f"{places} return{'s the connection' if len(fix.places) == 1 else ' connections'}"
    before = f"the call at `{fix.line}`" if fix.line else "the longest time without a query"
    each = " of each process" if fix.processes > 1 else ""
    return (
        f"If {returned} before {before}, {plural(fix.after, 'connection')}{each} "
        f"{'serves' if fix.after == 1 else 'serve'} what {count(fix.now)} serve now (simulated "
        "at the rate of the busiest time)."
    )
