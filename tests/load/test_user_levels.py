"""Users that use the pool are counted apart from the others, and both are told."""

from locust import User, constant, task
from locust.env import Environment
from locust.event import Events

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import gevent
import pytest
from sqlalchemy import URL

from loadtest.analysis.summarize import summarize_runs
from loadtest.load import PoolUser
from loadtest.load.users.user_levels import other_classes, user_levels
from loadtest.runfile.reader import read_run
from tests.processes import run_locust

MIXED = """
from locust import User, constant, task
from sqlalchemy import text
from loadtest.load import PoolUser

class Site(User):
    wait_time = constant(0.05)

    @task
    def home(self):
        pass

class Rows(PoolUser):
    wait_time = constant(0.05)

    @task
    def rows(self):
        with self.session("rows") as session:
            session.execute(text("SELECT 1")).all()
"""


class Site(User):
    wait_time = constant(3600)

    @task
    def home(self) -> None:
        pass


class Rows(PoolUser):
    wait_time = constant(3600)

    @task
    def rows(self) -> None:
        pass


class More(Rows):
    pass


def levels(*classes: type[User], users: int) -> dict[str, int]:
    """The gauges of a process in which Locust runs users of these classes."""
    environment: Any = Environment(user_classes=[*classes], events=Events())
    environment.loadtest = SimpleNamespace(target=None)
    environment.parsed_options = None
    runner = environment.create_local_runner()
    runner.spawn_users({cls.__name__: users for cls in classes})
    gevent.sleep(0)
    read = {name: level() for name, level in user_levels(environment, runner).items()}
    runner.quit()
    return read


@pytest.mark.parametrize(
    ("classes", "read"),
    [
        ([Rows], {"users": 3}),
        ([Rows, More], {"users": 6}),
        ([Site, Rows, More], {"users": 6, "other_users": 3}),
        ([Site], {"users": 0, "other_users": 3}),
    ],
)
def test_users_of_the_pool_are_counted_apart(
    classes: list[type[User]], read: dict[str, int]
) -> None:
    assert levels(*classes, users=3) == read


def test_the_others_have_no_session() -> None:
    assert other_classes([Site, Rows, More]) == ["Site"]


@pytest.mark.server
@pytest.mark.long
def test_a_run_with_other_users_does_not_call_them_stuck(tmp_path: Path, url: URL) -> None:
    (tmp_path / "mixed.py").write_text(MIXED)
    result = tmp_path / "run.jsonl"
    load = ("-u", 20, "-r", 20, "-t", "3s", "--warmup", "1s", "--results", result)
    given = {"LOADTEST_DATABASE_URL": url.render_as_string(hide_password=False)}
    files = ("-f", tmp_path / "mixed.py", "--headless")
    ended = run_locust(tmp_path / "log", *files, *load, env=given)

    assert ended.wait() == 0, ended.output
    run = read_run(result)
    assert run.header.scenario.other_classes == ("Site",)
    assert {one.gauges["users"].last for one in run.intervals if one.period == "measured"} == {10}
    findings = {one.code: one for one in summarize_runs([run]).pools[0].findings}
    assert "users_unaccounted" not in findings
    assert "10 users of other classes (Site) ran beside 10" in findings["other_users"].message
