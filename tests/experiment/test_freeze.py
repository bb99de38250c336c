"""A server that freezes for a while: what an open loop sees of it, and a closed one does not."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import psutil
import pytest
from sqlalchemy import URL, text
from sqlalchemy.engine import create_engine
from sqlalchemy.pool import NullPool

from loadtest.database.private_server import PrivateServer
from loadtest.experiment.faults.schedule import FaultSchedule
from loadtest.model.fault import Fault
from loadtest.runfile.reader import read_run
from tests.experiment.outcomes import Done, side_by_side
from tests.findings.runs import SCENARIOS
from tests.processes import Running, loadtest_command, running, stop_with

QUERY = SCENARIOS / "query.py"
FAULT = ("--fault", "freeze@3s+2s")
LOAD = ("run", QUERY, "--pool", "10+0", "-t", "8s", "--warmup", "1s", "--no-try", "--quiet")
RUNS = {
    "open": ("--arrival-rate", 60, *FAULT),
    "closed": ("-u", 10, *FAULT),
    "undisturbed": ("-u", 10),
}
Loadtest = Callable[..., "subprocess.CompletedProcess[str]"]


def rates(done: Done) -> list[float]:
    """The requests per second in each second of the measured time."""
    measured = [i for i in done.run.measured() if i.length > 5e8]
    return [i.counters["requests"] * 1e9 / i.length for i in measured]


@pytest.fixture(scope="module")
def done(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Done]:
    commands = {name: (*LOAD, *given) for name, given in RUNS.items()}
    # Four: whatever else this machine does.
    return side_by_side(tmp_path_factory.mktemp("faults"), commands, codes=(0, 4))


@pytest.mark.server
@pytest.mark.long
def test_an_open_loop_sees_the_stall_in_its_percentiles(done: dict[str, Done]) -> None:
    found = done["open"]

    # 120 of 480 were due while the server did not answer.
    assert found.pool["request_seconds"]["p99"] > 1
    assert found.pool["request_seconds"]["p90"] > 0.5
    assert found.pool["request_seconds"]["p50"] < 1
    assert found.pool["errors"]["rate"] == 0
    assert found.pool["dropped"] == 0
    assert "unseen_stall" not in found.findings


@pytest.mark.server
@pytest.mark.long
def test_a_closed_loop_does_not_and_says_what_it_did_not_ask(done: dict[str, Done]) -> None:
    found = done["closed"]

    evidence = found.findings["unseen_stall"]["evidence"]
    assert found.pool["request_seconds"]["p95"] < 1
    assert 1 <= evidence["seconds"] <= 4
    # Of the seconds in which the server froze and thawed one may have half of its requests.
    assert evidence["usual"] <= evidence["never_sent"] <= 3.5 * evidence["usual"]
    assert f"--arrival-rate {evidence['usual']:.0f}" in found.findings["unseen_stall"]["message"]


@pytest.mark.server
@pytest.mark.long
def test_an_undisturbed_closed_loop_has_no_stall(done: dict[str, Done]) -> None:
    assert "unseen_stall" not in done["undisturbed"].findings
    assert done["undisturbed"].run.header.load.faults == ()


@pytest.mark.server
@pytest.mark.long
@pytest.mark.parametrize("name", ["open", "closed"])
def test_the_server_goes_on_afterwards(done: dict[str, Done], name: str) -> None:
    seen = rates(done[name])

    assert min(seen) < 20
    assert done[name].run.footer is not None
    assert str(done[name].run.footer.end) == "finished"
    assert seen[-1] > 30


@pytest.mark.server
@pytest.mark.long
@pytest.mark.parametrize("name", ["open", "closed"])
def test_the_result_says_what_was_provoked(done: dict[str, Done], name: str) -> None:
    header = done[name].run.header

    assert header.load.faults == (Fault(kind="freeze", at=3, length=2),)
    assert "fault" not in header.command  # who repeats it by hand has no server to freeze


def _frozen(process: Running) -> psutil.Process | None:
    for one in process.alive():
        with suppress(psutil.NoSuchProcess):  # others may end meanwhile
            if one.name() in ("mariadbd", "mysqld") and one.status() == psutil.STATUS_STOPPED:
                return one
    return None


def _frozen_run(log: Path, results: Path) -> Any:
    load = ("run", QUERY, "-u", 5, "-t", "90s", "--warmup", "0s", "--fault", "freeze@2s+80s")
    return running(log, *loadtest_command(*load, "--no-try", "--results", results))


@pytest.mark.server
@pytest.mark.long
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_run_that_is_ended_while_the_server_is_frozen_ends_in_good_order(
    tmp_path: Path, number: signal.Signals
) -> None:
    with _frozen_run(tmp_path / "log", tmp_path / "results") as process:
        server = process.until(lambda: _frozen(process), "the server to freeze")
        assert server.is_running()
        code = stop_with(process, number)

    assert code in (0, 4), process.output
    assert "Traceback" not in process.output
    folder = tmp_path / "results" / "latest"
    (path,) = folder.glob("runs/*.jsonl")
    run = read_run(path)
    assert list(run.problems) == []
    assert run.footer is not None
    assert str(run.footer.end) == "interrupted"
    assert (folder / "report.html").exists()


@pytest.mark.server
@pytest.mark.long
def test_a_run_that_is_killed_leaves_no_frozen_server(tmp_path: Path) -> None:
    with _frozen_run(tmp_path / "log", tmp_path / "results") as process:
        process.until(lambda: _frozen(process), "the server to freeze")
        stop_with(process, signal.SIGKILL)

    assert process.gone()


# In a process of its own, as the command has it: threads and clocks are real ones there.
PROVOKE = """
import time
from loadtest.database.private_server import PrivateServer
from loadtest.experiment.faults.schedule import FaultSchedule
from loadtest.model.fault import Fault

