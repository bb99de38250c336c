"""The trial before a load: what users call once, what their errors become, and who is told."""

from __future__ import annotations

from locust import SequentialTaskSet, TaskSet, task
from locust.env import Environment
from locust.event import Events
from locust.exception import RescheduleTask, StopUser
from locust.user.markov_taskset import MarkovTaskSet, transition

import time
from argparse import Namespace
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, nullcontext
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from rich.console import Console

from loadtest.database.preflight.situation import Demand
from loadtest.experiment import conduct as conducting
from loadtest.experiment.databases import databases
from loadtest.experiment.rounds import ScenarioFacts
from loadtest.experiment.single_run import Database
from loadtest.experiment.trial import task_calls, time_limit
from loadtest.experiment.trial.task_calls import TaskTrial
from loadtest.experiment.trial.trial_answer import TrialAnswer
from loadtest.load import PoolUser
from loadtest.model.errors import UsageError
from loadtest.model.experiment import Experiment
from loadtest.model.pool import parse_pool

HERE = Path(__file__)
called: list[str] = []


def tried(*classes: type[PoolUser]) -> TrialAnswer:
    """The answer of the trial of these classes in this process, without a database."""
    environment: Any = Environment(events=Events(), parsed_options=Namespace())
    environment.loadtest = SimpleNamespace(target=None)
    trial = TaskTrial(HERE)
    called.clear()
    for cls in classes:
        trial.run(cls, environment)
    trial.sum_up()
    return trial.answer


def line_of(words: str) -> int:
    """The line of this file that ends with these words."""
    lines = HERE.read_text().splitlines()
    (found,) = (n for n, line in enumerate(lines, 1) if line.endswith(words))
    return found


class Chain(MarkovTaskSet):
    @transition("second")
    def first(self) -> None:
        called.append("first")

    @transition("first")
    def second(self) -> None:
        called.append("second")


class Orderly(PoolUser):
    abstract = True
    tasks = (Chain,)

    def on_start(self) -> None:
        called.append("start")

    def on_stop(self) -> None:
        called.append("stop")

    @task(7)
    def often(self) -> None:
        called.append("often")

    @task
    class Inner(TaskSet):
        def on_start(self) -> None:
            called.append("inner start")

        @task(3)
        def leave(self) -> None:
            called.append("leave")
            self.interrupt()

        @task
        class Steps(SequentialTaskSet):
            @task
            def step(self) -> None:
                called.append(f"step of {type(self.user).__name__}")

    @task
    def seldom(self) -> None:
        called.append("seldom")


def test_each_task_is_called_once_in_its_order_between_start_and_stop() -> None:
    trial = tried(type("User", (Orderly,), {}))
    assert called == [
        *("start", "first", "second", "often"),
        *("inner start", "leave", "step of User"),
        *("seldom", "stop"),
    ]
    assert (trial.mistakes, trial.warnings) == ([], [])


class Wrong(PoolUser):
    abstract = True

    @task
    def unknown(self) -> None:
        self.nothing_like_this()  # a mistake

    @task
    def helped(self) -> None:
        helper()

    @task
    def unlucky(self) -> None:
        raise LookupError("no rows\n  today")  # a doubtful error

    @task
    def fine(self) -> None:
        called.append("fine")


def helper() -> None:
    import no_such_module  # noqa: F401 # a missing module


def test_errors_have_a_line_and_the_other_tasks_are_called_all_the_same() -> None:
    trial = tried(type("User", (Wrong,), {}))
    where = f"{Path('tests/experiment/test_task_trial.py')}, line "
    mistakes = [line.replace(str(HERE), where.partition(",")[0]) for line in trial.mistakes]
    assert mistakes == [
        f"{where}{line_of('# a mistake')}: AttributeError: 'User' object has no attribute "
        "'nothing_like_this' (in Wrong.unknown)",
        f"{where}{line_of('# a missing module')}: ModuleNotFoundError: No module named "
        "'no_such_module' (in Wrong.helped)",
    ]
    (warning,) = trial.warnings
    assert warning.startswith("Tried once before the load, Wrong.unlucky failed: ")
    assert warning.endswith(f"line {line_of('# a doubtful error')}: LookupError: no rows today")
    assert called == ["fine"]


