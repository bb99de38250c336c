"""Connections that are opened again and again, and what each of them costs."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from sqlalchemy import URL, Engine, NullPool, create_engine

from loadtest.database.engine import make_engine
from loadtest.model.interval import Interval
from loadtest.model.pool import PoolConfig
from loadtest.pool.measure import measure
from loadtest.pool.recorder import Recorder
from tests.analysis.builders import run
from tests.findings.runs import Found, Provoked, found

SHORT = "-u 8 -r 8 -t 3s --query-seconds 0"


@pytest.fixture(scope="module")
def pools(provoked: Provoked) -> dict[str, Found]:
    overlapping = "-u 8 -r 8 -t 3s --query-seconds 0.02 --think-seconds 0.02"
    return provoked.found_in(
        "opening",
        "query.py",
        overflowing=f"{overlapping} --pool-size 1 --max-overflow 9",
        fitting=f"{overlapping} --pool-size 10 --max-overflow 0",
        keeping_none=f"{SHORT} --poolclass NullPool",
        filling=f"{SHORT} --think-seconds 1 --pool-size 8 --max-overflow 0",
    )


@pytest.mark.provoked
def test_an_overflow_that_is_needed_all_the_time_is_churn(pools: dict[str, Found]) -> None:
    evidence = pools["overflowing"]["overflow_churn"].evidence
    assert 2 <= evidence["peak"] <= 8
    assert evidence["opened"] > 50
    assert evidence["closed_overflow"] > 0.9 * evidence["opened"]


@pytest.mark.provoked
def test_a_pool_that_keeps_its_connections_opens_none_again(pools: dict[str, Found]) -> None:
    assert not {"overflow_churn", "connect_bound"} & pools["fitting"].keys()


@pytest.mark.provoked
def test_short_queries_without_a_pool_spend_their_time_connecting(pools: dict[str, Found]) -> None:
    evidence = pools["keeping_none"]["connect_bound"].evidence
    assert evidence["opened"] > 50
    assert 0.2 < evidence["connecting"] / evidence["working"] < 1
    assert "overflow_churn" not in pools["keeping_none"]


@pytest.mark.provoked
def test_a_pool_that_fills_is_not_bound_by_that(pools: dict[str, Found]) -> None:
    # Most of the time of its few short requests goes into opening each connection once.
    assert "connect_bound" not in pools["filling"]


def _plain(url: URL) -> Engine:
    return create_engine(url, poolclass=NullPool)


def _without_tls(url: URL) -> Engine:
    return create_engine(url, poolclass=NullPool, connect_args={"ssl_disabled": True})


def _ours(url: URL) -> Engine:
    return make_engine(url, PoolConfig(poolclass="NullPool"), tls=False)


def _twenty_connections(engine: Engine) -> Interval:
    recorder = Recorder("p1")
    measure(engine, recorder)
    for _ in range(20):
        with engine.connect():
            pass
    return recorder.cut("measured")


@pytest.mark.database
@pytest.mark.parametrize(("make", "slow"), [(_plain, True), (_without_tls, False), (_ours, False)])
def test_a_driver_that_builds_a_tls_context_for_every_connection_is_named(
    tmp_path: Path, url: URL, make: Callable[[URL], Engine], slow: bool
) -> None:
    measured = _twenty_connections(make(url))
    findings = found(run(tmp_path, [measured], "poolclass=NullPool"))
    assert ("slow_handshake" in findings) == slow
    if slow:
        evidence = findings["slow_handshake"].evidence
        assert evidence["contexts"] == evidence["opened"] == 20
        assert evidence["connect"] > 0.005
