"""The scenarios for what breaks pools in practice break them, and are found out."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from sqlalchemy import URL

from tests.conftest import ROOT
from tests.findings.runs import Found, found_in

pytestmark = pytest.mark.database
Run = Callable[[str, str], Found]
LOST = {"errors_gone_away", "errors_lost_during_query"}


@pytest.fixture
def run(tmp_path: Path, url: URL) -> Run:
    """Run a scenario with Locust's arguments and give what is found in it."""

    def run(scenario: str, arguments: str) -> Found:
        return found_in(tmp_path, url, str(ROOT / "scenarios" / scenario), run=arguments)["run"]

    return run


def test_a_forgotten_session_is_a_leak_until_the_pool_runs_dry(run: Run) -> None:
    load = "-u 20 -r 20 -t 4s --pool-size 10 --max-overflow 0 --pool-timeout 1"
    found = run("_forgotten_session.py", f"{load} --forgotten-share 0.05")
    # Who forgets a session holds another one meanwhile: the last connection cannot be lost.
    assert found["leak"].evidence["kept"]["pay"] == 9
    assert "errors_pool_timeout" in found
    assert not {"nested_checkout", "long_hold"} & found.keys()  # which is what a leak looks like


def test_a_nested_checkout_needs_one_connection_more_than_users(run: Run) -> None:
    load = "-u 20 -r 20 -t 4s --max-overflow 0 --pool-timeout 1.5 --pool-size"
    small, enough = (run("_nested_checkout.py", f"{load} {size}") for size in (20, 21))
    assert small["nested_checkout"].evidence["least"] == 21
    assert "errors_pool_timeout" in small
    assert "errors_pool_timeout" not in enough


def test_a_slow_report_lets_fast_requests_wait(run: Run) -> None:
    load = "-u 20 -r 20 -t 8s --warmup 4s --max-overflow 0 --pool-size"
    few, enough = (run("_slow_report.py", f"{load} {size}") for size in (3, 20))
    assert "pool_bound" in few
    assert "pool_bound" not in enough


def test_an_idle_connection_is_closed_by_the_server_and_a_ping_finds_out(run: Run) -> None:
    load = "-u 10 -r 10 -t 6s --pool-size 10 --max-overflow 0 --idle-between 1"
    blind, asking = (run("_idle_connection.py", load + more) for more in ("", " --pool-pre-ping"))
    assert LOST & blind.keys()
    assert not LOST & asking.keys()