class Unready(PoolUser):
    abstract = True

    def on_start(self) -> None:
        raise self.error

    @task
    def work(self) -> None:
        called.append("work")

    def on_stop(self) -> None:
        called.append("stop")


def test_after_an_error_in_on_start_no_task_is_called() -> None:
    trial = tried(type("User", (Unready,), {"error": TimeoutError("no account")}))
    assert called == []
    assert ["User.on_start failed" in line for line in trial.warnings] == [True]


@pytest.mark.parametrize("error", [StopUser(), RescheduleTask()])
def test_control_flow_is_no_error(error: Exception) -> None:
    trial = tried(type("User", (Unready,), {"error": error}))
    assert called == ["work", "stop"]
    assert (trial.mistakes, trial.warnings) == ([], [])


class Idle(PoolUser):
    abstract = True


class Broken(PoolUser):
    abstract = True

    def __init__(self, environment: Any) -> None:
        super().__init__()  # without an environment


def test_a_user_without_a_task_and_one_that_cannot_be_made_are_mistakes() -> None:
    # Python 3.13 knows the line of a class by this attribute only.
    place = {name: at for name, at in vars(Idle).items() if name == "__firstlineno__"}
    idle = type("Idle", (Idle,), {"__module__": __name__, "abstract": False, **place})
    trial = tried(idle, type("Broken", (Broken,), {}))
    without, broken = trial.mistakes
    assert f"line {line_of('class Idle(PoolUser):')}: Idle has no task" in without
    assert f"line {line_of('# without an environment')}: TypeError: " in broken
    assert broken.endswith("(in Broken)")


class Slow(PoolUser):
    abstract = True

    @task
    def wait(self) -> None:
        time.sleep(60)  # waits

    @task
    def compute(self) -> None:
        called.append("computing")
        while True:
            pass

    @task
    def after(self) -> None:
        called.append("after")


