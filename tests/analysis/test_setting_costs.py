"""What settings cost, and what a verdict does not cover."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from loadtest.analysis.comparison.setting_costs import not_covered, setting_costs
from loadtest.analysis.pool_runs import PoolRuns, gather
from loadtest.analysis.summarize import summarize_runs
from loadtest.runfile.reader import Run
from tests.analysis.builders import header, interval, run, steady

OVERFLOW = {"opened": 410, "checkouts": 1000, "checkouts.overflow": 400}


def pool_of(*runs: Run) -> PoolRuns:
    (pool,) = gather(runs).pools
    return pool


def measured(folder: Path, pool: str = "5+10", rounds: int = 1, **histograms: Any) -> PoolRuns:
    """A pool that did a hundred requests of 20 ms a round, and what else is said (ms)."""
    said = {"request": [20] * 100, **histograms}
    return pool_of(*(run(folder, [interval(**said)], pool, n + 1) for n in range(rounds)))


def test_a_pool_of_which_nothing_else_was_measured_costs_nothing(tmp_path: Path) -> None:
    assert setting_costs(measured(tmp_path, wait=[5] * 100, hold=[15] * 100, connect=[3] * 5)) == []


def test_each_price_is_a_share_of_the_time_of_all_requests(tmp_path: Path) -> None:
    reset, ping = setting_costs(measured(tmp_path, rounds=2, ping=[1] * 50, reset=[1] * 100))
    assert (reset.setting, ping.setting) == ("pool_reset_on_return", "pool_pre_ping")
    assert reset.seconds == pytest.approx(0.2)
    assert reset.share == pytest.approx(0.05)
    assert ping.share == pytest.approx(0.025)
    assert ping.text.startswith(
        "pool_pre_ping cost 1.00 ms per ping, 2.5 % of the time of all requests. "
    )
    assert reset.text.startswith("Reset on return cost 1.00 ms per checkin, 5.0 % of the time of")


def test_failed_requests_took_time_too(tmp_path: Path) -> None:
    (ping,) = setting_costs(measured(tmp_path, ping=[1] * 100, failed_request=[20] * 300))
    assert ping.share == pytest.approx(100 / 8000)


@pytest.mark.parametrize(("pings", "noticed"), [(20, False), (21, True)])
def test_what_nobody_notices_is_not_said(tmp_path: Path, pings: int, noticed: bool) -> None:
    assert bool(setting_costs(measured(tmp_path, ping=[1] * pings))) == noticed


def test_without_a_pool_every_checkout_connects(tmp_path: Path) -> None:
    (found,) = setting_costs(measured(tmp_path, "n:poolclass=NullPool", connect=[3] * 100))
    assert found.setting == "NullPool"
    assert found.text == (
        "NullPool cost 3.00 ms per checkout to connect, 15 % of the time of all requests. A pool "
        "that keeps connections saves nearly all of it."
    )


def test_overflow_costs_the_connects_that_a_larger_pool_would_have_saved(tmp_path: Path) -> None:
    gauges = {"overflow": 10, "open": 15}
    said = {"counters": OVERFLOW, "gauges": gauges, "connect": [2] * 410, "request": [200] * 100}
    (found,) = setting_costs(measured(tmp_path, rounds=2, **said))
    assert found.setting == "max_overflow"
    assert found.seconds == pytest.approx((2 * 400 - 2 * 10) * 0.002)
    assert found.text == (
        "Overflow cost users 1.56 s of waiting (780 connects of 2.00 ms that a larger pool_size "
        "would have saved), 3.9 % of the time of all requests."
    )


def test_an_overflow_that_is_opened_once_a_round_costs_nothing(tmp_path: Path) -> None:
    counters = {"opened": 15, "checkouts": 100, "checkouts.overflow": 10}
    gauges = {"overflow": 10, "open": 15}
    assert (
        setting_costs(measured(tmp_path, counters=counters, gauges=gauges, connect=[90] * 15)) == []
    )


def test_a_tls_context_for_every_connection_has_the_price_that_its_machine_measured(
    tmp_path: Path,
) -> None:
    each, opened = 0.02, 10  # a tenth of the time of all requests
    second = interval(counters={"opened": opened, "tls_contexts": opened}, request=[20] * 100)
    (found,) = setting_costs(pool_of(run(tmp_path, [second], host={"tls_context_seconds": each})))
    assert found.setting == "TLS"
    assert found.seconds == pytest.approx(opened * each)
    assert found.text.endswith(
        "of the time of all requests. One shared context saves nearly all of it."
    )


def test_one_tls_context_for_each_process_and_round_costs_nothing(tmp_path: Path) -> None:
    said = {"counters": {"opened": 50, "tls_contexts": 1}, "request": [20] * 10}
    host = {"tls_context_seconds": 0.1}
    runs = [run(tmp_path, [interval(**said)], "5+10", number, host=host) for number in (1, 2)]
    assert setting_costs(pool_of(*runs)) == []


@pytest.mark.parametrize("pool", ["n:poolclass=NullPool", "5+10"])
def test_what_is_a_finding_already_is_not_said_twice(tmp_path: Path, pool: str) -> None:
    gauges = {"overflow": 10, "open": 15}
    said = {"counters": OVERFLOW, "gauges": gauges, "connect": [5] * 410}
    runs = measured(tmp_path, pool, **said)
    (summary,) = summarize_runs(runs.runs).pools
    assert "connect_bound" in {finding.code for finding in summary.findings}
    assert setting_costs(runs) == []


def test_the_verdict_tells_what_the_recommended_pool_costs(tmp_path: Path) -> None:
    counters = {"requests": 700, "checkouts": 700}
    gauges = {"open": 20}
    said = {"counters": counters, "gauges": gauges, "request": [20] * 700, "ping": [1] * 700}
    runs = [run(tmp_path, [interval(**said)] * 2, "20+0", number) for number in range(1, 6)]
    runs += steady(tmp_path, "5+10", [300] * 5)
    verdict = summarize_runs(runs).verdict
    assert verdict.recommended == "20+0"
    *_, price, rest = verdict.text.splitlines()
    assert price.startswith(
        "pool_pre_ping cost 1.00 ms per ping, 5.0 % of the time of all requests"
    )
    assert rest.startswith("Not covered: ")


@pytest.mark.parametrize(
    ("more", "said"),
    [
        (
            {},
            "other queries and data than this scenario's, users on OS threads (--model threads), "
            "servers other than MariaDB 10.11.6 and a server on a network (this one "
            "shared 2 CPUs with the load generator)",
        ),
        (
            {"host": {}, "load": {"model": "threads"}},
            "other queries and data than this scenario's, servers other than MariaDB 10.11.6 and a "
            "server on a network (this one shared a machine with the load generator)",
        ),
        (
            {"server": {"private": False}},
            "other queries and data than this scenario's and users on OS threads (--model threads)",
        ),
        (
            {"server": {}, "load": {"model": "threads"}},
            "other queries and data than this scenario's",
        ),
    ],
)
def test_what_was_not_measured_is_not_covered(
    tmp_path: Path, more: dict[str, Any], said: str
) -> None:
    measurements = gather([run(tmp_path, [interval(request=[1])], **more)])
    assert not_covered(measurements, measurements.pools[0]) == f"Not covered: {said}."


def test_with_both_models_measured_neither_is_left_out(tmp_path: Path) -> None:
    runs = []
    for model, ending in (("greenlets", ""), ("threads", ".threads")):
        load = {**header()["load"], "model": model}
        for pool, each in (("20+0", 700), ("5+10", 300)):
            name = f"{pool}{ending}:{pool}"
            runs += steady(tmp_path, name, [each] * 5, load=load, peak=5)
    text = summarize_runs(runs).verdict.text
    assert "The conclusion carries over" in text
    assert text.count("Not covered: other queries") == 1
    assert "OS threads" not in text
