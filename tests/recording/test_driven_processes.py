"""Processes of a driven application: their ceiling, their forks, and their end with the tool."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from loadtest.recording.steering import tool_watch
from loadtest.recording.steering.tool_watch import ToolWatch
from loadtest.runfile.reader import Run
from tests.processes import running, until
from tests.recording.driven import ToolEnd, tool_end
from tests.recording.recorded import counted_in, python, runs_in

BEGIN = """
import asyncio, os, signal, sys, threading, time
from sqlalchemy import create_engine
from sqlalchemy.ext.asyncio import create_async_engine
from loadtest.model.errors import MoreThanAnnounced
engine = create_engine("sqlite:///shop.db", pool_size=1)
def refused():
    try:
        engine.connect()
    except MoreThanAnnounced as error:
        return str(error)
def close(held):
    for one in held:
        one.close()
"""
UNLIMITED = {"pool_size": 1, "max_overflow": -1}


@pytest.fixture
def tool(tmp_path: Path) -> Iterator[ToolEnd]:
    """A tool that reads what its application tells."""
    with tool_end(tmp_path) as end:
        yield end


def drive(tool: ToolEnd, script: str, **orders: Any) -> str:
    """What a driven application with this script prints; it prints no error."""
    said = python(BEGIN + script, cwd=tool.folder, env=tool.environment(**orders))
    assert said.stderr == ""
    return said.stdout


def recorded(tool: ToolEnd) -> list[Run]:
    return runs_in(tool.folder / "recordings")


class TestCeiling:
    """A pool does not open more connections in a process than the tool has announced."""

    def test_a_checkout_that_needs_one_more_fails_and_is_counted(self, tool: ToolEnd) -> None:
        script = """
held = [engine.connect() for _ in range(2)]
print(refused(), refused())
held.pop().close()
engine.connect().close()
close(held)
"""
        said = drive(tool, script, pool=UNLIMITED, ceiling=2)
        words = "a checkout needed one connection more than the 2 announced for this process"
        assert said == f"{words} {words}\n"
        counters = counted_in(*recorded(tool))
        assert counters["beyond_announced"] == 2
        assert counters["checkouts"] == 3

    def test_an_async_engine_has_it_too(self, tool: ToolEnd) -> None:
        script = """
async def main():
    engine = create_async_engine("sqlite+aiosqlite:///shop.db")
    async def hold():
        async with engine.connect():
            await asyncio.sleep(0.2)
    done = await asyncio.gather(*[hold() for _ in range(5)], return_exceptions=True)
    print([type(one).__name__ for one in done if one])
    await engine.dispose()
asyncio.run(main())
"""
        said = drive(tool, script, pool=UNLIMITED, ceiling=2)
        assert said == f"{['MoreThanAnnounced'] * 3}\n"
        assert counted_in(*recorded(tool))["beyond_announced"] == 3

    def test_it_is_that_of_the_pool_that_is_meant(self, tool: ToolEnd) -> None:
        script = """
other = create_engine("sqlite:///logs.db", pool_size=1, max_overflow=-1)
held = [other.connect() for _ in range(4)]
print(refused())
held += [engine.connect(), engine.connect()]
print(refused())
close(held)
"""
        said = drive(tool, script, pool=UNLIMITED, ceiling=2, engine="shop")
        assert said.splitlines()[0] == "None"
        assert "the 2 announced" in said.splitlines()[1]

    def test_without_one_nothing_is_refused(self, tool: ToolEnd) -> None:
        drive(tool, "close([engine.connect() for _ in range(20)])", pool=UNLIMITED)
        assert counted_in(*recorded(tool))["beyond_announced"] == 0


class TestFork:
    """A child has the pool of its parent, and a ceiling of its own."""

    def test_the_tool_is_told_the_child_and_its_parent(self, tool: ToolEnd) -> None:
        script = """
child = os.fork()
if not child:
    grandchild = os.fork()
    if grandchild:
        os.waitpid(grandchild, 0)
        print(os.getpid(), grandchild)
    sys.exit()
os.waitpid(child, 0)
print(os.getpid())
"""
        child, grandchild, parent = map(int, drive(tool, script).split())
        assert tool.messages("fork") == [
            {"kind": "fork", "pid": child, "parent": parent},
            {"kind": "fork", "pid": grandchild, "parent": child},
        ]
        assert [one["pid"] for one in tool.messages()] == [parent]

    def test_a_process_without_engines_has_nothing_to_tell(self, tool: ToolEnd) -> None:
        script = """
import os, sys
import loadtest.recording.process_recorder
child = os.fork()
if child:
    os.waitpid(child, 0)