def state():
    return server.process.status()

def until(wanted):
    end = time.monotonic() + 60
    while (state() == "stopped") != wanted:
        assert time.monotonic() < end, (state(), wanted)
        time.sleep(0.01)

freeze = lambda at, length: Fault(kind="freeze", at=at, length=length)
with PrivateServer() as server:
    now = time.time()
    with FaultSchedule([freeze(0.2, 0.3), freeze(1.0, 3600)], server.url, server).provoked(now):
        until(True)
        assert time.time() - now >= 0.2
        until(False)
        assert time.time() - now >= 0.5
        until(True)
        assert time.time() - now >= 1.0
    until(False)
    with FaultSchedule([freeze(3600, 1)], server.url, server).provoked(time.time()):
        pass
    with FaultSchedule([freeze(0, 3600)], server.url, server).provoked(float("inf")):
        assert state() != "stopped"
    print("sound")
"""


@pytest.mark.server
def test_faults_come_when_they_are_due_and_are_over_when_nobody_wants_them() -> None:
    ended = subprocess.run(
        [sys.executable, "-c", PROVOKE], capture_output=True, text=True, timeout=120, check=False
    )

    assert ended.stdout == "sound\n", ended.stderr


@pytest.mark.server
def test_connections_outlive_a_freeze(server: PrivateServer) -> None:
    engine = create_engine(server.url, poolclass=NullPool, connect_args={"ssl_disabled": True})
    with engine.connect() as connection:
        before = connection.scalar(text("SELECT CONNECTION_ID()"))
        freeze = Fault(kind="freeze", at=0, length=0.2)
        with FaultSchedule([freeze], server.url, server).provoked(0):
            assert connection.scalar(text("SELECT CONNECTION_ID()")) == before
    engine.dispose()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--fault", "freeze@9s+2s"), "fault freeze@9s+2s ends after the measured time of 10 s"),
        (
            ("--fault", "melt@1s+1s"),
            "kind: unknown fault 'melt'; the faults are kill, restart, freeze",
        ),
        (("--fault", "freeze"), "--fault freeze: freeze needs a length"),
        (("--fault", "freeze@1s+0s"), "length: must be above 0"),
        (("--fault", "freeze@soon+1s"), "at: 'soon' is not a duration"),
        (("--arrivals", "even"), "arrivals: requires an arrival_rate"),
        (("--arrival-rate", 5, "--arrivals", "odd"), "arrivals: must be 'poisson' or"),
        (("--arrival-rate", 0), "--arrival-rate: must be above 0"),
    ],
)
def test_what_cannot_be_is_refused(
    loadtest: Loadtest, tmp_path: Path, arguments: tuple[Any, ...], message: str
) -> None:
    ended = loadtest("run", QUERY, "-t", "10s", "--results", tmp_path, *arguments)

    assert ended.returncode == 2, ended.stderr
    assert message in ended.stderr
    assert "Traceback" not in ended.stderr
    assert list(tmp_path.iterdir()) == []


@pytest.mark.server
def test_a_database_of_yours_is_not_frozen(loadtest: Loadtest, tmp_path: Path, url: URL) -> None:
    given = ("--database-url", url.render_as_string(hide_password=False))
    ended = loadtest("run", QUERY, *FAULT, *given, "--results", tmp_path)

    assert ended.returncode == 2, ended.stderr
    assert (
        "freeze@3s+2s: only a private server can be frozen; leave out --database-url"
        in ended.stderr
    )
    assert str(url.password) not in ended.stderr
    assert list(tmp_path.iterdir()) == []
