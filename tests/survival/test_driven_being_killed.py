"""The tool is killed while it drives an application: nothing stays but the results so far.

KILLS is the number of kills, SEED that of their random moments.
"""

from __future__ import annotations

import os
import random
import shlex
import shutil
import signal
import socket
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from pathlib import Path

import psutil
import pytest

from loadtest.report.render import render
from loadtest.runfile.reader import read_run
from tests.driving.applications import ENGINE, VISITORS, drive
from tests.processes import Running, free_port, loadtest_command, running
from tests.survival.scene import (
    assert_nothing_left,
    assert_sound_so_far,
    being_made,
    run_files,
    seconds_measured,
    servers,
)

pytestmark = [pytest.mark.server, pytest.mark.long]

# Each start leaves a letter in a file. The engine is made before the port is open.
SHOP = """
import os, signal, sys, time
from sqlalchemy import create_engine, text

open("starts", "a").write("s")
engine = create_engine(os.environ["SHOP_URL"])

def shop(environ, start_response):
    with engine.connect() as connection:
        connection.execute(text("SELECT 1")).all()
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [b"ok"]
"""
SERVE = """
from socketserver import ThreadingMixIn
from wsgiref.simple_server import WSGIServer, make_server

class Server(ThreadingMixIn, WSGIServer):
    daemon_threads = True

make_server("127.0.0.1", int(sys.argv[1]), shop, Server).serve_forever()
"""
# It and its child ignore SIGTERM.
STUBBORN = """
signal.signal(signal.SIGTERM, signal.SIG_IGN)
if not os.fork():
    time.sleep(600)
"""
# It has two daemons, which ignore SIGTERM; one of them has a connection.
DAEMONS = """
def daemon(connected):
    if os.fork():
        return os.wait()
    os.setsid()
    if os.fork():
        os._exit(0)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    if connected:
        engine.dispose(close=False)
        engine.connect()
    time.sleep(600)

daemon(True)
daemon(False)
"""
PREPARE = """
import time
open("preparations", "a").write("p")
time.sleep(0.5)
"""
GUNICORN = [sys.executable, "-m", "gunicorn", "--workers", "2", "--bind", "127.0.0.1:{port}"]
APPLICATIONS = {
    "stubborn": (SHOP + STUBBORN + SERVE, [sys.executable, "app.py", "{port}"]),
    "daemons": (SHOP + DAEMONS + SERVE, [sys.executable, "app.py", "{port}"]),
    "gunicorn": (SHOP, [*GUNICORN, "app:shop"]),
}
Moment = Callable[[Running, Path], object]


