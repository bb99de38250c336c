"""Every pool runs with every application, interleaved in the same rounds."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from io import StringIO
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from loadtest.database.preflight.situation import Demand
from loadtest.experiment import conduct
from loadtest.experiment.driving import application_trial
from loadtest.experiment.driving.look import ApplicationFacts
from loadtest.experiment.driving.servers import driven_databases
from loadtest.experiment.rounds import ScenarioFacts, plans, write_down
from loadtest.experiment.run_plan import RunSettings
from loadtest.experiment.single_run import Database, Databases
from loadtest.experiment.trial.trial_answer import TrialAnswer
from loadtest.model.allowances import NO_ALLOWANCES
from loadtest.model.driven_application import DrivenApplication
from loadtest.model.errors import UsageError
from loadtest.model.experiment import Experiment, read_experiment
from loadtest.runfile.decoding import plan_of
from tests.driving.told import told_engine
from tests.experiment.driven_experiments import LOOP, THREADS, two_applications

NAMES = ["5+10.threads", "5+10.loop", "20+0.threads", "20+0.loop"]


def test_every_pool_runs_with_every_application_once_a_round() -> None:
    planned = plans(two_applications("5+10", "20+0"))
    assert [(plan.round, plan.pool.name) for plan in planned] == [
        *((1, name) for name in NAMES),
        *((2, name) for name in (NAMES[-1], *NAMES[:-1])),
    ]
    assert [plan.database for plan in planned[:2]] == ["threads", "loop"]
    told = dict(pairwise(planned[1].arguments()))
    assert (told["--host"], told["--pool-name"]) == ("http://127.0.0.1:8801", "5+10.loop")
    assert planned[1].file_in(Path("a")) == Path("a/runs/5+10.loop-1.jsonl")


def test_a_process_gets_the_experiment_with_its_application(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    plan = plans(two_applications("5+10", "20+0", baseline="20+0"))[1]
    for name, text in RunSettings(plan, Path("a.jsonl")).environment().items():
        monkeypatch.setenv(name, text)
    taken = RunSettings.taken()
    assert taken
    assert taken.plan == plan
    (application,) = taken.plan.experiment.application
    assert (application.name, taken.plan.experiment.baseline) == ("loop", "20+0.loop")


def test_one_application_leaves_the_names_of_pools_alone() -> None:
    for application in (LOOP, {key: text for key, text in LOOP.items() if key != "name"}):
        alone = two_applications("5+10", rounds=1, application=[application])
        assert [plan.pool.name for plan in plans(alone)] == ["5+10"]
        assert plans(alone)[0].experiment is alone


TABLES = """
name = "shop"
scenario = "visitors.py"
rounds = 2
baseline = "20+0"
[[application]]
name = "threads"
command = "gunicorn shop.web:app"
ready = "http://127.0.0.1:8800/health"
cwd = "shop"
[[application]]
command = "uvicorn shop.aweb:app"
ready = "http://127.0.0.1:8801/health"
[[pool]]
pool_size = 5
[[pool]]
pool_size = 20
max_overflow = 0
"""


def test_an_experiment_file_has_several_applications(tmp_path: Path) -> None:
    (tmp_path / "visitors.py").touch()
    path = tmp_path / "shop.toml"
    path.write_text(TABLES)
    found = read_experiment(path)
    assert [(one.name, one.cwd) for one in found.application] == [
        ("threads", tmp_path / "shop"),
        ("uvicorn", None),
    ]
    path.write_text(TABLES.replace('command = "uvicorn', 'name = "threads"\ncommand = "uvicorn'))
    with pytest.raises(UsageError, match="two applications have the name 'threads'; rename"):
        read_experiment(path)
    path.write_text(TABLES.replace('name = "threads"', 'name = "a thread"'))
    with pytest.raises(UsageError, match=r"application\.1\.name: 'a thread' is not a name"):
        read_experiment(path)


@pytest.mark.parametrize("model", ["threads", "greenlets,threads"])
def test_applications_have_no_models_of_users(model: str) -> None:
    with pytest.raises(UsageError, match="not possible with an application behind HTTP: users as"):
        two_applications("5+10", "20+0", load={"model": model})


def test_names_of_pools_must_stay_apart() -> None:
    with pytest.raises(UsageError, match=r"two pools have the name 'a\.loop\.loop'"):
        two_applications(
            "a:1+0", "a.loop:2+0", application=[{**THREADS, "name": "loop.loop"}, LOOP]
        )


def test_the_plan_of_the_results_names_the_applications(tmp_path: Path) -> None:
    experiment = two_applications("5+10", "20+0")
    write_down(experiment, [one.pool for one in experiment.subjects], tmp_path)
    written = plan_of(json.loads((tmp_path / "experiment.json").read_text()))
    assert [(one.name, one.command) for one in written.driven] == [
        ("threads", "gunicorn --threads 16 shop.web:app"),
        ("loop", "uvicorn shop.aweb:app"),
    ]
    assert [pool.name for pool in written.pool] == NAMES


Look = Callable[[dict[str, ApplicationFacts]], None]


@pytest.fixture
def look(monkeypatch: pytest.MonkeyPatch) -> Look:
    """Applications that are seen with these facts, or that cannot be started without any."""

    def seen(facts: dict[str, ApplicationFacts]) -> None:
        def look_at(experiment: Experiment, _: Any) -> ApplicationFacts:
            (application,) = experiment.application
            if application.name not in facts:
                raise UsageError("there is no program")
            return facts[application.name]

        monkeypatch.setattr(driven_databases, "look_at", look_at)

    return seen


ROWS = ApplicationFacts(told_engine(name="rows", url="sqlite:///rows.db"), (), 1, seconds=2.0)
LATE = ApplicationFacts(None, (), 3, seconds=4.0)


def test_each_application_is_looked_at_and_has_its_own_limits(look: Look) -> None:
    look({"threads": ROWS, "loop": LATE})
    experiment = two_applications("5+10", "20+0")
    with driven_databases.driven_databases("", experiment, NO_ALLOWANCES, 8) as at:
        assert list(at) == ["threads", "loop"]
        assert at["loop"].driven.ceilings == {"5+10.loop": 15, "20+0.loop": 20}
        assert [one.driven.seconds for one in at.values()] == [2.0, 4.0]
        # Each has half of the runs.
        assert "at most 4 times" in at["threads"].intentions[2]


def test_an_application_that_cannot_be_used_is_named(look: Look) -> None:
    look({"threads": ROWS})
    experiment = two_applications("5+10", "20+0")
    with (
        pytest.raises(UsageError, match=r"^loop: there is no program$"),
        driven_databases.driven_databases("", experiment, NO_ALLOWANCES, 8),
    ):
        pass


def test_the_announcement_is_told_for_each(monkeypatch: pytest.MonkeyPatch, look: Look) -> None:
    engine = told_engine(name="rows", url="sqlite:///rows.db")
    look({"threads": ROWS, "loop": replace(ROWS, engine=engine, seconds=6.0)})
    nothing = ScenarioFacts([], [], "")
    monkeypatch.setattr(conduct, "check_scenario", lambda *_, **__: nothing)
    console, experiment = Console(file=StringIO(), width=300), two_applications("5+10", "20+0")
    how: dict[str, Any] = {"quiet": False, "allowed": NO_ALLOWANCES, "tried": False}
    with conduct._opened(experiment, "", console, 8, **how):
        pass
    assert isinstance(console.file, StringIO)
    lines = console.file.getvalue().splitlines()
    headings = [lines.index("threads:"), lines.index("loop:")]
    assert [lines[at + 1] for at in headings] == [
        "In the database of the application, rows (shop/db.py:9), loadtest will"
    ] * 2


def test_each_application_is_tried(monkeypatch: pytest.MonkeyPatch) -> None:
    tried = list[tuple[str, list[str], str]]()

    @contextmanager
    def driven(application: DrivenApplication, *_: Any) -> Iterator[Any]:
        class Watch:
            conclude = check = staticmethod(lambda: None)

        yield Watch

    def try_tasks(experiment: Experiment, at: Databases, _: Demand) -> TrialAnswer:
        (application,), (database,) = experiment.application, at.values()
        tried.append((application.name, [*at], experiment.pool[0].name))
        assert database.url is None
        return TrialAnswer(warnings=["a request failed"], requests=["GET /rows"], tasks=1)

    monkeypatch.setattr(application_trial, "driven", driven)
    monkeypatch.setattr(application_trial, "try_tasks", try_tasks)
    at = dict.fromkeys(("threads", "loop"), Database(None, False))
    demand = Demand((), 1, seconds=1.0)
    answer = application_trial.try_visitors(two_applications("5+10", "20+0"), at, demand)
    assert tried == [("threads", [""], "5+10.threads"), ("loop", [""], "5+10.loop")]
    assert answer.warnings == ["threads: a request failed", "loop: a request failed"]
    assert (answer.requests, answer.tasks) == (["GET /rows"], 2)
