"""What the calls of a trial add up to: which doubtful errors end a command, and what is counted."""

from __future__ import annotations

from locust import TaskSet, task
from locust.env import Environment
from locust.event import Events

from argparse import Namespace
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from time import thread_time
from types import SimpleNamespace
from typing import Any, NoReturn

import pytest

from loadtest.cli.output import try_and_answer
from loadtest.cli.shared_options import DatabaseOptions
from loadtest.experiment import conduct
from loadtest.experiment.trial import task_calls, time_limit, trial_process
from loadtest.experiment.trial.task_calls import TaskTrial
from loadtest.experiment.trial.trial_answer import TrialAnswer
from loadtest.load import PoolUser
from loadtest.model.errors import LoadtestError, UsageError

HERE = Path(__file__)
FLASK = "Working outside of application context.\n\nThis typically means"


def tried(*classes: type[PoolUser], **more: Any) -> TrialAnswer:
    """The answer of the trial of these classes, without a database."""
    environment: Any = Environment(events=Events(), parsed_options=Namespace())
    environment.loadtest = SimpleNamespace(target=None)
    trial = TaskTrial(HERE, **more)
    for cls in classes:
        trial.run(cls, environment)
    trial.sum_up()
    return trial.answer


def user(*tasks: Callable[..., object], **methods: Any) -> type[PoolUser]:
    return type("Reader", (PoolUser,), {"tasks": list(tasks), **methods})


def fine(user: Any) -> None:
    pass


def broken(user: Any) -> NoReturn:
    raise ValueError("no such file")  # raised


def late(user: Any) -> NoReturn:
    raise TimeoutError("locked")


def outside_of_flask(user: Any) -> NoReturn:
    raise RuntimeError(FLASK)


def test_an_error_of_one_task_is_a_warning_and_counted() -> None:
    answer = tried(user(fine, broken, late))
    assert answer.mistakes == []
    assert ["ValueError" in line for line in answer.warnings] == [True, False]
    assert (answer.tasks, answer.failed, answer.unexplained) == (3, 2, 1)
    assert str(answer) == "2 of 3 tasks failed"


def test_an_error_of_all_tasks_is_a_mistake() -> None:
    answer = tried(user(broken), user(broken))
    (line,) = answer.mistakes
    assert line.endswith(": ValueError: no such file (in broken)")
    assert answer.warnings == []


def test_where_the_databases_state_explains_one_of_the_errors_all_are_warnings() -> None:
    answer = tried(user(broken, late))
    assert answer.mistakes == []
    assert len(answer.warnings) == 2


def unable(user: Any) -> NoReturn:
    raise FileNotFoundError("accounts.csv")


def test_users_of_which_none_gets_past_on_start_are_a_mistake() -> None:
    answer = tried(user(fine, on_start=unable))
    (line,) = answer.mistakes
    assert line.endswith(": FileNotFoundError: accounts.csv (in Reader.on_start)")
    assert str(answer) == "on_start or on_stop failed"


def test_beside_users_that_work_a_failed_on_start_is_a_warning() -> None:
    answer = tried(user(fine, on_start=unable), user(fine))
    assert answer.mistakes == []
    assert "Reader.on_start failed" in answer.warnings[0]


def test_a_failed_on_start_that_may_pass_is_a_warning() -> None:
    answer = tried(user(fine, on_start=late))
    assert (answer.mistakes, len(answer.warnings)) == ([], 1)


class Inner(TaskSet):
    on_start = unable

    @task
    def read(self) -> None:
        """Not reached."""


def test_the_on_start_of_a_task_set_does_not_stop_its_user() -> None:
    answer = tried(user(fine, Inner))
    assert answer.mistakes == []
    assert "Inner.on_start failed" in answer.warnings[0]
    assert str(answer) == "1 of 2 tasks failed"
    (line,) = tried(user(Inner)).mistakes
    assert line.endswith("(in Inner.on_start)")


class Given(PoolUser):
    abstract = True

    @task
    def read(self, number: int) -> None:  # two arguments
        """Not reached."""


def test_a_task_that_wants_an_argument_has_the_line_of_its_def() -> None:
    answer = tried(type("Reader", (Given,), {}))
    (line,) = answer.mistakes
    lines = HERE.read_text().splitlines()
    number = next(n for n, text in enumerate(lines, 1) if text.endswith("# two arguments"))
    assert f"test_trial_conclusions.py, line {number}: TypeError: Given.read() missing 1 " in line
    assert line.endswith("'number': Given.read takes only self (in Given.read)")


@pytest.mark.parametrize(
    ("engine", "session"),
    [
        ("shop:db.engine", "shop:db.session"),
        ("shop.web:store.engine", "shop.web:store.session"),
        ("shop:engine", "shop:db.session"),
        ("", "MODULE:db.session"),
    ],
)
def test_outside_of_flasks_context_the_session_is_suggested(engine: str, session: str) -> None:
    answer = tried(user(outside_of_flask), engine=engine)
    assert f": give --session {session} (in outside_of_flask)" in answer.mistakes[0]


