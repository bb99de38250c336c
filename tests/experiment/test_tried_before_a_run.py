"""The trial of tasks as a person meets it: on a real database, by the command."""

from __future__ import annotations

import signal
import subprocess
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import URL, Engine, inspect, text

from loadtest.runfile.reader import read_run
from tests.conftest import ROOT, without_database
from tests.processes import loadtest_command, running, stop_with

pytestmark = pytest.mark.server
Loadtest = Callable[..., "subprocess.CompletedProcess[str]"]
HEAD = """
from locust import constant, task
from sqlalchemy import Column, Integer, MetaData, String, Table, insert, select, text, update
from loadtest.load import PoolUser

metadata = MetaData()
item = Table(
    "loadtest_tried", metadata, Column("id", Integer, primary_key=True), Column("name", String(9))
)

class Reader(PoolUser):
    metadata = metadata
    wait_time = constant(0.05)

    @classmethod
    def fill(cls, session, options):
        session.execute(insert(item), [{"id": 1, "name": "one"}])
"""
# Each task with the error in it; the line of the error ends with its number.
MISTAKES = """
    @task
    def syntax(self):
        with self.session("a") as session:
            session.execute(text("SELEC 1"))  # 1

    @task
    def table(self):
        with self.session("b") as session:
            session.execute(text("SELECT * FROM loadtest_nowhere"))  # 2

    @task
    def column(self):
        with self.session("c") as session:
            session.execute(text("SELECT colour FROM loadtest_tried"))  # 3

    @task
    def raw(self):
        with self.session("d") as session:
            session.execute("SELECT 1")  # 4

    @task
    def parameter(self):
        with self.session("e") as session:
            session.execute(text("SELECT :key"))  # 5

    @task
    def argument(self):
        with self.session() as session:  # 6
            session.execute(select(item))

    @task
    def name(self):
        with self.session("f") as session:
            session.execute(select(items))  # 7

    @task
    def module(self):
        import no_such_module  # 8
"""
EXPECTED = (
    (1, "ProgrammingError: (1064, ", "syntax"),
    (2, "ProgrammingError: (1146, ", "table"),
    (3, "OperationalError: (1054, ", "column"),
    (4, "", "raw"),
    (5, "StatementError: ", "parameter"),
    (6, "TypeError: ", "argument"),
    (7, "NameError: name 'items' is not defined", "name"),
    (8, "ModuleNotFoundError: No module named 'no_such_module'", "module"),
)
STATE = """
    @task
    def twice(self):
        with self.session("twice") as session:
            session.execute(insert(item), [{"id": 1}])  # 1

    @task
    def nothing(self):
        with self.session("nothing") as session:
            session.execute(select(item).where(item.c.id == 99)).one()  # 2
"""
# What a trial commits is not there in the run: the first request finds the row.
TAKE = """
    @task
    def take(self):
        with self.session("take") as session:
            gone = session.execute(text("DELETE FROM loadtest_tried WHERE id = 1")).rowcount == 0
            session.commit()
            if gone:
                raise LookupError("gone")
"""
UNPATCHED = """
    def on_start(self):
        from gevent.monkey import is_module_patched
        if is_module_patched("threading") is not {patched}:
            raise RuntimeError("patched in another way")
        if type(self.environment.loadtest.target.engine.pool).__name__ != "NullPool":
            raise RuntimeError("with a pool")

    @task
    def read(self):
        with self.session("read") as session:
            session.execute(select(item)).one()
"""


@pytest.fixture
def written(tmp_path: Path) -> Callable[[str], Path]:
    """Writes a scenario with these tasks."""

    def write(tasks: str) -> Path:
        path = tmp_path / "shop.py"
        path.write_text(HEAD + tasks)
        return path

    return write


def at(url: URL) -> Mapping[str, str]:
    return {**without_database(), "LOADTEST_DATABASE_URL": url.render_as_string(False)}


def line_of(path: Path, number: int) -> int:
    lines = path.read_text().splitlines()
    return next(n for n, line in enumerate(lines, 1) if line.endswith(f"# {number}"))


