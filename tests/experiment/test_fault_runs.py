"""Faults in runs of the command: what is told of them, and what is left when it is ended."""

from __future__ import annotations

import functools
import json
import math
import shutil
import signal
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import psutil
import pytest
from sqlalchemy import URL, NullPool, create_engine, text
from sqlalchemy.exc import ProgrammingError

from loadtest.database.server_status import SERVER_PROCESSES
from loadtest.model.interval import total
from loadtest.runfile.reader import read_run
from tests.conftest import ROOT
from tests.experiment.outcomes import Done, recovered
from tests.processes import (
    Running,
    loadtest_command,
    running,
    so_far,
    stop_with,
    warm_locust_command,
)
from tests.survival.scene import run_files

pytestmark = pytest.mark.server
SCENARIO = ROOT / "scenarios" / "_database_down.py"


def faults(*given: str) -> list[str]:
    """The options for some faults."""
    return [part for fault in given for part in ("--fault", fault)]


LOAD = ("run", SCENARIO, "--pool", "5+0", "-u", 8, "--warmup", "1s", "--no-try")
SHORTER = {"rounds = 5": "rounds = 1", "150": "30", "12s": "6s", '"3s': '"1s', '"5s': '"3s'}
# The faults of a run, and after how many of its seconds they are over.
RUNS = {
    "killed": (faults("kill@1s", "refuse@2s+1s", "latency:1ms"), 4),
    "restarted": (faults("restart@2s+1s"), 4),
    "dropped": (faults("idle-drop:20ms@1s+1s", "kill:1@3s"), 5),
}
long = pytest.mark.long
EACH_SERVER = [long, pytest.mark.database]
NAMES = [
    "killed",
    pytest.param("restarted", marks=EACH_SERVER),
    pytest.param("dropped", marks=long),
]


@pytest.fixture(scope="module")
def done(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Done]:
    """What each of the runs left; it is done when the first test asks for it."""

    @functools.cache
    def run(name: str) -> Done:
        given, seconds = RUNS[name]
        folder = tmp_path_factory.mktemp(name)
        where = ("-t", "90s", "--quiet", "--results", folder / "results")
        command = loadtest_command(*LOAD, *given, *where)
        with running(folder / "log", *command, warm=True) as tool:
            path, *_ = tool.until(lambda: run_files(folder), "the run to begin")
            tool.until(lambda: recovered(so_far(path), seconds), "the end of the faults")
            # Four: whatever else this machine does.
            assert stop_with(tool, signal.SIGINT) in (0, 4), tool.output
        return Done(folder / "results" / "latest", tool.output)

    return run


@pytest.mark.parametrize("name", NAMES)
def test_each_fault_is_told_and_users_get_over_it(done: Callable[[str], Done], name: str) -> None:
    found = done(name)
    run = found.run
    assert run.footer is not None
    measuring = run.header.started + 1
    begins = []
    for planned, told in zip(run.header.load.faults, run.footer.faults, strict=True):
        assert told.problem is None
        if planned.kind != "latency":
            assert told.begin is not None
            assert told.end is not None
            begins.append(told.begin)
            assert told.begin >= measuring + planned.at
            assert told.end >= told.begin + (planned.length or 0)
        assert told.fault.startswith(planned.kind)
    noticed = [fault for fault in found.pool["faults"] if fault["errors"]]
    # A late fault's errors belong to the next one. Only a connection that was being given back
    # breaks without an error; after an error, the pool replaces all others.
    closed = found.measured.counters
    assert noticed or (closed["closed.error"] and not closed["closed.invalidated"])
    assert sum(fault["errors"] for fault in noticed) == sum(
        one.counters["failures"] for one in run.measured() if one.second >= math.floor(min(begins))
    )
    # Unknown if the fault began in a second in which requests had failed before.
    first = [s for fault in noticed if (s := fault["first_error_seconds"]) is not None]
    assert all(seconds >= 0 for seconds in first)
    assert {fault["rounds"] for fault in found.pool["faults"]} == {1}
    for fault in found.pool["faults"]:
        assert f"\n{fault['fault']}\n" in found.output
        assert f'<th scope="row">{fault["fault"]}</th>' in found.page
    assert ">Fault by fault</h2>" in found.page


def test_of_two_faults_it_is_not_known_which_has_lost_a_payment(
    done: Callable[[str], Done],
) -> None:
    kill, refuse = done("killed").pool["faults"]
    assert [f["fault"] for f in (kill, refuse)] == ["kill@1s", "refuse@2s+1s"]
    assert kill["lost"] is None


@pytest.mark.database
@pytest.mark.long
def test_no_confirmed_payment_is_lost(done: Callable[[str], Done]) -> None:
    found, run = done("restarted").pool, done("restarted").run
    assert run.footer
    (fault,) = run.footer.faults
    good = [i.second for i in run.measured() if i.counters["requests"] > i.counters["failures"]]
    assert fault.begin
    assert fault.end
    assert min(good) < fault.begin < fault.end < max(good)
    (restart,) = found["faults"]
    assert restart["lasted_seconds"] >= 1
    assert restart["checked"] > 20
    assert restart["lost"] == 0
    assert restart["doubled"] >= 0
    lost = {"gone_away", "lost_during_query", "connection_killed", "server_shutdown"}
    lost |= {"refused", "connect_failed", "pool_timeout"}
    assert set(found["errors"]["by_kind"]) <= lost


