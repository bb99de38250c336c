"""Each task of the visitors is tried once on the application before the load."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path
from typing import NamedTuple

import pytest
from sqlalchemy import URL

from loadtest.experiment.trial.request_watch import RequestWatch
from loadtest.experiment.trial.trial_answer import TrialAnswer
from loadtest.model.interval import total
from loadtest.runfile.reader import read_run
from tests.driving.applications import APPLICATION
from tests.processes import ended_here, fetch, free_port

SCENARIO = Path("visitors.py")
VISITORS = """
from locust import FastHttpUser, HttpUser, TaskSet, task

class Visitor(HttpUser):
    @task
    def rows(self):
        self.client.get("/rows")

    @task
    class Deeper(TaskSet):
        @task
        def missing(self):
            self.client.get("/missing/7", name="/missing")

class Quick(FastHttpUser):
    @task
    def {task}
"""


class Tried(NamedTuple):
    """A command with a trial at its end; left: the files of results."""

    code: int
    said: str
    left: list[Path]


def tried(folder: Path, task: str, *more: str, visitors: str = VISITORS) -> Tried:
    """The command `run` on the small application, with one task in question."""
    (folder / "app.py").write_text(APPLICATION)
    (folder / "visitors.py").write_text(visitors.format(task=task))
    port = free_port()
    ready = f"http://127.0.0.1:{port}/health"
    command = shlex.join([sys.executable, "app.py", str(port), "rows.db"])
    options = ["--app", command, "--ready", ready, *more]
    ended = ended_here(folder / "log", "run", SCENARIO, *options, cwd=folder)
    assert fetch(ready) == ""
    return Tried(ended.code, ended.output, list(folder.glob("reports/*")))


def test_a_request_that_fails_among_others_is_a_warning(tmp_path: Path) -> None:
    wrong = ("--objective", 'request["GET /row"].p95 <= 1s')
    found = tried(tmp_path, "rows(self): self.client.get('/rows')", "--try", *wrong)
    assert found.code == 0, found.said
    assert "Warning: Tried once before the load, GET /missing failed: 404" in found.said
    assert "No request has the name 'GET /row'; there are: 'GET /rows'" in found.said
    assert "The trial of visitors.py found no mistake" in found.said
    assert "Its requests: GET /rows, GET /missing" in found.said
    assert found.left == []


def test_a_mistake_in_a_task_ends_the_command_before_the_load(tmp_path: Path) -> None:
    found = tried(tmp_path, "rows(self): self.client.gte('/rows')", "-u", "2", "-t", "30s")
    assert found.code == 2, found.said
    assert "visitors.py, line 17: AttributeError" in found.said
    assert "Nothing was measured: correct it and start again." in found.said
    assert found.left == []


def test_an_application_that_ends_in_the_trial_is_told(tmp_path: Path) -> None:
    found = tried(tmp_path, "rows(self): self.client.get('/end')", "--try")
    assert found.code == 1, found.said
    assert "the application ended with exit code 3" in found.said
    assert "the last words" in found.said


class Heard:
    """What a trial concludes from some requests; None stands for a success."""

    def __init__(self, *errors: Exception | None, kind: str = "GET", tasks: int = 1) -> None:
        watch, self.answer = RequestWatch(), TrialAnswer(tasks=tasks)
        for error in errors:
            watch._hear(request_type=kind, name="/rows", exception=error, response_time=1)
        watch.conclude(self.answer, SCENARIO)


def test_requests_that_all_fail_are_a_mistake() -> None:
    refused = ConnectionRefusedError("Connection refused")
    found = Heard(refused, refused, RuntimeError("503 Server Error"))
    assert found.answer.warnings == []
    assert found.answer.mistakes == [
        "GET /rows failed: Connection refused",
        "GET /rows failed: 503 Server Error",
    ]


def test_requests_have_names_with_one_method() -> None:
    watch, answer = RequestWatch(), TrialAnswer(tasks=1)
    for kind, name in (("GET", "/rows"), ("GET", "GET /rows"), ("", "rows"), ("POST", "/rows")):
        watch._hear(request_type=kind, name=name)
    watch.conclude(answer, SCENARIO)
    assert answer.requests == ["GET /rows", "rows", "POST /rows"]


def test_one_success_makes_failures_warnings() -> None:
    found = Heard(RuntimeError("503 Server Error"), None)
    assert found.answer.warnings == [
        "Tried once before the load, GET /rows failed: 503 Server Error"
    ]
    assert found.answer.mistakes == []


@pytest.mark.parametrize("kind", ["", "session"])
def test_tasks_without_a_request_of_an_application_are_a_mistake(kind: str) -> None:
    found = Heard(*([None] if kind else []), kind=kind)
    (mistake,) = found.answer.mistakes
    assert mistake.startswith("No task of visitors.py sent a request: ")


def test_without_a_task_that_ended_nothing_is_said_of_requests() -> None:
    assert Heard(tasks=0).answer == TrialAnswer(tasks=0)


BESIDE = """
from locust import HttpUser, constant, task
from sqlalchemy import text

from loadtest.load import PoolUser

class Visitor(HttpUser):
    wait_time = constant(0.05)

    @task
    def rows(self):
        self.client.get("/rows")

class Reader(PoolUser):
    wait_time = constant(0.05)

    @task
    def read(self):
        with self.session("read") as session:
            session.execute(text("SELECT {what}"))
"""


@pytest.mark.server
def test_pool_users_beside_visitors_are_tried_and_measured(tmp_path: Path, url: URL) -> None:
    address = url.render_as_string(False)
    more = ("--database-url", address, "-u", "4", "-t", "3s", "--warmup", "1s")
    found = tried(tmp_path, "", *more, visitors=BESIDE.format(what="1"))
    assert found.code in (0, 4), found.said
    run = read_run(next(tmp_path.glob("reports/*-*/runs/as-is-1.jsonl")))
    own = total([one for one in run.intervals if not one.role])
    pools = total([one for one in run.intervals if one.role])
    assert own.counters["requests"] > pools.counters["checkouts"] > 0
    assert own.counters["checkouts"] == own.counters["failures"] == 0


@pytest.mark.server
@pytest.mark.long
def test_a_mistake_of_a_pool_user_beside_visitors_is_told(tmp_path: Path, url: URL) -> None:
    more = ("--database-url", url.render_as_string(False), "--try")
    found = tried(tmp_path, "", *more, visitors=BESIDE.format(what="missing"))
    assert found.code == 2, found.said
    assert "Unknown column 'missing'" in found.said


@pytest.mark.long
def test_pool_users_alone_are_refused(tmp_path: Path) -> None:
    alone = BESIDE.format(what="1").replace("HttpUser)", "PoolUser)")
    found = tried(tmp_path, "", "--try", visitors=alone)
    assert found.code == 2, found.said
    assert "visitors.py has PoolUsers only" in found.said
