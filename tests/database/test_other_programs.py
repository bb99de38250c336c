"""The processor time of other programs, from two looks at all processes."""

from __future__ import annotations

import os
import subprocess
import sys
from types import SimpleNamespace
from typing import Any

import psutil
import pytest

from loadtest.database.preflight import other_programs
from loadtest.database.preflight.other_programs import OtherPrograms, ProcessUse

Used = dict[tuple[int, float], ProcessUse]


def shares(monkeypatch: pytest.MonkeyPatch, before: Used, after: Used, *own: int) -> dict[str, Any]:
    """The shares in a run of ten seconds on two processors. own: the run's own processes."""
    looks, clock = [before, after], [100.0, 110.0]
    monkeypatch.setattr(other_programs, "_used", lambda: looks.pop(0))
    monkeypatch.setattr(other_programs, "_own", lambda now: set(own))
    now = SimpleNamespace(monotonic=lambda: clock.pop(0))
    monkeypatch.setattr(other_programs, "time", now)
    monkeypatch.setattr(other_programs.os, "cpu_count", lambda: 2)
    return {one["name"]: one["share"] for one in OtherPrograms().shares()}


def use(name: str, seconds: float, parent: int = 1) -> ProcessUse:
    return ProcessUse(name, parent, seconds)


def test_the_difference_counts_and_new_processes_count_in_full(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    before: Used = {(10, 5.0): use("gzip", 100.0)}
    new: Used = {(11, 104.0): use("cc1", 3.0), (12, 105.0): use("cc1", 1.0)}
    after = {(10, 5.0): use("gzip", 108.0), **new}
    assert shares(monkeypatch, before, after) == {"gzip": 0.4, "cc1": 0.2}


def test_a_slow_look_at_all_processes_is_a_part_of_the_time(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    clock = [100.0]

    def slow_look() -> Used:
        """Each program uses a processor. It counts at the begin of the first look."""
        began, clock[0] = clock[0], clock[0] + 0.2
        counted = began if began == 100.0 else clock[0]
        return {(n, 5.0): use(name, counted) for n, name in enumerate(("gzip", "cc1"))}

    monkeypatch.setattr(other_programs, "_used", slow_look)
    monkeypatch.setattr(other_programs, "time", SimpleNamespace(monotonic=lambda: clock[0]))
    monkeypatch.setattr(other_programs.os, "cpu_count", lambda: 2)
    monkeypatch.setattr(other_programs, "_own", lambda now: set())
    others = OtherPrograms()
    clock[0] += 1.0
    assert [one["share"] for one in others.shares()] == [0.5, 0.5]


def test_a_number_that_is_used_again_is_another_process(monkeypatch: pytest.MonkeyPatch) -> None:
    before: Used = {(10, 5.0): use("gzip", 100.0)}
    assert shares(monkeypatch, before, {(10, 101.0): use("gzip", 2.0)}) == {"gzip": 0.1}


def test_an_ended_process_counts_for_its_parent_from_the_beginning_of_the_run_on(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    make, shell, compiler = (10, 5.0), (11, 90.0), (12, 91.0)
    before: Used = {
        make: use("make", 40.0),
        shell: use("sh", 1.0, parent=10),
        compiler: use("cc1", 7.0, parent=11),
    }
    # In the run: 1 s of the shell and 3 s of the compiler; then both ended.
    after: Used = {make: use("make", 40.0 + 2.0 + 10.0)}
    assert shares(monkeypatch, before, after) == {"make": 0.2}


def test_a_process_whose_parent_does_not_wait_for_it_is_lost(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    before: Used = {(10, 5.0): use("shell", 4.0), (11, 90.0): use("gzip", 9.0, parent=10)}
    assert shares(monkeypatch, before, {(10, 5.0): use("shell", 5.0)}) == {}


def test_the_run_itself_and_database_servers_are_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    names = ("python", "mariadbd", "python")
    after: Used = {(7 + n, 1.0): use(name, 2.0) for n, name in enumerate(names)}
    assert shares(monkeypatch, {}, after, 7) == {"python": 0.1}


def test_the_busiest_five_are_listed_and_trifles_are_not(monkeypatch: pytest.MonkeyPatch) -> None:
    after: Used = {(n, 1.0): use(f"p{n}", n / 5) for n in range(9)}
    found = shares(monkeypatch, {}, after)
    assert list(found) == ["p8", "p7", "p6", "p5", "p4"]
    assert shares(monkeypatch, {}, {(1, 1.0): use("p", 0.1)}) == {}


def test_the_commands_that_led_here_and_what_this_process_started_are_its_own() -> None:
    child = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    try:
        own = other_programs._own(other_programs._used())
        assert {os.getpid(), os.getppid(), child.pid} <= own
    finally:
        child.communicate(b"\n")


def test_a_process_that_ends_meanwhile_costs_no_result(monkeypatch: pytest.MonkeyPatch) -> None:
    class Ended(psutil.Process):
        def cmdline(self) -> list[str]:
            raise psutil.NoSuchProcess(self.pid)

        def parents(self) -> list[psutil.Process]:
            raise psutil.NoSuchProcess(self.pid)

    monkeypatch.setattr(psutil, "Process", Ended)
    assert all(one["share"] >= other_programs.LEAST_SHARE for one in OtherPrograms().shares())


def test_a_family_is_known_from_one_look_at_all_processes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(other_programs, "_is_command", lambda pid: pid in (3, 4))
    monkeypatch.setattr(other_programs.os, "getpid", lambda: 5)
    parents = {1: 0, 2: 1, 3: 2, 4: 3, 5: 4, 6: 5, 7: 3, 8: 7, 9: 2, 10: 99}
    now: Used = {(pid, 1.0): use("python", 1.0, parent) for pid, parent in parents.items()}
    assert other_programs._own(now) == {1, 2, 3, 4, 5, 6, 7, 8}


def test_all_processes_are_looked_at() -> None:
    used = other_programs._used()
    me = psutil.Process()
    mine = used[(me.pid, me.create_time())]
    assert (mine.name, mine.parent) == (me.name(), me.ppid())
    assert mine.seconds > 0
