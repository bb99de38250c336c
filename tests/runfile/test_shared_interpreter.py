"""A recording gives the interpreter away after 0.2 ms, between its steps."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator

import pytest

from loadtest.model.steps import in_steps
from loadtest.runfile import shared_interpreter
from loadtest.runfile.line import as_written, to_line, verify_checksum
from loadtest.runfile.shared_interpreter import LONGEST_HOLD, let_others_run


class Time:
    """A clock that a test sets, and the pauses."""

    def __init__(self) -> None:
        self.now = 10**15
        self.pauses: list[float] = []

    def __call__(self) -> int:
        return self.now


@pytest.fixture
def time(monkeypatch: pytest.MonkeyPatch) -> Iterator[Time]:
    """The clock of `let_others_run`, which has just let others run in this thread."""
    with monkeypatch.context() as patches:
        one = Time()
        patches.setattr(shared_interpreter, "now", one)
        patches.setattr(shared_interpreter.time, "sleep", one.pauses.append)
        patches.setattr(shared_interpreter, "_latest", shared_interpreter._Latest())
        let_others_run()
        one.pauses.clear()
        yield one


def test_short_steps_follow_each_other_and_long_ones_do_not(time: Time) -> None:
    for _ in in_steps(range(20), let_others_run):
        time.now += LONGEST_HOLD // 4
    assert time.pauses == [0] * 5
    for _ in in_steps(range(3), let_others_run):
        time.now += LONGEST_HOLD
    assert time.pauses == [0] * 8


def test_each_thread_has_its_own_time(time: Time) -> None:
    thread = threading.Thread(target=let_others_run)
    thread.start()
    thread.join()
    assert time.pauses == [0]
    let_others_run()
    assert time.pauses == [0]


@pytest.mark.parametrize("number", [0, 1, 25, 26, 203])
def test_a_line_is_the_same_in_steps(number: int) -> None:
    record = {
        "type": "interval",
        "places": {f'shop "ä" {n}.py:{n} pay': {"checkouts": n} for n in range(number)},
        "counters": {},
        "examples": None,
        "shortages": [{"at": 1}],
    }
    steps: list[None] = []
    line = to_line(record, lambda: steps.append(None)).removesuffix(b"\n")
    verify_checksum(line)
    assert as_written(line) == record
    assert line.startswith(json.dumps(record, separators=(",", ":")).encode()[:-1])
    assert len(steps) == (-(-number // 25) if number > 25 else 0)
