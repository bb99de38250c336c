"""What a fleet of processes opens, against what a server lets in."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from loadtest.analysis.fleet.capacity import (
    RESERVED_CONNECTIONS,
    Capacity,
    Fleet,
    FleetStep,
    ServerLimits,
    binding_limit,
    connections_of,
    limits_of,
    safe_pool,
)
from loadtest.analysis.fleet.capacity_findings import fleet_capacity

UNLIMITED = -1


def fleet(pool_size: int = 20, max_overflow: int = 10, **changes: Any) -> Fleet:
    """Five replicas of twelve processes, one more in a deploy."""
    pool = {"pool_size": pool_size, "max_overflow": max_overflow}
    said = {"processes": 12, "replicas": 5, "surge": 1, "pool": pool}
    return Fleet(**said | changes)


def with_size(of: Fleet, size: int, overflow: int) -> Fleet:
    """The same fleet with another pool."""
    return of.model_copy(update={"pool": {"pool_size": size, "max_overflow": overflow}})


def most(of: Fleet) -> int | None:
    """What it opens with all pools full in a deploy."""
    return connections_of(of, deploy=True, full=True)


def step_of(answer: Capacity, name: str) -> FleetStep:
    """The step of this name."""
    (found,) = (step for step in answer.steps if step.name == name)
    return found


def codes(answer: Capacity) -> set[str]:
    return {finding.code for finding in answer.findings}


fleets = st.builds(
    fleet,
    pool_size=st.integers(1, 50),
    max_overflow=st.integers(0, 50),
    processes=st.integers(1, 20),
    replicas=st.integers(1, 10),
    surge=st.integers(0, 10),
    threads=st.none() | st.integers(1, 60),
)
servers = st.builds(
    ServerLimits,
    max_connections=st.integers(1, 5000),
    max_user_connections=st.just(0) | st.integers(1, 3000),
    files=st.none() | st.integers(0, 6000),
    others=st.integers(0, 300),
    others_of_account=st.integers(0, 50),
    reserve=st.integers(0, 50),
)


def test_pools_multiply_by_processes_replicas_and_those_of_a_deploy() -> None:
    answer = fleet_capacity(fleet(), ServerLimits(max_connections=5000, others=12))
    assert {step.name: step.connections for step in answer.steps} == {
        "running": 12 * 5 * 20,
        "deploy": 12 * 6 * 20,
        "all pools full": 12 * 5 * 30,
        "deploy, all full": 12 * 6 * 30,
    }
    assert answer.fits
    assert answer.needed == 12 * 6 * 30 + 12 + RESERVED_CONNECTIONS
    assert answer.worst.room == 5000 - answer.needed


@pytest.mark.parametrize(
    ("max_connections", "first", "state"),
    [
        (2172, None, None),
        (2171, "deploy, all full", "reserve"),
        (2162, "deploy, all full", "reserve"),
        (2161, "deploy, all full", "exceeds"),
        (1811, "all pools full", "reserve"),
        (1801, "all pools full", "exceeds"),
        (1441, "deploy", "exceeds"),
        (1201, "running", "exceeds"),
    ],
)
def test_what_breaks_first_as_the_server_has_less(
    max_connections: int, first: str | None, state: str | None
) -> None:
    answer = fleet_capacity(fleet(), ServerLimits(max_connections=max_connections, others=2))
    assert answer.first == first
    assert answer.fits == (first is None)
    if first:
        assert step_of(answer, first).state == state


@given(fleets, servers, st.integers(0, 60))
def test_the_safe_pool_fits_and_the_next_larger_one_does_not(
    of: Fleet, server: ServerLimits, overflow: int
) -> None:
    limits = limits_of(server)
    room = binding_limit(limits).room
    safe = safe_pool(of, limits, overflow)
    fitting = [
        size
        for size in range(1, 400)
        if (most(with_size(of, size, overflow)) or 0) <= room
        and (of.threads is None or size <= of.threads)
    ]
    largest = max(fitting, default=None)
    if safe.pool_size is not None and safe.pool_size >= 399:
        assert (most(with_size(of, safe.pool_size, overflow)) or 0) <= room
        assert (most(with_size(of, safe.pool_size + 1, overflow)) or 0) > room
    else:
        assert safe.pool_size == largest
    if safe.pool_size is not None:
        assert safe.connections == most(with_size(of, safe.pool_size, overflow))


@given(fleets, servers)
def test_a_safe_pool_is_one_that_the_tool_itself_calls_fitting(
    of: Fleet, server: ServerLimits
) -> None:
    for safe in fleet_capacity(of, server).safe:
        if safe.pool_size is not None:
            assert fleet_capacity(with_size(of, safe.pool_size, safe.max_overflow), server).fits


@given(fleets, servers, st.sampled_from(["processes", "replicas", "surge", "size", "overflow"]))
def test_a_larger_fleet_never_opens_less_and_never_fits_better(
    of: Fleet, server: ServerLimits, more: str
) -> None:
    size, overflow = of.pool["pool_size"], of.pool["max_overflow"]
    if more == "size":
        larger = with_size(of, size + 1, overflow)
    elif more == "overflow":
        larger = with_size(of, size, overflow + 1)
    else:
        larger = of.model_copy(update={more: getattr(of, more) + 1})
    assert (most(larger) or 0) >= (most(of) or 0)
    assert fleet_capacity(of, server).fits or not fleet_capacity(larger, server).fits


@given(fleets, servers)
def test_with_the_connections_that_it_needs_everything_fits(
    of: Fleet, server: ServerLimits
) -> None:
    alone = server.model_copy(update={"max_user_connections": 0, "files": None})
    answer = fleet_capacity(of, alone)
    assert answer.needed is not None
    enough = alone.model_copy(update={"max_connections": answer.needed})
    assert fleet_capacity(of, enough).fits
    if answer.needed > 1:
        short = alone.model_copy(update={"max_connections": answer.needed - 1})
        assert not fleet_capacity(of, short).fits


@given(fleets, servers)
def test_an_answer_is_always_said_in_sentences(of: Fleet, server: ServerLimits) -> None:
    answer = fleet_capacity(of, server)
    for line in answer.verdict.splitlines():
        assert line.endswith(".")
        assert "None" not in line
    assert answer.verdict.startswith("The fleet fits" if answer.fits else "The fleet does not fit")


def test_an_unlimited_overflow_is_any_number_and_no_server_is_enough() -> None:
    answer = fleet_capacity(fleet(20, UNLIMITED), ServerLimits(max_connections=100_000))
    assert answer.first == "all pools full"
    assert (answer.worst.connections, answer.worst.room, answer.needed) == (None, None, None)
    assert [safe.max_overflow for safe in answer.safe if safe.pool_size] == [0]
    assert "any number of connections (72 processes × a pool without a limit)" in answer.verdict
    assert (
        "No max_connections is enough for a pool without a limit: set max_overflow"
        in answer.verdict
    )


@pytest.mark.parametrize(
    "pool",
    [
        {"pool_size": 20, "max_overflow": UNLIMITED},
        {"pool_size": 0, "max_overflow": 10},
        {"poolclass": "NullPool"},
    ],
)
def test_threads_limit_a_pool_without_a_limit(pool: dict[str, Any]) -> None:
    answer = fleet_capacity(fleet(pool=pool, threads=8), ServerLimits(max_connections=1000))
    assert answer.worst.connections == 12 * 6 * 8
    assert answer.fits
    assert "72 processes × 8 threads" in answer.verdict


def test_threads_limit_what_a_pool_could_open() -> None:
    assert most(fleet(20, 10, threads=25)) == 12 * 6 * 25
    assert connections_of(fleet(20, 10, threads=25), deploy=False, full=False) == 12 * 5 * 20
    assert most(fleet(20, 10, threads=40)) == 12 * 6 * 30


def test_nothing_is_kept_without_a_pool() -> None:
    answer = fleet_capacity(
        fleet(pool={"poolclass": "NullPool"}), ServerLimits(max_connections=1000)
    )
    assert [step.name for step in answer.steps] == ["all pools full", "deploy, all full"]
    assert "pool_size=13, max_overflow=0 (936 connections)" in answer.verdict


def test_without_overflow_or_surge_there_are_no_steps_to_tell_apart() -> None:
    answer = fleet_capacity(fleet(20, 0, surge=0), ServerLimits(max_connections=2000))
    assert [step.name for step in answer.steps] == ["all pools full"]
    assert "deploy" not in answer.verdict


def test_where_not_one_connection_a_process_fits_no_pool_is_safe() -> None:
    answer = fleet_capacity(fleet(), ServerLimits(max_connections=81))
    assert [safe.pool_size for safe in answer.safe] == [None, None]
    assert "No pool is safe: 72 processes with one connection each" in answer.verdict
    assert fleet_capacity(fleet(), ServerLimits(max_connections=82)).safe[1].pool_size == 1


@pytest.mark.parametrize(("own", "error"), [(True, 1226), (False, 1203)])
def test_the_limit_of_an_account_counts_its_own_connections_only(own: bool, error: int) -> None:
    account = {"max_user_connections": 2163, "own_limit": own, "others_of_account": 3}
    server = ServerLimits(max_connections=9000, others=500, **account)
    assert fleet_capacity(fleet(), server).fits
    less = fleet_capacity(fleet(), server.model_copy(update={"max_user_connections": 2162}))
    assert (less.worst.state, less.worst.limit) == ("exceeds", "max_user_connections")
    assert f"error {error}" in less.verdict
    assert "1040" not in less.verdict
    assert "needs at least max_user_connections = 2163" in less.verdict


@pytest.mark.parametrize(
    ("dialect", "error"),
    [
        ("", "get error 1040 (Too many connections; PostgreSQL: 53300, too many clients already)"),
        ("mysql", "get error 1040 (Too many connections), and so do other clients of the server."),
        ("mariadb", "get error 1040 (Too many connections), and so"),
        ("postgresql", "get error 53300 (too many clients already), and so do other clients"),
        ("oracle", "get an error, and so do other clients"),
    ],
)
def test_the_error_is_that_of_the_server(dialect: str, error: str) -> None:
    server = ServerLimits(max_connections=100, dialect=dialect)
    assert error in fleet_capacity(fleet(), server).verdict


def test_the_limit_of_an_account_on_postgresql_is_that_of_a_role() -> None:
    server = ServerLimits(max_connections=9000, max_user_connections=50, dialect="postgresql")
    said = fleet_capacity(fleet(), server).verdict
    assert "get error 53300 (too many connections for role), and other accounts are" in said


def test_files_are_a_limit_where_they_are_fewer_than_connections() -> None:
    known = {"open_files_limit": 1100, "table_open_cache": 400}
    answer = fleet_capacity(fleet(), ServerLimits(max_connections=3000, files=1000, **known))
    assert answer.worst.limit == answer.binding.setting == "open_files_limit"
    assert "(error 2013)" in answer.verdict
    assert "open_files_limit = 2270" in answer.verdict  # 1,100 + 2,160 - (1,000 - 10)
    enough = fleet_capacity(fleet(), ServerLimits(max_connections=2200, files=2300))
    assert [limit.setting for limit in enough.limits] == ["max_connections"]


def test_the_setting_that_refuses_first_is_named_not_the_one_with_the_larger_reserve() -> None:
    server = ServerLimits(max_connections=110, max_user_connections=80, reserve=50)
    answer = fleet_capacity(fleet(70, 20, processes=1, replicas=1, surge=0), server)
    assert answer.binding.setting == "max_connections"
    assert step_of(answer, "running").state == "reserve"
    assert step_of(answer, "all pools full").limit == "max_user_connections"
    said = "the fleet takes 10 of the 50 connections kept in reserve for people and agents. No"
    assert said in answer.verdict
    assert "by max_user_connections: connections beyond it get error 1203" in answer.verdict


def test_a_larger_max_connections_is_not_advised_without_its_files() -> None:
    files = {"open_files_limit": 2000, "table_open_cache": 400}
    (finding,) = fleet_capacity(fleet(), ServerLimits(max_connections=500, **files)).findings
    assert finding.code == "open_files"
    assert finding.evidence == {
        "wanted": 2160 + RESERVED_CONNECTIONS + 800 + 50,
        "open_files_limit": 2000,
    }
    assert (
        codes(fleet_capacity(fleet(), ServerLimits(max_connections=500, open_files_limit=32768)))
        == set()
    )
    assert codes(fleet_capacity(fleet(), ServerLimits(max_connections=5000, **files))) == set()


def test_what_was_counted_may_be_the_fleets_own_or_less_than_usual() -> None:
    counted = {"counted": True, "others": 40, "others_of_account": 30, "peak": 300}
    answer = fleet_capacity(fleet(), ServerLimits(max_connections=5000, **counted))
    assert codes(answer) == {"same_account", "busier_before"}
    assert "use --others 10" in answer.findings[0].message
    told = ServerLimits(max_connections=5000, **(counted | {"counted": False}))
    assert codes(fleet_capacity(fleet(), told)) == set()
    usual = ServerLimits(max_connections=5000, counted=True, others=40, peak=82)
    assert codes(fleet_capacity(fleet(), usual)) == set()


def test_an_account_that_may_come_in_anyway_is_warned_of() -> None:
    answer = fleet_capacity(
        fleet(), ServerLimits(max_connections=5000, privileged=True, wait_timeout=600)
    )
    assert codes(answer) == {"privileged_account"}


def test_a_long_wait_timeout_keeps_what_vanished() -> None:
    answer = fleet_capacity(fleet(), ServerLimits(max_connections=5000, wait_timeout=28_800))
    assert codes(answer) == {"left_behind"}
