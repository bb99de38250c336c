"""Leaks in driven runs: holds that no request in progress can have."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

from loadtest.model.interval import SECOND, Interval
from loadtest.model.place_use import PlaceUse
from loadtest.model.pool import PoolSettings
from loadtest.model.request_use import IN_PROGRESS
from loadtest.model.summary import Finding
from tests.analysis.builders import level, milliseconds
from tests.analysis.driven_pools import driven_pool, findings_of, load, web
from tests.analysis.driven_requests import ORDERS, requested

PLACE = "shop/web.py:12 rows"
LENGTH = 10
POOL = PoolSettings("shop", pool_size=3, max_overflow=0)


def holding(
    number: int = 3, *, ended_hold: int = 0, name: int = 0, waits: Sequence[int] = ()
) -> list[Interval]:
    """A process that holds connections from its first second on, and others that end (ms)."""
    rows = web(name, range(LENGTH), gauges={"in_use": number})
    for second, one in enumerate(rows):
        one.places = {PLACE: PlaceUse(kept=number, longest_hold=(second + 1) * SECOND)}
        one.unfinished = milliseconds(waits)
        if ended_hold:
            use = one.places[PLACE]
            use.checkouts = use.holds = 1
            use.hold = ended_hold * SECOND // 1000
            one.histograms[f"hold@{PLACE}"] = milliseconds([ended_hold])
    return rows


def driving(*ages: int, known: bool = True) -> list[Interval]:
    """The load, with requests in progress at its end (ms)."""
    rows = load(range(LENGTH))
    for one in rows:
        requested(one, ORDERS, [], unfinished=ages)
        if known:
            one.gauges[IN_PROGRESS] = level(len(ages))
        else:
            one.gauges.pop(IN_PROGRESS, None)
    return rows


def leak(folder: Path, requests: list[Interval], *processes: list[Interval]) -> Finding | None:
    return findings_of(driven_pool(folder, requests, *processes, pool=POOL)).get("leak")


def test_holds_without_a_request_are_a_leak_after_a_few_seconds(tmp_path: Path) -> None:
    found = leak(tmp_path, driving(30, 400), holding())
    assert found
    assert (found.severity, found.evidence["lost"]) == ("error", 3)
    assert f"`{PLACE}` does not return its connections: 3 of 3 are still held" in found.message


def test_slow_requests_and_streams_hold_their_connections(tmp_path: Path) -> None:
    assert leak(tmp_path / "all", driving(9000, 9500, 9900), holding()) is None
    found = leak(tmp_path / "one", driving(9900, 200), holding())
    assert found
    assert found.evidence["lost"] == 2


def test_requests_that_wait_for_the_pool_hold_none(tmp_path: Path) -> None:
    stuck = [9000] * 8
    found = leak(tmp_path, driving(*stuck), holding(waits=[8900] * 8))
    assert found
    assert found.evidence["lost"] == 3


def test_requests_that_no_thread_serves_hold_none(tmp_path: Path) -> None:
    pool = driven_pool(
        tmp_path,
        driving(*[9000] * 12),
        holding(waits=[8900] * 4),
        command="gunicorn --threads 4 shop:app",
        pool=POOL,
    )
    assert findings_of(pool)["leak"].evidence["lost"] == 3


def test_long_holds_that_end_are_no_leak(tmp_path: Path) -> None:
    # A background task after the response: no request is in progress, but its holds end.
    assert leak(tmp_path / "long", driving(30), holding(ended_hold=4000)) is None
    assert leak(tmp_path / "short", driving(30), holding(ended_hold=100))


def test_one_hold_for_the_life_of_a_process_is_no_leak(tmp_path: Path) -> None:
    assert leak(tmp_path, driving(30), holding(1), holding(1, name=1)) is None


@pytest.mark.parametrize("known", [True, False])
def test_unknown_requests_may_hold_them(tmp_path: Path, known: bool) -> None:
    assert bool(leak(tmp_path, driving(known=known), holding())) is known