def test_mistakes_of_every_kind_end_a_command_with_their_lines_before_any_load(
    loadtest: Loadtest, written: Callable[[str], Path], tmp_path: Path, url: URL, admin: Engine
) -> None:
    path = written(MISTAKES)
    ended = loadtest("run", path, "-u", 2, "-t", "1s", "--results", tmp_path / "x", env=at(url))

    assert ended.returncode == 2, ended.stderr
    told = [line for line in ended.stderr.splitlines() if line.startswith(str(path))]
    for line, (number, words, task) in zip(told, EXPECTED, strict=True):
        assert line.startswith(f"{path}, line {line_of(path, number)}: {words}"), line
        assert line.endswith(f" (in Reader.{task})")
    assert "explicitly declared as text" in told[3] or "executable" in told[3]
    assert ended.stderr.splitlines()[-1] == "Nothing was measured: correct it and start again."
    assert "; each task runs once first; what it commits stays" in ended.stderr
    assert "Traceback" not in ended.stderr
    assert not (tmp_path / "x").exists()
    assert "loadtest_tried" not in inspect(admin).get_table_names()


def test_the_databases_state_is_a_warning_and_trying_leaves_nothing(
    loadtest: Loadtest, written: Callable[[str], Path], tmp_path: Path, url: URL, admin: Engine
) -> None:
    path = written(STATE)
    ended = loadtest("run", path, "--try", "--results", tmp_path / "x", env=at(url))

    assert ended.returncode == 0, ended.stderr
    assert ended.stdout == f"The trial of {path} found no mistake, but 2 of 2 tasks failed\n"
    assert f"- run each task of {path} once; what it commits stays" in ended.stderr
    told = [
        line for line in ended.stderr.splitlines() if line.startswith("Warning: Tried once before")
    ]
    first, second = told
    assert f"Reader.twice failed: {path}, line {line_of(path, 1)}: IntegrityError: (1062" in first
    assert f"Reader.nothing failed: {path}, line {line_of(path, 2)}: NoResultFound: " in second
    assert not (tmp_path / "x").exists()
    assert "loadtest_tried" not in inspect(admin).get_table_names()


@pytest.mark.long
def test_tables_that_are_kept_stay_after_a_trial(
    loadtest: Loadtest, written: Callable[[str], Path], url: URL, admin: Engine
) -> None:
    ended = loadtest("run", written(TAKE), "--try", "--keep-tables", env=at(url))
    try:
        assert ended.returncode == 0, ended.stderr
        with admin.connect() as connection:
            assert connection.scalar(text("SELECT COUNT(*) FROM loadtest_tried")) == 0
    finally:
        with admin.begin() as connection:
            connection.execute(text("DROP TABLE IF EXISTS loadtest_tried"))


def test_on_a_private_server_the_run_has_tables_that_are_filled_again(
    loadtest: Loadtest, written: Callable[[str], Path], tmp_path: Path
) -> None:
    load = ("-u", 1, "-t", "3s", "--warmup", "0s", "--results", tmp_path / "x")
    ended = loadtest("run", written(TAKE), *load)

    assert "Tried once before" not in ended.stderr
    (path,) = tmp_path.glob("x/shop-*/runs/*.jsonl")
    run = read_run(path)
    assert run.footer
    counters = run.footer.totals.counters
    assert counters["requests"] - counters["failures"] == 1


@pytest.mark.parametrize("model", [pytest.param("greenlets", marks=pytest.mark.long), "threads"])
def test_it_is_tried_without_a_pool_in_a_process_like_that_of_the_run(
    loadtest: Loadtest, written: Callable[[str], Path], url: URL, model: str
) -> None:
    path = written(UNPATCHED.format(patched=model == "greenlets"))
    ended = loadtest("run", path, "--try", "--quiet", "--model", model, env=at(url))
    assert (ended.returncode, ended.stderr) == (0, "")


FILL = """
    @task
    def read(self):
        pass

class Other(PoolUser):
    other = Table("loadtest_tried_2", MetaData(), Column("id", Integer, primary_key=True))
    metadata = other.metadata

    @classmethod
    def fill(cls, session, options):
        session.execute(insert(cls.other), [{"id": 1}, {"id": 1}])  # 1

    @task
    def read(self):
        pass
"""