def test_a_task_is_ended_at_its_limit_and_the_next_one_begins(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(task_calls, "TASK_SECONDS", 0.05)
    # As the kernel would count, whatever else the machine does.
    monkeypatch.setattr(time_limit, "busy_seconds", lambda: 0.05 if called else 0.0)
    trial = tried(type("User", (Slow,), {}))
    (wait,), (compute,) = trial.warnings, trial.mistakes
    assert "Slow.wait did not end within 0.05 s: " in wait
    assert wait.endswith(f"line {line_of('# waits')}")
    assert compute.startswith("Slow.compute did not end within 0.05 s: ")
    assert compute.endswith(". It computes all the time, so that no other user can run")
    assert called == ["computing", "after"]


def test_tasks_for_which_there_is_no_time_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(task_calls, "TRIAL_SECONDS", 0.0)
    trial = tried(type("User", (Unready,), {"error": StopUser()}))
    assert trial.warnings == ["Not tried within 0 s: User"]
    assert called == []


def experiment(**more: Any) -> Experiment:
    pools = (parse_pool("5+10"), parse_pool("20+0"))
    scenario = Path("scenarios/point_select.py")
    return Experiment(name="test", scenario=scenario, rounds=3, pool=pools, **more)


def announced(runs: int, *, tried: bool) -> str:
    """What is announced about the work on a database that the tool did not start."""
    looked = ScenarioFacts([], [], "shop at db:3306")
    with databases("", experiment(), looked, runs=runs, tried=tried) as at:
        (work,) = (line for line in at[""].intentions if line.startswith("- run"))
    return work


def test_the_connections_in_use_on_an_applications_server_are_announced() -> None:
    looked = ScenarioFacts(
        [], [], "shop at db:3306", in_use="7 of max_connections = 151 are in use"
    )
    with databases("", experiment(), looked) as at:
        (line,) = (line for line in at[""].intentions if line.startswith("- open"))
    assert line.endswith("server's status); 7 of max_connections = 151 are in use")


def test_the_trial_is_announced_on_a_server_of_others() -> None:
    first = "; each task runs once first; what it commits stays"
    assert announced(6, tried=True).endswith(first)
    assert announced(6, tried=False) + first == announced(6, tried=True)
    assert announced(0, tried=True) == (
        "- run each task of scenarios/point_select.py once; what it commits stays"
    )


PRIVATE = {"": Database(None, True)}


class Steps:
    """What an experiment does, without processes: the trial and the runs."""

    def __init__(self, patch: pytest.MonkeyPatch) -> None:
        self.done: list[str] = []
        patch.setattr(conducting, "check_scenario", lambda *_, **__: ScenarioFacts([], [], "x"))
        patch.setattr(conducting, "databases", self.databases)
        patch.setattr(conducting, "try_tasks", self.try_tasks)

    @contextmanager
    def databases(self, *_: Any, **__: Any) -> Iterator[Mapping[str, Database]]:
        yield {"": Database(None, False, left=lambda: self.done.append("left") or "")}

    def try_tasks(self, plan: Experiment, at: object, demand: Demand) -> TrialAnswer:
        self.done.append(f"tried, at most {demand.most} connections")
        if plan.name == "wrong":
            raise UsageError("shop.py, line 3: a mistake")
        return TrialAnswer(warnings=["Tried once before the load, a task failed"], tasks=1)

    def run(self, *_: Any) -> bool:
        self.done.append("run")
        return True


@pytest.fixture
def steps(monkeypatch: pytest.MonkeyPatch) -> Steps:
    return Steps(monkeypatch)


def test_a_command_tries_the_tasks_once_before_all_runs(steps: Steps, tmp_path: Path) -> None:
    console = Console(record=True, width=200)
    how: dict[str, Any] = {"quiet": True, "runs": steps.run}
    conducting.conduct(experiment(), "", tmp_path, console, **how)
    assert steps.done == ["tried, at most 20 connections", "run", "left"]
    assert "Warning: Tried once before the load, a task failed" in console.export_text()

    steps.done.clear()
    conducting.conduct(experiment(), "", tmp_path, console, tried=False, **how)
    assert steps.done == ["run", "left"]


def test_a_mistake_ends_the_command_without_a_folder(steps: Steps, tmp_path: Path) -> None:
    plan = experiment().model_copy(update={"name": "wrong"})
    with pytest.raises(UsageError, match="line 3: a mistake") as told:
        conducting.conduct(plan, "", tmp_path, Console(), quiet=True, runs=steps.run)
    assert told.value.problems[1:] == ("Nothing was measured: correct it and start again.",)
    assert steps.done == ["tried, at most 20 connections", "left"]
    assert list(tmp_path.iterdir()) == []


def test_a_mistake_in_a_trial_alone_does_not_say_that_nothing_was_measured(steps: Steps) -> None:
    plan = experiment().model_copy(update={"name": "wrong"})
    with pytest.raises(UsageError) as told:
        conducting.only_try(plan, "", Console(), quiet=True)
    assert told.value.problems == ("shop.py, line 3: a mistake",)


@pytest.mark.parametrize(("rounds", "pools", "told"), [(2, 2, 1), (1, 1, 0)])
def test_several_runs_on_a_private_server_are_announced_with_their_time(
    steps: Steps,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    rounds: int,
    pools: int,
    told: int,
) -> None:
    monkeypatch.setattr(conducting, "databases", lambda *_, **__: nullcontext(PRIVATE))
    plan = experiment()
    plan = plan.model_copy(update={"rounds": rounds, "pool": plan.pool[:pools]})
    console = Console(record=True, width=200)
    conducting.conduct(plan, "", tmp_path, console, quiet=False, runs=steps.run)
    assert console.export_text().count(f"{rounds * pools} runs, about 2 min 30 s") == told


def test_only_trying_runs_nothing(steps: Steps) -> None:
    assert conducting.only_try(experiment(), "", Console(), quiet=True).tasks == 1
    assert steps.done == ["tried, at most 20 connections", "left"]


def test_the_trial_keeps_to_the_number_of_an_applications_own_pool(
    steps: Steps, monkeypatch: pytest.MonkeyPatch
) -> None:
    own = {"poolclass": "QueuePool", "pool_size": 3, "max_overflow": 2}
    looked = ScenarioFacts([], [], "x", own)
    monkeypatch.setattr(conducting, "check_scenario", lambda *_, **__: looked)
    named = {"session": "shop.db:Session", "pool": (parse_pool("as-is"),)}
    plan = experiment().model_copy(update=named)
    conducting.only_try(plan, "", Console(), quiet=True)
    assert steps.done == ["tried, at most 5 connections", "left"]
