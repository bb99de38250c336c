"""How many processes of an application serve is read back, if a number was asked for."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import psutil
import pytest

from loadtest.experiment.driving import process_count
from loadtest.experiment.driving.process_count import (
    ProcessesUnderLoad,
    serving_processes,
    wait_for_processes,
)
from loadtest.experiment.driving.told_engines import ToldEngines
from loadtest.model.driven_application import DrivenApplication
from loadtest.model.errors import RefusedRun
from tests.driving.told import message

READY = "http://127.0.0.1:8800/"
MASTER = 10
ASKED = DrivenApplication(command="shop {app_processes}", ready=READY, processes="3")


class Process(NamedTuple):
    """Stands for a process of psutil."""

    parent: int
    state: str = psutil.STATUS_RUNNING

    def status(self) -> str:
        return self.state

    def ppid(self) -> int:
        return self.parent


class Machine:
    """The processes that run, and a clock that moves on while it waits.

    becomes: what happens at the next request or check, one after the other.
    """

    def __init__(self) -> None:
        self.processes = {MASTER: Process(1)}
        self.becomes = list[Callable[[], None]]()
        self.now, self.checks, self.requests = 0.0, 0, 0

    def process(self, pid: int) -> Process:
        if pid not in self.processes:
            raise psutil.NoSuchProcess(pid)
        return self.processes[pid]

    def monotonic(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds

    def check(self) -> None:
        self.checks += 1
        if self.becomes:
            self.becomes.pop(0)()

    def ask(self, *_: object) -> str:
        self.requests += 1
        return ""

    def fork(self, engines: ToldEngines, pid: int) -> None:
        """A child of the first process makes an engine."""
        self.processes[pid] = Process(MASTER)
        engines.hear([message(pid=pid)])


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch) -> Machine:
    made = Machine()
    monkeypatch.setattr(process_count.psutil, "Process", made.process)
    monkeypatch.setattr(process_count, "time", made)
    monkeypatch.setattr(process_count, "wait_until_ready", made.ask)
    return made


def test_a_process_that_started_the_others_serves_nothing(machine: Machine) -> None:
    machine.processes |= {n: Process(MASTER) for n in (11, 12)}
    machine.processes[13] = Process(MASTER, psutil.STATUS_ZOMBIE)
    assert serving_processes([MASTER, 11, 12, 13, 14]) == {11, 12}
    assert serving_processes([MASTER]) == {MASTER}


def test_processes_that_still_begin_are_waited_for(machine: Machine) -> None:
    engines = ToldEngines()
    for pid in (11, 12):
        machine.fork(engines, pid)
    machine.becomes = [lambda: None, lambda: machine.fork(engines, 13)]
    wait_for_processes(ASKED, engines, machine.check)
    assert (machine.checks, machine.requests) == (2, 2)  # `ready` may make their engines


def test_too_few_processes_refuse_the_run_and_the_message_tells_how_they_count(
    machine: Machine,
) -> None:
    engines = ToldEngines()
    machine.fork(engines, 11)
    with pytest.raises(RefusedRun) as refused:
        wait_for_processes(ASKED, engines, machine.check)
    assert str(refused.value) == (
        "requested 3 processes (--app-processes), but 1 with an engine runs after 10 s; a process "
        "counts as soon as it has made its engine: make it when the process starts, not in a "
        "request; or correct the place of {app_processes} in the command"
    )


def under_load(machine: Machine, *each: int) -> ProcessesUnderLoad:
    """The numbers of processes in the measured seconds of a load, if three were asked for."""
    counted = ProcessesUnderLoad(3)
    for second, number in enumerate(each):
        machine.processes = {n: Process(MASTER) for n in range(number)}
        counted.count(second, range(9))
    return counted


@pytest.mark.parametrize(
    "numbers",
    [
        [3] * 10,
        [3] * 9 + [2],  # a worker has ended at the end
        [3, 2, 3, 3, 3, 3, 3, 2, 3, 3],  # two workers were replaced
        [2, 3],  # a single second of a short load
        [],
    ],
)
def test_a_worker_that_ends_or_is_replaced_refuses_no_run(
    machine: Machine, numbers: list[int]
) -> None:
    under_load(machine, *numbers).check()


@pytest.mark.parametrize(
    ("numbers", "said"),
    [
        ([3] * 7 + [2] * 2 + [1], "but 2 with an engine ran in 3 of 10 measured seconds"),
        ([4] * 5, "but 4 with an engine ran in 5 of 5 measured seconds; every process that makes"),
        (
            [0, 1, 1],
            "but 1 with an engine ran in 3 of 3 measured seconds; a process that ends",
        ),
        ([1], "but 1 with an engine ran in 1 of 1 measured second"),
    ],
)
def test_another_number_for_a_notable_part_of_the_load_refuses_the_run(
    machine: Machine, numbers: list[int], said: str
) -> None:
    with pytest.raises(RefusedRun) as refused:
        under_load(machine, *numbers).check()
    assert f"requested 3 processes (--app-processes), {said}" in str(refused.value)


def test_without_a_requested_number_any_number_is_right(machine: Machine) -> None:
    engines = ToldEngines()
    machine.fork(engines, 11)
    wait_for_processes(DrivenApplication(command="shop", ready=READY), engines, machine.check)
    assert machine.checks == 0
    counted = ProcessesUnderLoad(None)
    counted.count(0, [11])
    counted.check()