@pytest.mark.long
def test_the_ready_experiment_shows_what_pre_ping_is_worth(tmp_path: Path) -> None:
    """One short round of the first two of its pools, with fewer users."""
    plan = (SCENARIO.parent / "_idle_disconnects.toml").read_text()
    for long, short in SHORTER.items():
        plan = plan.replace(long, short)
    (tmp_path / "idle.toml").write_text("[[pool]]".join(plan.split("[[pool]]")[:3]))
    shutil.copy(SCENARIO, tmp_path)
    command = loadtest_command("compare", tmp_path / "idle.toml", "--results", tmp_path / "all")
    with running(tmp_path / "log", *command) as process:
        assert process.wait() in (0, 4, 5), process.output
    pools = json.loads((tmp_path / "all/latest/summary.json").read_text())["pools"]
    bare, pinging = (pool["faults"][0] for pool in pools)
    assert [pool["name"] for pool in pools] == ["as-it-comes", "pre-ping"]
    assert bare["fault"] == pinging["fault"] == "idle-drop:1.2s@1s+3s"
    assert bare["errors"] > 0
    assert pinging["errors"] == 0
    assert (bare["checked"] > 0, bare["lost"], pinging["lost"]) == (True, 0, 0)


def test_payments_that_vanish_or_come_twice_are_found(tmp_path: Path, url: URL) -> None:
    result = tmp_path / "run.jsonl"
    command = warm_locust_command(
        *("-f", SCENARIO, "--headless", "--only-summary", "-u", 5, "-r", 5),
        *("--results", result),
    )
    environment = {"LOADTEST_DATABASE_URL": url.render_as_string(hide_password=False)}
    with running(tmp_path / "log", *command, env=environment) as process:
        process.until(lambda: _paid(url) > 10, "some payments")
        _tamper(url)
        assert stop_with(process, signal.SIGTERM) == 0, process.output
    counters = total(read_run(result).intervals).counters
    paid = counters["requests"] - counters["failures"] - 5  # each user counts once
    assert (counters["sums.checked"], counters["sums.lost"]) == (paid, 3)
    assert counters["sums.doubled"] == 2


def _paid(url: URL) -> int:
    with suppress(ProgrammingError):  # the tables are being made
        return _do(url, "SELECT COUNT(*) FROM loadtest_down_payment")
    return 0


def _tamper(url: URL) -> None:
    """Delete three of the first payments, which are surely confirmed, and pay two others again."""
    _do(url, "DELETE FROM loadtest_down_payment ORDER BY id LIMIT 3")
    again = "SELECT customer, number FROM loadtest_down_payment ORDER BY id LIMIT 2"
    _do(url, f"INSERT INTO loadtest_down_payment (customer, number) {again}")


def _do(url: URL, statement: str) -> int:
    engine = create_engine(url, poolclass=NullPool, connect_args={"ssl_disabled": True})
    with engine.begin() as connection:
        done = connection.execute(text(statement))
        return int(done.scalar() or 0) if done.returns_rows else done.rowcount


def _serves(process: Running) -> bool:
    """Whether a server of its is there."""
    for one in process.alive():
        with suppress(psutil.NoSuchProcess):  # others may end meanwhile
            if one.name() in SERVER_PROCESSES:
                return True
    return False


def _away(log: Path, results: Path) -> Any:
    fault = ("--fault", "restart@1s+80s", "-t", "90s")
    return running(log, *loadtest_command(*LOAD, *fault, "--results", results))


def _until_away(process: Running, results: Path) -> None:
    process.until(lambda: list(results.glob("*/runs/*.jsonl")), "the run to begin")
    process.until(lambda: not _serves(process), "the server to be away")


@pytest.mark.long
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_run_that_is_ended_while_the_server_is_away_ends_in_good_order(
    tmp_path: Path, number: signal.Signals
) -> None:
    with _away(tmp_path / "log", tmp_path / "results") as process:
        _until_away(process, tmp_path / "results")
        code = stop_with(process, number)

    assert code in (0, 4), process.output
    assert "Traceback" not in process.output
    (path,) = (tmp_path / "results" / "latest").glob("runs/*.jsonl")
    run = read_run(path)
    assert list(run.problems) == []
    assert run.footer is not None
    assert str(run.footer.end) == "interrupted"
    assert (run.footer.faults[0].end or math.inf) <= time.time()


@pytest.mark.long
def test_a_run_that_is_killed_while_the_server_is_away_leaves_nothing(tmp_path: Path) -> None:
    with _away(tmp_path / "log", tmp_path / "results") as process:
        _until_away(process, tmp_path / "results")
        stop_with(process, signal.SIGKILL)

    assert process.gone()
