"""The scenarios for what breaks pools in practice break them, and are found out."""

from __future__ import annotations

import pytest

from tests.conftest import ROOT
from tests.findings.runs import Found, Provoked

pytestmark = pytest.mark.provoked
LOST = {"errors_gone_away", "errors_lost_during_query"}


def found_in(provoked: Provoked, scenario: str, **arguments: str) -> list[Found]:
    """What is found in runs of a scenario, one after the other, that differ in their arguments."""
    path = str(ROOT / "scenarios" / f"{scenario}.py")
    key = scenario.strip("_").replace("_", "-")
    return [
        provoked.found_in(f"{key}-{name}", path, private=True, run=given)["run"]
        for name, given in arguments.items()
    ]


def test_a_forgotten_session_is_a_leak_until_the_pool_runs_dry(provoked: Provoked) -> None:
    load = "-u 20 -r 20 -t 4s --pool-size 10 --max-overflow 0 --pool-timeout 1"
    (found,) = found_in(provoked, "_forgotten_session", some=f"{load} --forgotten-share 0.05")
    # Who forgets a session holds another one meanwhile: the last connection cannot be lost.
    assert found["leak"].evidence["kept"]["pay"] == 9
    assert "errors_pool_timeout" in found
    assert not {"nested_checkout", "long_hold"} & found.keys()  # which is what a leak looks like


def test_a_nested_checkout_needs_one_connection_more_than_users(provoked: Provoked) -> None:
    # Also on a busy machine, all users hold their first connection before one takes its second.
    load = "-u 20 -r 20 -t 6s --nested-work 1 --max-overflow 0 --pool-timeout 2 --pool-size"
    sizes = {"small": f"{load} 20", "enough": f"{load} 21"}
    small, enough = found_in(provoked, "_nested_checkout", **sizes)
    assert small["nested_checkout"].evidence["least"] == 21
    assert "errors_pool_timeout" in small
    assert "errors_pool_timeout" not in enough


def test_a_slow_report_lets_fast_requests_wait(provoked: Provoked) -> None:
    load = "-u 20 -r 20 -t 8s --warmup 4s --max-overflow 0 --pool-size"
    few, enough = found_in(provoked, "_slow_report", few=f"{load} 3", enough=f"{load} 20")
    assert "pool_bound" in few
    assert "pool_bound" not in enough


def test_an_idle_connection_is_closed_by_the_server_and_a_ping_finds_out(
    provoked: Provoked,
) -> None:
    load = "-u 10 -r 10 -t 6s --pool-size 10 --max-overflow 0 --idle-between 1"
    pinging = f"{load} --pool-pre-ping"
    blind, asking = found_in(provoked, "_idle_connection", blind=load, asking=pinging)
    assert LOST & blind.keys()
    assert not LOST & asking.keys()