def _size(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0


def _runs(folder: Path) -> list[Path]:
    """The files of runs, without the recordings of their application, oldest first."""
    return [one for one in run_files(folder / "reports") if one.parent.name == "runs"]


def _ended(folder: Path) -> int:
    """The number of runs whose load has ended; their application may still run."""
    return sum('"type":"footer"' in path.read_text() for path in _runs(folder))


MOMENTS: dict[str, Moment] = {
    "its server is being made": lambda tool, _: being_made(tool),
    "the look has begun": lambda _, folder: _size(folder / "starts") >= 1,
    "a run is prepared": lambda _, folder: _size(folder / "preparations") >= 2,
    "a run's application starts": lambda _, folder: _size(folder / "starts") >= 2,
    "a run warms up": lambda _, folder: _runs(folder),
    "a run measures": lambda _, folder: [
        one for one in _runs(folder) if seconds_measured(one) >= 2
    ],
    "the load has ended": lambda _, folder: _ended(folder) >= 1,
    "the second run measures": lambda _, folder: len(_runs(folder)) >= 2,
}
KILLS, SEED = int(os.environ.get("KILLS", "4")), os.environ.get("SEED", "1")


@pytest.fixture
def temporary() -> Iterator[Path]:
    """A folder for temporary files of all users, outside of a folder that others cannot read."""
    folder = Path(tempfile.mkdtemp(prefix="killed-"))
    folder.chmod(0o1777)
    yield folder
    shutil.rmtree(folder)


def comparing(folder: Path, kind: str) -> tuple[int, list[str]]:
    """The port of an application, and a command with two runs of it."""
    code, words = APPLICATIONS[kind]
    (folder / "app.py").write_text(code)
    (folder / "prepare.py").write_text(PREPARE)
    (folder / "visitors.py").write_text(VISITORS.format(path="/rows"))
    port = free_port()
    application = shlex.join([word.format(port=port) for word in words])
    return port, loadtest_command(
        *("compare", "visitors.py", "--app", application, "--ready", f"http://127.0.0.1:{port}/"),
        *("--app-env", "SHOP_URL={database_url}", "--app-stop-timeout", "1s"),
        *("--app-prepare", shlex.join([sys.executable, "prepare.py"])),
        *("--pool", "1+0", "--pool", "2+0", "--rounds", "1", "-u", "2", "--no-try"),
        *("-t", "4s", "--warmup", "1s", "--fault", "latency:1ms"),
    )


@pytest.mark.parametrize("number", range(KILLS))
def test_a_tool_that_is_killed_leaves_nothing_but_its_results(
    tmp_path: Path, temporary: Path, number: int
) -> None:
    chance = random.Random(f"{SEED} {number}")
    kind, moment = list(APPLICATIONS)[number % 3], 3 * number % len(MOMENTS)
    port, command = comparing(tmp_path, kind)
    env = {"TMPDIR": str(temporary)}
    with running(tmp_path / "log", *command, cwd=tmp_path, env=env) as tool:
        _until(tool, tmp_path, moment)
        time.sleep(chance.uniform(0, 1.5))
        ports = {port, *map(_port, servers(tool, "--port="))} - {None}
        measured = {path: seconds_measured(path) for path in _runs(tmp_path)}
        tool.signal(signal.SIGKILL)
        tool.process.wait()
        assert_nothing_left(tool)
    assert list(temporary.iterdir()) == []
    assert [one for one in ports if _is_open(one)] == []
    _assert_readable(tmp_path, measured)


def _until(tool: Running, folder: Path, number: int) -> None:
    """Wait for a moment, and for those before it, each of which takes its time."""
    moments = list(MOMENTS.items())
    # The first one passes, the others stay true.
    for moment, has_come in moments[min(1, number) : number + 1]:
        tool.until(lambda now=has_come: now(tool, folder), f"that {moment}")


def _port(server: psutil.Process) -> int | None:
    """The port in the command line of a server, if it still runs."""
    with suppress(psutil.Error):
        for word in server.cmdline():
            if word.startswith("--port="):
                return int(word.partition("=")[2])
    return None


def _is_open(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def _assert_readable(folder: Path, measured: Mapping[Path, int]) -> None:
    """Everything that was in a run's file is still there, and a report can be made of it."""
    for path, had in measured.items():
        if had:
            assert_sound_so_far(path, had)
    if any(any(read_run(path).measured()) for path, had in measured.items() if had):
        (results,) = (folder / "reports").glob("*-*")
        assert render([results], folder / "again").pools
        # A run that has no file yet may have begun to record.
        left = results.glob("runs/*.app")
        assert not [one for one in left if one.with_suffix(".jsonl").exists()]


DAEMON = """
import os, signal, sys, time
if os.fork():
    sys.exit()
os.setsid()
if os.fork():
    os._exit(0)
signal.signal(signal.SIGTERM, signal.SIG_IGN)
"""


def test_an_application_that_leaves_its_command_is_refused_and_ended(tmp_path: Path) -> None:
    run = drive(tmp_path, "-t", "2s", engine=f"{DAEMON}{ENGINE}")
    assert run.code in (1, 2), run.process.output
    assert "the application ended with exit code 0" in run.process.output
