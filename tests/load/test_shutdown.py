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
from loadtest.load.run_output import Output
from loadtest.load.shutdown import take_each
from loadtest.load.ticker import Ticker
from loadtest.load.workers.protocol import Master
from loadtest.model.end_reason import end_of
from loadtest.model.errors import LoadtestError, ServerInTrouble, UsageError
from loadtest.pool.recorder import Recorder
from loadtest.runfile.reader import read_run


def fail() -> None:
    raise ZeroDivisionError("on purpose")


def refuse() -> None:
    raise UsageError("not like this")


def test_every_step_is_taken_and_each_failure_is_told_as_an_error_for_a_person() -> None:
    taken: list[str] = []
    told: list[LoadtestError] = []
    steps: list[Callable[[], None]] = [
        *(fail, lambda: taken.append("first"), refuse, lambda: taken.append("second"))
    ]
    take_each(steps, told.append)
    assert taken == ["first", "second"]
    assert [(str(error), error.exit_code) for error in told] == [
        ("the run did not end in good order: ZeroDivisionError: on purpose", 1),
        ("not like this", 2),
    ]


class Ending:
    """A run of this process that has come to its end, and what its last steps did."""

    def __init__(self, path: Path, reason: str = "finished") -> None:
        self.path, self.done = path, list[str]()
        options = Namespace(headless=True, results=str(path), run_name="", round=1, run_time=1)
        self.environment = Environment(events=Events())
        self.environment.parsed_options = options
        self.plugin = Plugin(self.environment, SimpleNamespace())
        header = {"pool": {"name": "5+10"}, "scenario": {"files": ["a.py"]}}
        self.plugin.output = Output(options, self.plugin.live, header)
        self.plugin._end = end_of(reason)

    def step(self, name: str) -> Callable[[], None]:
        return lambda: self.done.append(name)

    def end(self, tickers: list[Any], *steps: Callable[[], None]) -> str:
        """Stop; why the run ended, as its result file has it."""
        self.plugin._tickers = [cast(Ticker, SimpleNamespace(stop=stop)) for stop in tickers]
        self.plugin._ended = list(steps)
        self.plugin._on_stop(self.environment)
        footer = read_run(self.path).footer
        assert footer, "it has an end"
        return str(footer.end)


FAILED = "failed: the run did not end in good order: ZeroDivisionError: on purpose"


def test_a_step_that_raises_keeps_no_other_from_its_turn(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    run = Ending(tmp_path / "run.jsonl")
    reason = run.end([fail, run.step("ticker")], run.step("lag"), fail, run.step("engine"))
    assert run.done == ["ticker", "lag", "engine"]
    assert reason == FAILED
    assert run.environment.process_exit_code == 1
    assert "on purpose" in caplog.text
    assert (run.plugin._tickers, run.plugin._ended, run.plugin.output) == ([], [], None)


def test_a_run_whose_steps_all_succeed_ends_as_it_did(tmp_path: Path) -> None:
    run = Ending(tmp_path / "run.jsonl")
    assert run.end([run.step("ticker")], run.step("engine")) == "finished"
    assert run.environment.process_exit_code is None


def test_the_first_failure_is_why_a_run_ended(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    trouble = str(ServerInTrouble("it refused 10 connections of others").end)
    run = Ending(tmp_path / "run.jsonl", trouble)
    assert run.end([], fail) == trouble
    assert "on purpose" in caplog.text


def test_a_period_that_cannot_be_cut_off_does_not_hold_up_the_end(tmp_path: Path) -> None:
    def enter(period: str) -> None:
        fail()

    run = Ending(tmp_path / "run.jsonl", "")
    run.environment.stop_timeout = 0
    entered: list[str] = []
    tickers = [SimpleNamespace(enter=enter), SimpleNamespace(enter=entered.append)]
    run.plugin._tickers = cast(list[Ticker], tickers)
    run.plugin._on_stopping(run.environment)
    assert entered == ["drain"]
    assert run.end([]) == FAILED


def test_a_worker_tells_its_master_before_it_says_that_no_more_will_come(tmp_path: Path) -> None:
    run = Ending(tmp_path / "run.jsonl")
    told: list[str] = []
    run.plugin.master = cast(
        Master,
        SimpleNamespace(refuse=lambda error: told.append(str(error)), last=run.step("last")),
    )
    run.end([], fail, lambda: run.done.extend(told), fail)
    assert run.done == ["the run did not end in good order: ZeroDivisionError: on purpose", "last"]
    assert len(told) == 1


def test_of_the_targets_of_runs_only_those_with_open_connections_are_kept(tmp_path: Path) -> None:
    run = Ending(tmp_path / "run.jsonl")
    closed, forgotten = (SimpleNamespace(recorder=Recorder()) for _ in range(2))
    forgotten.recorder.opened["a connection that a task forgot"] = 1
    run.plugin._targets = [cast(Any, closed), cast(Any, forgotten)]
    run.end([])
    assert run.plugin._targets == [forgotten]


def test_what_cannot_be_cut_off_at_last_keeps_no_server_running(tmp_path: Path) -> None:
    run = Ending(tmp_path / "run.jsonl")
    assert run.end([]) == "finished"
    run.plugin._targets = [cast(Any, SimpleNamespace(cut_off=fail))]
    run.plugin.place = cast(
        Any, SimpleNamespace(made=True, close=run.step("server"), application=None)
    )
    run.plugin.close()
    assert run.done == ["server"]
