"""Leaks in driven runs: holds that no request in progress can have."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

from loadtest.analysis.driven.driven_pool import unreturned
from loadtest.analysis.pool_runs import gather
from loadtest.analysis.summarize import summarize_runs
from loadtest.model.interval import SECOND, SERVER, Interval
from loadtest.model.place_use import PlaceUse
from loadtest.model.pool import PoolSettings
from loadtest.model.request_use import IN_PROGRESS
from loadtest.model.summary import Finding, Verdict
from loadtest.runfile.merged_recording import merge
from tests.analysis.builders import interval, level, milliseconds, run
from tests.analysis.driven_pools import COMMAND, driven_pool, findings_of, load, web
from tests.analysis.driven_requests import ORDERS, requested
from tests.runfile.driven_runs import driven, part, read

PLACE = "shop/web.py:12 rows"
LENGTH = 10
POOL = PoolSettings("shop", pool_size=3, max_overflow=0)


def holding(
    number: int = 3,
    *,
    ended_hold: int = 0,
    name: int = 0,
    waits: Sequence[int] = (),
    begin: int = 0,
    **gauges: int,
) -> list[Interval]:
    """A process that holds connections from its first second on, and others that end (ms)."""
    rows = web(name, range(begin, begin + LENGTH), gauges={"in_use": number, **gauges})
    for second, one in enumerate(rows):
        one.places = {PLACE: PlaceUse(kept=number, longest_hold=(second + 1) * SECOND)}
        one.unfinished = milliseconds(waits)
        if ended_hold:
            use = one.places[PLACE]
            use.checkouts = use.holds = 1
            use.hold = ended_hold * SECOND // 1000
            one.histograms[f"hold@{PLACE}"] = milliseconds([ended_hold])
    return rows


def driving(*ages: int, known: bool = True, begin: int = 0) -> list[Interval]:
    """The load, with requests in progress at its end (ms)."""
    rows = load(range(begin, begin + LENGTH))
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


def test_the_lost_connections_of_rounds_do_not_add_up(tmp_path: Path) -> None:
    for number, begin in enumerate((0, 20)):
        path, recordings = driven(tmp_path, driving(30, begin=begin), round_=number + 1)
        rows = holding(name=number, begin=begin)
        part(recordings, rows, process=rows[0].process, pool=POOL)
        merge(path, recordings, {"command": COMMAND})
    (pool,) = gather([read(path) for path in sorted(tmp_path.glob("runs/*.jsonl"))]).pools
    assert findings_of(pool)["leak"].evidence["lost"] == 3
    assert unreturned(pool) == 3


def test_a_pool_that_was_lost_to_a_leak_is_not_said_to_be_too_small(tmp_path: Path) -> None:
    idle = [interval(n, process=SERVER, gauges={"threads_running": 1}) for n in range(LENGTH)]
    requests = [*driving(30), *idle]
    full = web(gauges={"in_use": 3, "waiting": 4})
    assert "pool_bound" in findings_of(driven_pool(tmp_path / "full", requests, full, pool=POOL))
    lost = driven_pool(tmp_path / "lost", requests, holding(waiting=4), pool=POOL)
    assert "pool_bound" not in findings_of(lost)


def compared(folder: Path, lost: int, opened: int) -> Verdict:
    """The verdict about two pools of an application that loses connections."""
    runs = []
    for size in (3, 6):
        path = run(folder, driving(30), f"{size}+0").path
        recordings, rows = path.with_suffix(".app"), holding(lost, open=opened)
        settings = PoolSettings("shop", pool_size=size, max_overflow=0)
        part(recordings, rows, process=rows[0].process, pool=settings)
        merge(path, recordings, {"command": COMMAND})
        runs.append(read(path))
    return summarize_runs(runs).verdict


def test_a_pool_of_an_application_that_lost_its_connections_is_not_recommended(
    tmp_path: Path,
) -> None:
    headline, did, *_ = compared(tmp_path, lost=3, opened=3).text.splitlines()
    assert headline.startswith(
        "No pool can be recommended before the leak is fixed. Requests ended without returning"
    )
    assert "3+0 10.0 (it lost 3 of 3 connections)" in did
    assert did.endswith("The finding names the place in the application's code.")


def test_a_verdict_says_that_a_pool_of_an_application_leaks(tmp_path: Path) -> None:
    text = compared(tmp_path, lost=2, opened=6).text
    assert "With 3+0 connections are returned late or not at all (see the finding leak)." in text
