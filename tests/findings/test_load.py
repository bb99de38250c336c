"""What is found in a load that was not what was asked for, or that a stall hid from itself."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

from loadtest.analysis.summarize import summarize_runs
from loadtest.model.interval import Interval
from loadtest.runfile.reader import Run
from tests.analysis.builders import SECOND, header, interval, run
from tests.findings.runs import Found, found

OPEN = {"users": 40, "arrival_rate": 100.0, "arrivals": "poisson", "drop_after": 2.5}


def _open(folder: Path, dropped: int, round_: int = 1, arrivals: int = 100) -> Run:
    load = {**header()["load"], **OPEN}
    counters = {"arrivals": arrivals, "dropped": dropped, "requests": arrivals - dropped}
    seconds = [interval(n, counters=counters, schedule_lag=[3] * 80) for n in range(5)]
    return run(folder, seconds, round_=round_, load=load)


@pytest.mark.parametrize(
    ("dropped", "severity"), [(0, None), (1, "warning"), (2, "error"), (100, "error")]
)
def test_dropped_arrivals_are_told_and_more_than_one_in_a_hundred_are_serious(
    tmp_path: Path, dropped: int, severity: str | None
) -> None:
    finding = found(_open(tmp_path, dropped)).get("dropped_arrivals")

    assert (finding.severity if finding else None) == severity
    if finding:
        assert finding.evidence == {"dropped": 5 * dropped, "arrivals": 500}


def test_they_are_told_with_what_was_asked(tmp_path: Path) -> None:
    finding = found(_open(tmp_path, 20), _open(tmp_path, 40, round_=2))["dropped_arrivals"]

    assert finding.evidence == {"dropped": 300, "arrivals": 1000}
    message = finding.message.replace("\xa0", " ")
    assert message.startswith(
        "300 of 1,000 arrivals (30 %) were dropped: none of 40 users was free "
    )
    assert "less than the offered rate, 100 requests per second" in message


def test_the_summary_of_an_open_loop_has_its_arrivals(tmp_path: Path) -> None:
    (pool,) = summarize_runs([_open(tmp_path, 20), _open(tmp_path, 40, round_=2)]).pools

    assert pool.arrivals
    assert pool.arrivals.offered_per_second == 100
    assert pool.arrivals.begun_per_second == 80
    assert pool.arrivals.dropped == pool.dropped == 300
    assert pool.schedule_lag_seconds.p50 == pytest.approx(0.003, rel=0.01)


def test_a_closed_loop_has_none(tmp_path: Path) -> None:
    (pool,) = summarize_runs([_closed(tmp_path, [100] * 5)]).pools

    assert pool.arrivals is None
    assert pool.schedule_lag_seconds.p50 is None


def test_arrivals_of_two_processes_stand_beside_each_other(tmp_path: Path) -> None:
    counters = {"arrivals": 30, "requests": 30}
    seconds = [
        interval(n, process=name, counters=counters, schedule_lag=[1] * 30)
        for n in range(3)
        for name in ("p1", "p2")
    ]
    (pool,) = summarize_runs([run(tmp_path, seconds)]).pools

    assert pool.arrivals
    assert (pool.arrivals.offered_per_second, pool.arrivals.begun_per_second) == (60, 60)


def _seconds(requests: Sequence[int], length: int = SECOND, **more: int) -> list[Interval]:
    counted = enumerate(requests)
    return [
        interval(second, length=length, counters={"requests": count, **more}, request=[20] * 50)
        for second, count in counted
    ]


def _closed(folder: Path, requests: Sequence[int], round_: int = 1) -> Run:
    return run(folder, _seconds(requests), round_=round_)


def _stall(*runs: Run) -> dict[str, object] | None:
    findings: Found = found(*runs)
    return dict(findings["unseen_stall"].evidence) if "unseen_stall" in findings else None


def test_a_stall_in_a_closed_loop_is_told_with_what_was_never_sent(tmp_path: Path) -> None:
    stalled = _closed(tmp_path, [100, 100, 100, 0, 10, 100, 100, 100, 100, 100])

    assert _stall(stalled) == {"seconds": 2, "never_sent": 190, "usual": 100}
    finding = found(stalled)["unseen_stall"]
    assert finding.severity == "warning"
    message = finding.message.replace("\xa0", " ")
    assert message.startswith(
        "In 2 seconds the rate of requests was less than half of the usual 100"
    )
    assert "About 190 requests" in message
    assert message.endswith("--arrival-rate 100.")


@pytest.mark.parametrize(
    "requests",
    [
        [100] * 10,
        [100, 51, 100, 100, 50, 100, 100, 100, 100, 100],  # half of the usual is no stall
        [100, 100, 0, 100],  # too short to say what is usual
        [120, 80] * 5,
        [0] * 10,
        [10, 20, 30, 40, 50, 60, 70, 80, 90, *[100] * 11],  # users are still coming
        [1, 0, 1, 1, 0, 1, 0, 1, 1, 0],  # a user whose task takes longer than a second
        [6, 2, 9, 6, 1, 8, 6, 2, 7, 6],  # chance
    ],
    ids=str,
)
def test_what_is_no_stall_is_not_told(tmp_path: Path, requests: list[int]) -> None:
    assert _stall(_closed(tmp_path, requests)) is None


@pytest.mark.parametrize(("users", "told"), [(51, False), (50, True), (10, True)])
def test_users_who_ask_in_step_have_no_stall(tmp_path: Path, users: int, told: bool) -> None:
    """Where each asks less than once a second, a second without requests says nothing."""
    seconds = [
        interval(second, counters={"requests": requests}, gauges={"users": users})
        for second, requests in enumerate([100, 0] * 5)
    ]

    assert (_stall(run(tmp_path, seconds)) is not None) == told


def test_too_few_to_change_the_p99_are_not_told(tmp_path: Path) -> None:
    assert _stall(_closed(tmp_path, [100] * 99 + [0])) == {
        "seconds": 1,
        "never_sent": 100,
        "usual": 100,
    }
    assert _stall(_closed(tmp_path, [100] * 102 + [0])) is None


def test_every_round_has_its_own_usual_rate(tmp_path: Path) -> None:
    slow = _closed(tmp_path, [40] * 10)
    fast = _closed(tmp_path, [100] * 9 + [0], round_=2)

    assert _stall(slow, fast) == {"seconds": 1, "never_sent": 100, "usual": 70}


def test_processes_are_added_up_before_a_second_counts_as_stalled(tmp_path: Path) -> None:
    seconds = [
        interval(n, process=name, counters={"requests": 0 if busy == n % 2 else 100})
        for n in range(10)
        for busy, name in enumerate(("p1", "p2"))
    ]

    assert _stall(run(tmp_path, seconds)) is None


def test_the_beginning_and_the_end_of_a_second_are_compared_by_their_rate(tmp_path: Path) -> None:
    whole = _seconds([100] * 8)
    first = interval(8, length=SECOND * 6 // 10, counters={"requests": 60})
    short = interval(9, length=SECOND // 10, counters={"requests": 0})

    assert _stall(run(tmp_path, [*whole, first, short])) is None


def test_an_open_loop_has_seen_its_stalls(tmp_path: Path) -> None:
    seconds = _seconds([100, 100, 100, 0, 0, 100, 100, 100], arrivals=100)

    assert _stall(run(tmp_path, seconds)) is None


def test_a_load_in_stages_has_no_usual_rate(tmp_path: Path) -> None:
    stages = [
        {"name": "rush", "duration": 8, "users": 9},
        {"name": "calm", "duration": 2, "users": 1},
    ]
    load = {**header()["load"], "stages": stages}

    assert _stall(run(tmp_path, _seconds([*[100] * 8, 10, 10]), load=load)) is None


def test_the_warm_up_is_not_part_of_it(tmp_path: Path) -> None:
    seconds = _seconds([0, 0, *[100] * 8])
    for one in seconds[:2]:
        one.period = "warmup"

    assert _stall(run(tmp_path, seconds)) is None


@pytest.mark.parametrize("arrivals", [0, 1000])
def test_users_with_nothing_to_do_are_missed_in_a_closed_loop_only(
    tmp_path: Path, arrivals: int
) -> None:
    counters = {"requests": 100, "arrivals": arrivals}
    second = interval(counters=counters, gauges={"users": 50}, request=[10] * 100, think=[10] * 100)

    assert ("users_unaccounted" in found(run(tmp_path, [second]))) == (not arrivals)
