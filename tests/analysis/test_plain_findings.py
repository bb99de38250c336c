"""Numbers and advice in the messages of findings."""

from dataclasses import replace
from pathlib import Path

import pytest

from loadtest.analysis.summarize import summarize_runs
from loadtest.model.interval import Fair, Gauge, Interval
from loadtest.model.summary import Finding
from loadtest.runfile.reader import Run
from tests.analysis.builders import SECOND, interval, run


def found(*runs: Run) -> dict[str, Finding]:
    (pool,) = summarize_runs(runs).pools
    return {one.code: one for one in pool.findings}


def test_starved_users_of_several_rounds_are_an_average(tmp_path: Path) -> None:
    part = interval(counters={"requests": 50, "checkouts": 500})
    shares = [
        Fair(users=300, served=served, checkouts=9000, squares=9000, longest_wait=SECOND)
        for served in (286, 285, 287)
    ]
    runs = [
        run(tmp_path, [replace(part, fair=fair)], round_=number)
        for number, fair in enumerate(shares, start=1)
    ]
    said = "In 3 rounds, on average 14 of 300 users (4.7 %) never got a connection, while"
    assert found(*runs)["starvation"].message.startswith(said)
    alone = found(run(tmp_path / "alone", [replace(part, fair=shares[0])]))["starvation"]
    assert alone.message.startswith("14 of 300 users (4.7 %) never got a connection, while")


@pytest.mark.parametrize(("served", "severity"), [(197, "error"), (199, "warning")])
def test_a_few_starved_users_are_a_warning(tmp_path: Path, served: int, severity: str) -> None:
    fair = Fair(users=200, served=served, checkouts=9000, squares=9000, longest_wait=SECOND)
    part = interval(counters={"requests": 50, "checkouts": 500})
    assert found(run(tmp_path, [replace(part, fair=fair)]))["starvation"].severity == severity


def test_churn_names_the_settings_that_keep_as_many_connections(tmp_path: Path) -> None:
    counters = {"requests": 60, "checkouts": 60, "opened": 60, "closed.overflow": 60}
    gauges = {"open": 15, "in_use": 15}
    full = found(run(tmp_path, [interval(counters=counters, gauges=gauges)], "5+10"))
    assert full["overflow_churn"].message.endswith(
        "Use a larger pool_size and less overflow: pool_size=15, max_overflow=0 allows as many "
        "connections, and keeps them open."
    )
    room = found(run(tmp_path, [interval(counters=counters, gauges=gauges)], "5+20"))
    assert room["overflow_churn"].message.endswith("Use a larger pool_size and less overflow.")


def burst(opened: int, *, closed: int = 0) -> Interval:
    """A second with 60 checkouts of 2 ms, ten connections, and slow ones in the overflow."""
    counters = {"requests": 60, "checkouts": 60, "checkouts.overflow": opened}
    counters |= {"opened": opened, "closed.overflow": closed}
    one = interval(counters=counters, hold=[2] * 60, connect=[150] * opened)
    one.gauges["open"] = Gauge(10 * SECOND, 10, 12, 10)
    one.gauges["in_use"] = Gauge(10 * SECOND, 5, 12, 10)
    return one


SLOWER = (
    "Opening an overflow connection (150 ms) took longer than waiting for a free one (24.0 ms) "
    "would have, for 40 of them. "
)


def test_connections_opened_in_vain_have_one_piece_of_advice(tmp_path: Path) -> None:
    alone = found(run(tmp_path, [burst(40)]))
    assert alone["opened_in_vain"].message == f"{SLOWER}Lower max_overflow."


def test_beside_churn_they_are_part_of_that_finding(tmp_path: Path) -> None:
    both = found(run(tmp_path, [burst(40, closed=40)]))
    assert "opened_in_vain" not in both
    said = f"{SLOWER}Use a larger pool_size and less overflow."
    assert both["overflow_churn"].message.endswith(said)