class Stubborn(PoolUser):
    abstract = True

    @task
    def swallow(self) -> None:
        while True:
            with suppress(Exception, SystemExit):
                self.wait_for_ever()

    def wait_for_ever(self) -> None:
        while True:
            pass


def test_a_task_that_catches_its_limit_and_goes_on_ends_the_trial(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(task_calls, "TASK_SECONDS", 0.02)
    monkeypatch.setattr(time_limit, "CATCH_SECONDS", 0.02)

    def end() -> NoReturn:
        raise KeyboardInterrupt

    environment: Any = Environment(events=Events(), parsed_options=Namespace())
    environment.loadtest = SimpleNamespace(target=None)
    trial = TaskTrial(HERE, end=end)
    with pytest.raises(KeyboardInterrupt):
        trial.run(type("Reader", (Stubborn,), {}), environment)
    (line,) = trial.answer.mistakes
    assert line.startswith("Stubborn.swallow did not end within 0.02 s: ")
    assert "test_trial_conclusions.py, line " in line
    assert line.endswith(
        "It caught the time limit (`except BaseException` or a bare `except`): catch `Exception` "
        "instead"
    )


def test_the_time_that_a_thread_computes_or_waits_for_a_processor_is_read(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    numbers = tmp_path / "schedstat"
    monkeypatch.setattr(time_limit, "_SCHEDULED", numbers)
    numbers.write_text("3000000000 1500000000 7\n")
    assert time_limit.busy_seconds() == 4.5
    numbers.unlink()
    assert 0 < time_limit.busy_seconds() <= thread_time()


def swallows_once(user: Any) -> NoReturn:
    try:
        while True:
            pass
    except BaseException:
        raise LookupError("the session needs a rollback") from None


def test_what_follows_a_caught_limit_is_not_reported_in_its_place(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(task_calls, "TASK_SECONDS", 0.02)
    monkeypatch.setattr(time_limit, "busy_seconds", lambda: 0.0)
    (line,) = tried(user(fine, swallows_once)).warnings
    assert line.startswith("Tried once before the load, swallows_once did not end within 0.02 s: ")
    assert "It caught the time limit" in line
    assert "LookupError" not in line


@pytest.mark.parametrize("inside", [False, True])
def test_a_process_whose_task_goes_on_writes_its_answer_and_ends(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], inside: bool
) -> None:
    import gevent

    def fails() -> NoReturn:
        raise LoadtestError("the connections cannot be cut off")

    done: list[Any] = []
    monkeypatch.setattr(trial_process.os, "_exit", done.append)
    monkeypatch.setattr(trial_process.signal, "signal", lambda *_: None)
    monkeypatch.setattr(trial_process.signal, "setitimer", lambda *_: None)

    def end() -> None:
        wait, drop = (lambda: gevent.sleep(0)), (lambda: done.append("dropped"))
        trial_process._end_with(wait, fails, drop)

    if inside:  # a signal that interrupts the event loop
        gevent.get_hub().loop.run_callback(end)
        gevent.sleep(0.01)
    else:
        end()
    assert done == ["dropped", 0]
    assert capsys.readouterr().err == "the connections cannot be cut off\n"


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (TrialAnswer(tasks=2), "The trial of shop.py found no mistake\n"),
        (
            TrialAnswer(tasks=2, failed=1),
            "The trial of shop.py found no mistake, but 1 of 2 tasks failed\n",
        ),
    ],
)
def test_only_trying_ends_with_the_number_of_failed_tasks(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    answer: TrialAnswer,
    said: str,
) -> None:
    monkeypatch.setattr(conduct, "only_try", lambda *_, **__: answer)
    plan: Any = SimpleNamespace(scenario=Path("shop.py"))
    try_and_answer(plan, DatabaseOptions(), quiet=True)
    assert capsys.readouterr().out == said


def test_only_trying_fails_with_an_error_that_is_not_the_databases_state(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    answer = TrialAnswer(tasks=2, failed=1, unexplained=1)
    monkeypatch.setattr(conduct, "only_try", lambda *_, **__: answer)
    plan: Any = SimpleNamespace(scenario=Path("shop.py"))
    with pytest.raises(UsageError, match=r"The trial of shop\.py: 1 of 2 tasks failed"):
        try_and_answer(plan, DatabaseOptions(), quiet=True)


def test_the_answers_of_two_databases_are_added() -> None:
    one = TrialAnswer(warnings=["a", "b"], held=2, tasks=1, failed=1, unexplained=1)
    other = TrialAnswer(warnings=["b"], held=1, tasks=1)
    assert one + other == TrialAnswer([], ["a", "b"], 2, 2, 1, 1, "")
