"""What is said of a situation before a run: each rule where it is quiet and where it speaks."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from loadtest.database.drivers import PURE_CONNECTOR
from loadtest.database.preflight.checks import (
    ALLOWED_SHARE,
    GENERATOR_FILES,
    refuse_errors,
    run_checks,
    warning_texts,
)
from loadtest.database.preflight.handshake import Handshake
from loadtest.database.preflight.occupancy import Occupancy
from loadtest.database.preflight.situation import Demand, Machine, PreflightCheck, Situation
from loadtest.model.errors import UsageError
from loadtest.model.pool import parse_pool
from loadtest.model.tls_advice import SWITCH_TLS_OFF

SERVER = Occupancy(
    variables={"wait_timeout": "28800"},
    max_connections=151,
    max_user_connections=0,
    own_limit=False,
    connected=30,
    of_account=2,
    peak=60,
    privileged=False,
    files_left=5000,
)
FREE = 151 - 30 - 1  # one is the tool's own, which asks for the status


def situation(*pools: str, server: dict[str, Any] | None = None, **changes: Any) -> Situation:
    """A sound machine, a MariaDB as it comes, fifty users for 40 s; with these changes."""
    own = {"users", "processes", "seconds", "arrival_rate", "overload", "killing"}
    asked = {"users": 50, "seconds": 40.0, **{n: changes.pop(n) for n in own & changes.keys()}}
    demand = Demand(tuple(map(parse_pool, pools or ["20+0"])), **asked)
    machine = changes.pop("machine", Machine(20_000, 28_232))
    there = replace(SERVER, **(server or {}))
    return Situation(demand, machine, there, **{"private": False, **changes})


def check(code: str, *pools: str, **changes: Any) -> PreflightCheck:
    """The one check with this code."""
    (found,) = [one for one in run_checks(situation(*pools, **changes)) if one.code == code]
    return found


def codes(severity: str, *pools: str, **changes: Any) -> set[str]:
    """The codes of all checks that are as serious as that."""
    return {
        one.code for one in run_checks(situation(*pools, **changes)) if one.severity == severity
    }


def test_a_sound_situation_has_nothing_to_say_before_a_run() -> None:
    checks = run_checks(situation("pool_size=20,max_overflow=0,pool_recycle=3600"))
    assert {one.severity for one in checks} == {"ok"}
    assert warning_texts(checks) == []
    refuse_errors(checks)


def test_all_errors_are_told_at_once() -> None:
    checks = run_checks(situation("200+0", users=200, machine=Machine(300, 100)))
    with pytest.raises(UsageError) as refused:
        refuse_errors(checks)
    said = refused.value.problems
    assert [text.split(":")[0] for text in said] == [
        "200 connections need 400 open files, but this system allows 300",
        "200 connections to one server need one local port each, 100 are free",
        "this run may open 200 connections, the server has room for 120 (max_connections = 151). "
        "All further connections fail, also those of other clients",
    ]


# ---- This machine


@pytest.mark.parametrize(
    ("allowed", "severity"),
    [(20 + GENERATOR_FILES, "ok"), (19 + GENERATOR_FILES, "error"), (None, "ok")],
)
def test_open_files_are_those_of_one_process(allowed: int | None, severity: str) -> None:
    found = check("open_files", machine=Machine(allowed, 28_232), processes=4)
    assert found.severity == severity
    assert found.evidence["needed"] == 20 + GENERATOR_FILES


def test_local_ports_are_shared_by_all_processes_and_what_was_closed_keeps_one() -> None:
    enough = Machine(20_000, 1000, ports_in_use=920)
    assert check("local_ports", machine=enough, processes=4).severity == "ok"
    found = check("local_ports", machine=replace(enough, ports_in_use=921), processes=4)
    assert found.severity == "error"
    assert found.evidence == {"connections": 80, "free": 79, "per_second": 1}


@pytest.mark.parametrize(
    ("pool", "changes", "severity"),
    [
        ("20+0", {}, "ok"),
        ("5+10", {}, "note"),
        ("5+10", {"users": 5}, "ok"),
        ("poolclass=NullPool", {}, "note"),
        ("poolclass=NullPool", {"arrival_rate": 470.0}, "note"),
        ("poolclass=NullPool", {"arrival_rate": 471.0}, "warning"),
    ],
)
def test_pools_that_close_connections_use_ports_up(
    pool: str, changes: dict[str, Any], severity: str
) -> None:
    found = check("local_ports", pool, **changes)
    assert found.severity == severity
    assert found.evidence["per_second"] == 470


def test_a_system_that_does_not_tell_its_ports_is_not_guessed_at() -> None:
    assert "local_ports" not in {
        one.code for one in run_checks(situation(machine=Machine(None, None)))
    }


# ---- The server


@pytest.mark.parametrize(
    ("connections", "severity"),
    [(int(ALLOWED_SHARE * FREE), "ok"), (int(ALLOWED_SHARE * FREE) + 1, "error")],
)
def test_no_more_than_a_share_of_the_free_connections_is_taken(
    connections: int, severity: str
) -> None:
    found = check("max_connections", f"{connections}+0", users=500)
    assert found.severity == severity
    assert found.evidence["free"] == FREE
    if severity == "error":
        assert found.message.endswith("151): 97 is more than 80 % of the free ones (96)")
        assert "--allow-overload" in found.advice


def test_who_agreed_is_only_warned() -> None:
    found = check("max_connections", "5+inf", users=300, overload=True)
    assert found.severity == "warning"
    assert str(found) == (
        "this run may open 300 connections, the server has room for 120 (max_connections = 151). "
        "All further connections fail, also those of other clients: watch the other clients, or "
        "use a smaller pool or fewer users"
    )


def test_all_processes_count() -> None:
    assert check("max_connections", "20+0", processes=4).severity == "ok"
    assert check("max_connections", "20+0", processes=5).evidence["connections"] == 100
    assert check("max_connections", "20+0", processes=5).severity == "error"


@pytest.mark.parametrize(("connections", "severity"), [(120, "ok"), (121, "error")])
def test_all_of_a_private_server_may_be_taken(connections: int, severity: str) -> None:
    found = check("max_connections", f"{connections}+0", users=500, private=True)
    assert found.severity == severity
    assert "--allow-overload" not in str(found)


def test_who_kills_needs_a_connection_more() -> None:
    assert check("max_connections", killing=True).evidence["free"] == FREE - 1


def test_a_place_for_administrators_counts_for_an_account_that_may_take_it() -> None:
    found = check("max_connections", server={"privileged": True})
    assert found.evidence["free"] == FREE + 1


@pytest.mark.parametrize(("limit", "severity"), [(0, "ok"), (28, "ok"), (27, "error")])
def test_what_the_account_may_have_counts_for_itself(limit: int, severity: str) -> None:
    # 28 - 2 that it has - 1 for the status = 25, of which 20 are 80 %
    found = check("max_user_connections", server={"max_user_connections": limit, "own_limit": True})
    assert found.severity == severity


def test_a_server_with_few_files_takes_fewer_than_it_says() -> None:
    assert check("open_files_limit", server={"files_left": 50}).severity == "error"
    everything = run_checks(situation(server={"files_left": 151}))
    assert "open_files_limit" not in {one.code for one in everything}


@pytest.mark.parametrize(("connected", "severity"), [(120, "ok"), (121, "warning")])
def test_a_server_that_is_nearly_full_is_named(connected: int, severity: str) -> None:
    assert check("in_use", "1+0", server={"connected": connected}).severity == severity


# ---- Pools


@pytest.mark.parametrize(
    ("pool", "seconds", "severity"),
    [
        ("20+0", 40.0, "ok"),
        ("20+0", None, "ok"),
        ("20+0", 28_801.0, "warning"),
        ("pool_recycle=28799", 28_801.0, "ok"),
        ("pool_recycle=28800", 28_801.0, "warning"),
        ("pool_pre_ping=true", 28_801.0, "ok"),
        ("poolclass=NullPool", 28_801.0, "ok"),
    ],
)
def test_idle_connections_that_the_server_closes(
    pool: str, seconds: float | None, severity: str
) -> None:
    assert check("wait_timeout", pool, seconds=seconds).severity == severity


@pytest.mark.parametrize(
    ("timeout", "pool", "severity", "words"),
    [
        (28_799, "20+0", "note", "from 20+0 fails"),
        (61, "pool_pre_ping=true", "ok", "no pool hands out"),
        (60, "pool_pre_ping=true", "note", "a task that holds a connection idle for longer"),
        (1, "pool_recycle=0,pool_pre_ping=true", "note", "loses it with any pool"),
        (5, "20+0", "warning", "from 20+0 fails (error 2006, 2013 or 4031); a task that holds"),
    ],
)
def test_a_short_wait_timeout_concerns_tasks_that_no_setting_of_the_pool_helps(
    timeout: int, pool: str, severity: str, words: str
) -> None:
    found = check("wait_timeout", pool, server={"variables": {"wait_timeout": str(timeout)}})
    assert (found.severity, words in found.message) == (severity, True), found.message
    assert ("before work that takes longer" in found.advice) == (timeout <= 60)
    assert ("pool_recycle" in found.advice) == (pool == "20+0")


def test_a_check_that_is_in_order_has_no_advice() -> None:
    for seconds in (None, 40.0, 28_799.0):
        found = check("wait_timeout", "20+0", seconds=seconds)
        assert (found.severity, found.advice) == ("ok", "")
        assert found.message == (
            "wait_timeout = 28800 s: only connections that are idle for longer are lost"
        )


def test_a_driver_that_does_not_block_is_told_in_plain_words() -> None:
    message = check("driver", standstill=0.034).message
    assert message.endswith("that only waits delayed them by at most 3.4 % of its time")


def test_what_a_run_takes_is_no_limit_of_the_server() -> None:
    message = check("max_connections", "15+0").message
    assert message == (
        f"max_connections = 151: {FREE} connections are free, this run takes at most 15"
    )


def test_only_pools_that_hand_such_connections_out_are_named() -> None:
    pools, brief = ("safe:pool_pre_ping=true", "bare:5+10"), {"variables": {"wait_timeout": "600"}}
    found = check("wait_timeout", *pools, server=brief)
    assert "from bare fails" in found.message


@pytest.mark.parametrize(
    ("pool", "changes", "severity", "words"),
    [
        ("20+0", {}, "ok", "can be reached"),
        ("20+0", {"users": 20}, "note", "never reached: 20 users never wait for 20 connections"),
        ("20+0", {"seconds": 30.0}, "note", "as long as the run (30 s) or longer"),
        ("pool_timeout=29.5", {"seconds": 30.0}, "ok", "can be reached"),
        ("20+0", {"seconds": None}, "ok", "can be reached"),
    ],
)
def test_a_pool_timeout_that_nobody_can_reach(
    pool: str, changes: dict[str, Any], severity: str, words: str
) -> None:
    found = check("pool_timeout", pool, **changes)
    assert (found.severity, words in found.message) == (severity, True)


@pytest.mark.parametrize(
    ("pool", "setting"),
    [
        ("5+inf", "max_overflow = -1"),
        ("pool_size=0", "pool_size = 0"),
        ("poolclass=NullPool", "NullPool"),
    ],
)
def test_pools_without_a_limit(pool: str, setting: str) -> None:
    found = check("unlimited", pool, processes=2)
    assert found.severity == "note"
    assert f"with {setting} no checkout waits" in found.message
    assert found.evidence["connections"] == 100
    assert "pool_timeout" not in {one.code for one in run_checks(situation(pool))}


def test_each_pool_is_told_apart() -> None:
    checks = run_checks(situation("5+10", "20+0", "3000+inf"))
    assert [one.evidence["pool"] for one in checks if one.code == "pool_timeout"] == [
        "5+10",
        "20+0",
    ]
    assert [one.evidence["pool"] for one in checks if one.code == "unlimited"] == ["3000+inf"]


# ---- What was measured


def test_what_nobody_measured_is_not_told() -> None:
    assert not {"driver", "tls_context", "no_tls"} & {one.code for one in run_checks(situation())}


@pytest.mark.parametrize(("standstill", "severity"), [(0.02, "ok"), (0.98, "warning")])
def test_a_driver_that_lets_nobody_else_run(standstill: float, severity: str) -> None:
    assert check("driver", standstill=standstill).severity == severity


def test_a_context_for_every_connection_costs_time() -> None:
    slow = check("tls_context", handshake=Handshake(shared=0.001, own=0.022, tls=False))
    assert slow.severity == "note"
    assert "22.0 ms with plain create_engine()" in slow.message
    assert "does not support TLS; loadtest's own engine takes 1.0 ms without one" in slow.message
    assert slow.advice == SWITCH_TLS_OFF
    encrypted = str(check("tls_context", handshake=Handshake(0.001, 0.02, True)))
    assert "1.0 ms with one shared context" in encrypted
    assert "ssl_disabled" not in encrypted
    assert check("tls_context", handshake=Handshake(0.011, 0.022, True)).severity == "ok"


@pytest.mark.parametrize(
    ("host", "tls", "told"),
    [("127.0.0.1", False, False), ("db.example", False, True), ("db.example", True, False)],
)
def test_what_can_be_read_on_the_way(host: str, tls: bool, told: bool) -> None:
    checks = run_checks(situation(handshake=Handshake(0.001, 0.001, tls), host=host))
    assert ("no_tls" in {one.code for one in checks}) is told


def test_an_application_is_told_how_its_driver_connects() -> None:
    plain = Handshake(0.0003, 0.0003, False, of_application=True, driver="mysqlclient")
    told = {one.code: one for one in run_checks(situation(handshake=plain, host="db.example"))}
    assert told["tls_context"].message == (
        "connecting takes 0.3 ms the way the application does it, with mysqlclient and without TLS"
    )
    assert "connections (mysqlclient) are not encrypted" in told["no_tls"].message
    assert "does not support TLS" not in told["no_tls"].message


def test_a_connector_in_python_has_advice_of_its_own() -> None:
    slow = Handshake(0.003, 0.037, True, of_application=True, driver=PURE_CONNECTOR)
    told = check("tls_context", handshake=slow)
    assert told.severity == "warning"
    assert f"the way the application does it, because {PURE_CONNECTOR} builds" in told.message
    assert "connecting takes 37.0 ms" in told.message
    assert "cannot share one; the context alone takes about 34.0 ms" in told.message
    assert "'tls_versions': ['TLSv1.3']" in told.advice
    assert '"ssl": context' not in told.advice, "only PyMySQL takes one"


SLOW = Handshake(0.001, 0.022, tls=False)
TROUBLES: dict[str, dict[str, Any]] = {
    "open_files": {"machine": Machine(100, 28_232)},
    "local_ports": {"machine": Machine(20_000, 10)},
    "max_connections": {"users": 200},
    "max_user_connections": {"server": {"max_user_connections": 5}},
    "in_use": {"server": {"connected": 140}},
    "wait_timeout": {"seconds": 30_000.0},
    "driver": {"standstill": 0.98},
    "tls_context": {"handshake": SLOW},
    "no_tls": {"handshake": SLOW, "host": "db.example"},
    "pool_timeout": {"users": 3},
    "unlimited": {},
}


@pytest.mark.parametrize("code", TROUBLES)
@pytest.mark.parametrize("overload", [False, True])
@pytest.mark.parametrize("private", [False, True])
def test_whatever_is_not_well_says_what_to_do(code: str, overload: bool, private: bool) -> None:
    pools = ("3000+inf", "200+0", "5+10", "poolclass=NullPool")
    agreed = {"overload": overload, "private": private}
    found = run_checks(situation(*pools, **TROUBLES[code], **agreed))
    assert code in {one.code for one in found if one.severity != "ok"}
    assert [one.code for one in found if one.severity != "ok" and not one.advice] == []