"""
        python(script, cwd=tool.folder, env=tool.environment())
        assert tool.messages("fork") == []

    def test_an_engine_that_the_child_makes_is_its_own(self, tool: ToolEnd) -> None:
        script = """
def make():
    return create_engine("sqlite:///logs.db")
make()
child = os.fork()
make()
if child:
    os.waitpid(child, 0)
    print(os.getpid(), child)
"""
        parent, child = map(int, drive(tool, script).split())
        assert [one["pid"] for one in tool.messages()] == [parent, parent, child]

    def test_connections_of_the_parent_do_not_count_in_the_child(self, tool: ToolEnd) -> None:
        script = """
held = [engine.connect() for _ in range(2)]
child = os.fork()
if not child:
    engine.dispose(close=False)
    held += [engine.connect() for _ in range(2)]
print(bool(refused()), flush=True)
close(held)
if child:
    os.waitpid(child, 0)
"""
        assert drive(tool, script, pool=UNLIMITED, ceiling=2) == "True\nTrue\n"
        assert [counted_in(run)["beyond_announced"] for run in recorded(tool)] == [1, 1]

    def test_connects_of_other_threads_of_the_parent_do_not_count_in_the_child(
        self, tool: ToolEnd
    ) -> None:
        script = """
from sqlalchemy import event
begun, go_on = threading.Event(), threading.Event()
@event.listens_for(engine, "do_connect")
def wait(*_):
    if threading.current_thread() is not threading.main_thread():
        begun.set()
        go_on.wait()
thread = threading.Thread(target=lambda: engine.connect().close())
thread.start()
begun.wait()
child = os.fork()
print(bool(refused()), flush=True)
if child:
    os.waitpid(child, 0)
    go_on.set()
    thread.join()
else:
    os._exit(0)
"""
        said = python(
            BEGIN + script,
            cwd=tool.folder,
            env={**tool.environment(pool=UNLIMITED, ceiling=1), "PYTHONWARNINGS": "ignore"},
        )
        assert sorted(said.stdout.split()) == ["False", "True"]


class TestEndOfTool:
    """A driven process ends itself when its tool is gone."""

    SERVER = """
engine.connect().close()
if {fork} and not os.fork():
    engine.connect().close()
print("ready", flush=True)
while True:
    time.sleep(0.05)
"""
    STUBBORN = """
from loadtest.recording.steering import tool_watch
tool_watch.SECONDS_TO_END = 0
signal.signal(signal.SIGTERM, signal.SIG_IGN)
"""

    def command(self, before: str = "", *, fork: bool = False) -> list[str]:
        return [sys.executable, "-c", BEGIN + before + self.SERVER.format(fork=fork)]

    def test_it_and_its_fork_end_by_a_signal_that_they_send_themselves(self, tool: ToolEnd) -> None:
        log, env = tool.folder / "log", tool.environment()
        with running(log, *self.command(fork=True), env=env, cwd=tool.folder) as server:
            server.until(lambda: server.output.count("ready") == 2, "both processes")
            until(lambda: len(tool.messages("fork")) == 1, "the fork")
            tool.close()
            assert server.wait() == -signal.SIGTERM
            until(server.gone, "the fork's end")
            assert server.output.count("the load test that drives this process is gone") == 2

    def test_one_that_does_not_end_is_killed(self, tool: ToolEnd) -> None:
        log, env = tool.folder / "log", tool.environment()
        with running(log, *self.command(self.STUBBORN), env=env, cwd=tool.folder) as server:
            server.until(lambda: "ready" in server.output, "the application")
            tool.close()
            assert server.wait() == -signal.SIGKILL

    def test_a_process_is_asked_once_and_then_killed(
        self, tool: ToolEnd, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        sent: list[int] = []
        times = [100.0, 101.0, 109.9, 110.0]
        system = SimpleNamespace(getpid=os.getpid, kill=lambda process, number: sent.append(number))
        monkeypatch.setattr(tool_watch, "os", system)
        monkeypatch.setattr(tool_watch, "time", SimpleNamespace(monotonic=lambda: times.pop(0)))
        watch = ToolWatch(tool.orders())
        watch.look()
        assert sent == []
        tool.close()
        for _ in range(3):
            watch.look()
        assert sent == [signal.SIGTERM]
        watch.look()
        assert sent == [signal.SIGTERM, signal.SIGKILL]

    def test_an_application_that_is_only_recorded_goes_on(self, tool: ToolEnd) -> None:
        tool.close()
        env = tool.environment()
        del env["LOADTEST_DRIVEN"]
        script = "engine.connect().close(); time.sleep(2.2); print('done')"
        said = python(BEGIN + script, cwd=tool.folder, env=env)
        assert (said.stdout, said.stderr) == ("done\n", "")
        assert len(recorded(tool)) == 1