def test_an_error_while_tables_are_filled_has_its_line(
    loadtest: Loadtest, written: Callable[[str], Path], url: URL, admin: Engine
) -> None:
    path = written(FILL)
    ended = loadtest("run", path, "--try", env=at(url))
    assert ended.returncode == 2
    assert f"{path}, line {line_of(path, 1)}: IntegrityError: (1062, " in ended.stderr
    tables = inspect(admin).get_table_names()
    assert not {"loadtest_tried", "loadtest_tried_2"} & set(tables)


def test_both_options_together_are_refused(loadtest: Loadtest) -> None:
    scenario: Any = ROOT / "scenarios" / "point_select.py"
    ended = loadtest("run", scenario, "--try", "--no-try")
    assert ended.returncode == 2
    assert ended.stderr == "--try and --no-try: give only one of them\n"


SLOW = """
    @task
    def slow(self):
        import pathlib, time
        pathlib.Path({begun!r}).touch()
        time.sleep(60)
"""


def test_ctrl_c_during_a_trial_leaves_no_table(
    written: Callable[[str], Path], tmp_path: Path, url: URL, admin: Engine
) -> None:
    begun = tmp_path / "begun"
    path = written(SLOW.format(begun=str(begun)))
    command = loadtest_command("run", path, "--results", tmp_path / "x")
    with running(tmp_path / "log", *command, env=at(url), warm=True) as tool:
        tool.until(begun.exists, "the task")
        assert "loadtest_tried" in inspect(admin).get_table_names()
        assert stop_with(tool, signal.SIGINT) == 130
    assert "Interrupted before anything was measured" in tool.output
    assert "Traceback" not in tool.output
    assert "loadtest_tried" not in inspect(admin).get_table_names()
    assert not (tmp_path / "x").exists()


@pytest.mark.parametrize(
    ("pool", "allowed", "code", "said"),
    [
        ("9+0", 1, 2, "Give --connections-per-user 2 to allow 8 connections"),
        ("9+0", 2, 0, "at most 9 connections at once (8 in the pool"),
        ("2+1", 1, 0, "at most 4 connections at once (3 in the pool"),
    ],
)
def test_users_that_hold_several_connections_need_them_announced(
    loadtest: Loadtest, url: URL, pool: str, allowed: int, code: int, said: str
) -> None:
    scenario = ROOT / "tests" / "findings" / "scenarios" / "nested.py"
    load = ("-u", 4, "--pool", pool, "--connections-per-user", allowed)
    ended = loadtest("run", scenario, "--try", *load, env=at(url))
    assert ended.returncode == code, ended.stderr
    assert said in ended.stderr


OWN_ENGINE = """
    @task
    def own(self):
        import os
        from sqlalchemy import create_engine
        engine = create_engine(os.environ["LOADTEST_DATABASE_URL"])
        with engine.connect() as connection:
            connection.execute(select(item)).all()
        engine.dispose()
"""


def test_tasks_that_use_an_engine_of_their_own_end_the_command_before_any_load(
    loadtest: Loadtest, written: Callable[[str], Path], tmp_path: Path, url: URL
) -> None:
    path = written(OWN_ENGINE)
    ended = loadtest("run", path, "-u", 2, "-t", "1s", "--results", tmp_path / "x", env=at(url))
    assert ended.returncode == 2, ended.stderr
    place = f"{url.host}:{url.port}/{url.database}"
    assert (
        f"No task of {path} took a connection from the measured pool: they use another engine, at "
        f"{place}: give --session MODULE:NAME"
    ) in ended.stderr
    assert not (tmp_path / "x").exists()


STUBBORN = """
    @task
    def stubborn(self):
        import time
        while True:
            try:
                time.sleep(1)  # 1
            except BaseException:
                pass
"""


@pytest.mark.long
def test_a_task_that_catches_its_limit_ends_the_command_and_leaves_no_table(
    loadtest: Loadtest, written: Callable[[str], Path], url: URL, admin: Engine
) -> None:
    path = written(STUBBORN)
    ended = loadtest("run", path, "-u", 2, "-t", "1s", env=at(url))
    assert ended.returncode == 2, ended.stderr
    said = f"Reader.stubborn did not end within 10 s: {path}, line {line_of(path, 1)}. It caught"
    assert said in ended.stderr
    assert "loadtest_tried" not in inspect(admin).get_table_names()
