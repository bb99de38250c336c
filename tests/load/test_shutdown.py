"""The end of a run: each step is taken, and what failed is how the run ended."""

from __future__ import annotations

from locust.env import Environment
from locust.event import Events

from argparse import Namespace
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from loadtest.load.plugin import Plugin
from loadtest.load.run_output import RunOutput
from loadtest.load.shutdown import attempt
from loadtest.load.ticker import Ticker
from loadtest.model.end_reason import end_of
from loadtest.model.errors import LoadtestError, ServerInTrouble, UsageError
from loadtest.model.interval import Interval
from loadtest.pool.recorder import Recorder
from loadtest.runfile.reader import read_run


def fail() -> None:
    raise ZeroDivisionError("on purpose")


def refuse() -> None:
    raise UsageError("not like this")


def test_every_step_is_taken_and_each_failure_is_told_as_an_error_for_a_person() -> None:
    taken: list[str] = []
    told: list[LoadtestError] = []
    for step in (fail, lambda: taken.append("first"), refuse, lambda: taken.append("second")):
        attempt(step, told.append)
    assert taken == ["first", "second"]
    assert [(str(error), error.exit_code) for error in told] == [
        ("a step at the end of the run failed: ZeroDivisionError: on purpose", 1),
        ("not like this", 2),
    ]


class Ending:
    """A run of this process that has come to its end, and what its last steps did."""

    def __init__(self, path: Path, reason: str = "finished", master: Any = None) -> None:
        self.path, self.done = path, list[str]()
        options = Namespace(
            headless=True, driving=False, results=str(path), run_name="", round=1, run_time=1
        )
        self.environment = Environment(events=Events())
        self.environment.parsed_options = options
        self.plugin = Plugin(self.environment, SimpleNamespace())
        self.plugin.master = master
        self.run = self.plugin.run = self.plugin._new_run()
        header = {"pool": {"name": "5+10"}, "scenario": {"files": ["a.py"]}}
        self.run.write_to(RunOutput(options, self.plugin.live, header))
        self.run.end = end_of(reason)

    def step(self, name: str) -> Callable[[], None]:
        return lambda: self.done.append(name)

    def end(self, *steps: Callable[[], None]) -> str:
        """Stop, with these steps to take; why the run ended, as its result file has it."""
        for step in steps:
            self.run.at_end(step)
        self.plugin._on_stop(self.environment)
        footer = read_run(self.path).footer
        assert footer, "it has an end"
        return str(footer.end)


FAILED = "failed: a step at the end of the run failed: ZeroDivisionError: on purpose"


def test_what_was_opened_last_is_closed_first_and_each_thing_once(tmp_path: Path) -> None:
    run = Ending(tmp_path / "run.jsonl")
    assert run.run.under_way
    run.end(run.step("status"), run.step("engine"), run.step("ticker"))
    run.plugin._on_stop(run.environment)
    assert run.done == ["ticker", "engine", "status"]
    assert not run.run.under_way


def test_the_last_interval_of_a_ticker_is_written_and_then_the_end(tmp_path: Path) -> None:
    run = Ending(tmp_path / "run.jsonl")
    ticker = SimpleNamespace(stop=lambda: run.run.take(Interval(7, "here", "drain")))
    run.run.add_ticker(cast(Ticker, ticker))
    assert run.end() == "finished"
    assert [interval.second for interval in read_run(run.path).intervals] == [7]


def test_a_step_that_raises_keeps_no_other_from_its_turn(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    run = Ending(tmp_path / "run.jsonl")
    reason = run.end(run.step("engine"), fail, run.step("lag"), run.step("ticker"), fail)
    assert run.done == ["ticker", "lag", "engine"]
    assert reason == FAILED
    assert run.environment.process_exit_code == 1
    assert "on purpose" in caplog.text
    assert (run.run.output, run.plugin.target) == (None, None)


def test_a_run_whose_steps_all_succeed_ends_as_it_did(tmp_path: Path) -> None:
    run = Ending(tmp_path / "run.jsonl")
    assert run.end(run.step("engine"), run.step("ticker")) == "finished"
    assert run.environment.process_exit_code is None


def test_the_first_failure_is_why_a_run_ended(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    trouble = str(ServerInTrouble("it refused 10 connections of others").end)
    run = Ending(tmp_path / "run.jsonl", trouble)
    assert run.end(fail) == trouble
    assert "on purpose" in caplog.text


def test_a_period_that_cannot_be_cut_off_does_not_hold_up_the_end(tmp_path: Path) -> None:
    def enter(period: str) -> None:
        fail()

    run = Ending(tmp_path / "run.jsonl", "")
    run.environment.stop_timeout = 0
    entered: list[str] = []
    for each in (enter, entered.append):
        ticker = SimpleNamespace(enter=each, stop=run.step("stop"))
        run.run.add_ticker(cast(Ticker, ticker))
    run.plugin._on_stopping(run.environment)
    assert entered == ["drain"]
    assert run.end() == FAILED
    assert run.done == ["stop", "stop"]


def test_a_worker_tells_its_master_before_it_says_that_no_more_will_come(tmp_path: Path) -> None:
    told: list[str] = []
    done: list[str] = []
    master = SimpleNamespace(
        refuse=lambda error: told.append(str(error)), last=lambda: done.append("last")
    )
    run = Ending(tmp_path / "run.jsonl", master=master)
    run.end(fail, lambda: done.extend(told), fail)
    assert done == ["a step at the end of the run failed: ZeroDivisionError: on purpose", "last"]
    assert len(told) == 1


def test_of_the_targets_of_runs_only_those_with_open_connections_are_kept(tmp_path: Path) -> None:
    run = Ending(tmp_path / "run.jsonl")
    closed, forgotten = (SimpleNamespace(recorder=Recorder()) for _ in range(2))
    forgotten.recorder.opened["a connection that a task forgot"] = 1
    run.plugin.users.targets = [cast(Any, closed), cast(Any, forgotten)]
    run.end()
    assert run.plugin.users.targets == [forgotten]


def test_what_cannot_be_cut_off_at_last_keeps_no_server_running(tmp_path: Path) -> None:
    run = Ending(tmp_path / "run.jsonl")
    assert run.end() == "finished"
    run.plugin.users.targets = [cast(Any, SimpleNamespace(cut_off=fail))]
    run.plugin.database = cast(
        Any, SimpleNamespace(made=True, close=run.step("server"), application=None)
    )
    run.plugin.close()
    assert run.done == ["server"]
