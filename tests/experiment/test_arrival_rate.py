"""Whole runs in an open loop, as a person starts them, and what they leave."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import URL

from tests.conftest import ROOT, without_database
from tests.experiment.outcomes import Done
from tests.findings.runs import SCENARIOS

pytestmark = pytest.mark.server
POINT_SELECT = ROOT / "scenarios" / "point_select.py"
Start = Callable[..., Done]


@pytest.fixture
def start(
    loadtest: Callable[..., subprocess.CompletedProcess[str]], tmp_path: Path, url: URL
) -> Start:
    """Runs a scenario on the database of these tests."""

    def start(scenario: Path, *arguments: Any) -> Done:
        address = {"LOADTEST_DATABASE_URL": url.render_as_string(False)}
        command = ("run", scenario, "--no-try", "--results", tmp_path, *arguments)
        ended = loadtest(*command, env={**without_database(), **address})
        return Done(tmp_path / "latest", ended.stdout + ended.stderr)

    return start


def test_as_much_is_offered_as_was_asked_for_and_the_result_says_what_load_it_was(
    start: Start,
) -> None:
    load = ("--arrival-rate", 40, "--arrivals", "even", "-u", 130, "--seed", 4)
    done = start(POINT_SELECT, "--pool", "10+0", *load, "-t", "2s", "--warmup", "1s")

    arrivals, seconds = done.measured.counters["arrivals"], done.measured.length / 1e9
    assert arrivals == pytest.approx(40 * seconds, abs=2)
    offered = done.pool["arrivals"]["offered_per_second"]
    assert offered == pytest.approx(40, abs=2)
    assert offered / 2 < done.pool["arrivals"]["begun_per_second"]
    assert done.pool["arrivals"]["dropped"] == done.pool["dropped"]
    lags = done.pool["schedule_lag_seconds"]
    assert 0 <= lags["p50"] <= lags["p99"] <= lags["max"]
    assert arrivals / 2 < done.measured.histograms["schedule_lag"].count
    assert "users_unaccounted" not in done.findings
    assert done.run.told["load"] == {
        "model": "greenlets",
        "users": 130,
        "spawn_rate": 130,
        "arrival_rate": 40,
        "arrivals": "even",
        "drop_after": 1,
        "stages": [],
        "duration": 2,
        "warmup": 1,
        "prefill": False,
        "seed": 4,
        "processes": 1,
        "faults": [],
    }
    assert "--arrival-rate 40" in done.run.header.command
    assert "40.0 requests per second offered, evenly spaced · at most 130 users" in (
        done.page.replace("\xa0", " ")
    )
    assert 'scope="row">offered rate, per second</th>' in done.page


@pytest.mark.long
def test_a_rate_that_the_users_cannot_keep_up_with_is_dropped_and_told(start: Start) -> None:
    load = ("--arrival-rate", 10, "--arrivals", "even", "-u", 1, "-t", "3s", "--warmup", "0s")
    done = start(SCENARIOS / "query.py", *load, "--option", "query_seconds=0.5")

    counters, seconds = done.measured.counters, done.measured.length / 1e9
    evidence = done.findings["dropped_arrivals"]["evidence"]
    assert counters["arrivals"] == pytest.approx(10 * seconds, abs=2)
    # One user begins two a second at most, and those that are overdue for a second are dropped.
    assert counters["requests"] <= 2 * seconds + 1
    assert counters["arrivals"] - counters["requests"] - 11 <= counters["dropped"]
    assert 0 < counters["dropped"] < counters["arrivals"]
    assert done.pool["dropped"] == done.pool["arrivals"]["dropped"] == counters["dropped"]
    assert evidence == {"dropped": counters["dropped"], "arrivals": counters["arrivals"]}
    assert done.findings["dropped_arrivals"]["severity"] == "error"
    assert done.pool["arrivals"]["begun_per_second"] < 3
    assert "was free within 1.00 s" in done.output


@pytest.mark.long
def test_a_slow_pool_is_asked_no_less(start: Start) -> None:
    """One connection serves ten a second, and twenty arrive: the queue grows, nothing is lost."""
    load = ("--arrival-rate", 20, "--arrivals", "even", "-t", "4s", "--warmup", "0s")
    pool = ("--pool", "pool_size=1,max_overflow=0")
    done = start(SCENARIOS / "query.py", *pool, *load, "--option", "query_seconds=0.1")

    counters = done.measured.counters
    assert counters["arrivals"] == pytest.approx(20 * done.measured.length / 1e9, abs=2)
    assert counters["dropped"] == 0
    assert counters["requests"] <= 10 * done.measured.length / 1e9 + 1
    assert done.measured.gauges["waiting"].max >= 30
    assert done.pool["request_seconds"]["max"] > 1
