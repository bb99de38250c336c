"""The processor time of other programs, from two looks at all processes."""

from __future__ import annotations

import os
import subprocess
import sys
from types import SimpleNamespace
from typing import Any

import psutil
import pytest

from loadtest.load import other_programs
from loadtest.load.other_programs import OtherPrograms

Used = dict[tuple[int, str, float], float]


def shares(monkeypatch: pytest.MonkeyPatch, before: Used, after: Used, *own: int) -> dict[str, Any]:
    """The shares in a run of ten seconds on two processors. own: the run's own processes."""
    looks, clock = [before, after], [100.0, 110.0]
    monkeypatch.setattr(other_programs, "_used", lambda: looks.pop(0))
    monkeypatch.setattr(other_programs, "_own", lambda: set(own))
    now = SimpleNamespace(monotonic=lambda: clock.pop(0))
    monkeypatch.setattr(other_programs, "time", now)
    monkeypatch.setattr(other_programs.os, "cpu_count", lambda: 2)
    return {one["name"]: one["share"] for one in OtherPrograms().shares()}


def test_the_difference_counts_and_new_processes_count_in_full(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    before: Used = {(1, "gzip", 5.0): 100.0}
    after: Used = {(1, "gzip", 5.0): 108.0, (2, "cc1", 104.0): 3.0, (3, "cc1", 105.0): 1.0}
    assert shares(monkeypatch, before, after) == {"gzip": 0.4, "cc1": 0.2}


def test_a_number_that_is_used_again_is_another_process(monkeypatch: pytest.MonkeyPatch) -> None:
    before: Used = {(1, "gzip", 5.0): 100.0}
    assert shares(monkeypatch, before, {(1, "gzip", 101.0): 2.0}) == {"gzip": 0.1}


def test_the_run_itself_and_database_servers_are_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    after: Used = {(7, "python", 1.0): 9.0, (8, "mariadbd", 1.0): 9.0, (9, "python", 1.0): 2.0}
    assert shares(monkeypatch, {}, after, 7) == {"python": 0.1}


def test_the_busiest_five_are_listed_and_trifles_are_not(monkeypatch: pytest.MonkeyPatch) -> None:
    after: Used = {(n, f"p{n}", 1.0): n / 5 for n in range(9)}
    found = shares(monkeypatch, {}, after)
    assert list(found) == ["p8", "p7", "p6", "p5", "p4"]
    assert shares(monkeypatch, {}, {(1, "p", 1.0): 0.1}) == {}


def test_the_commands_that_led_here_and_what_this_process_started_are_its_own() -> None:
    child = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    try:
        own = other_programs._own()
        assert {os.getpid(), os.getppid(), child.pid} <= own
    finally:
        child.communicate(b"\n")


def test_all_processes_are_looked_at() -> None:
    used = other_programs._used()
    me = psutil.Process()
    assert used[(me.pid, me.name(), me.create_time())] > 0
