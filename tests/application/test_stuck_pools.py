"""Applications whose requests need several connections at once: a deadlock is named at once."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from contextlib import AbstractContextManager, ExitStack
from pathlib import Path

import pytest
from sqlalchemy import Engine, text

from loadtest.database.private_server import PrivateServer
from loadtest.model.summary import Finding
from loadtest.runfile.reader import read_run
from tests.conftest import ROOT, engine_beside, long, values_of, without_database
from tests.findings.runs import found
from tests.processes import Running, running, warm_locust_command

pytestmark = pytest.mark.server
# What would send a reader in another direction.
OTHER_ADVICE = ("easure for longer", "larger pool_size", "pool is too small")
DATABASE = """
import os
from sqlalchemy import create_engine
from sqlalchemy.orm import scoped_session, sessionmaker

arguments = {"ssl_disabled": True}
engine = create_engine(os.environ["STUCK_URL"], connect_args=arguments, pool_pre_ping=True,
                       pool_size=3, max_overflow=3, pool_timeout=30)
SessionLocal = sessionmaker(bind=engine)
impatient = create_engine(os.environ["STUCK_URL"], connect_args=arguments, pool_size=5,
                          max_overflow=3, pool_timeout=2)
Session = scoped_session(sessionmaker(bind=impatient))

def get_db():
    db = SessionLocal()
    try:
        yield db
    finally:
        db.close()
"""
SCENARIO = """
from locust import constant, task
import time
from concurrent.futures import ThreadPoolExecutor
import gevent
from sqlalchemy import text
from stuck_db import Session, SessionLocal, get_db
from loadtest.load import PoolUser

LOOK = text("SELECT stock FROM stuck_item WHERE id = 3")

class Client(PoolUser):
    wait_time = constant(0.05)

    @task
    def request(self):
        {work}
"""
# Two sessions in a request: the dependency's, and another one for the audit.
NESTED = """
        with self.session("order"):
            steps = get_db()
            db = next(steps)
            try:
                db.execute(LOOK).all()
                time.sleep(0.02)
                with SessionLocal() as audit:
                    audit.execute(LOOK).all()
            finally:
                steps.close()
"""
# The session of the request, and a greenlet with another one.
BESIDE = """
        def audit():
            with SessionLocal() as db:
                db.execute(LOOK).all()

        with self.session("order") as db:
            db.execute(LOOK).all()
            time.sleep(0.02)
            gevent.spawn(audit).join()
"""
# The session of the request, and two helpers with a session each.
PAGE = """
        def helper(n):
            try:
                return Session.execute(text("SELECT name, SLEEP(0.01) FROM stuck_item")).all()
            finally:
                Session.remove()

        with self.session("page"):
            Session.execute(LOOK).all()
            time.sleep(0.02)
            with ThreadPoolExecutor(2) as threads:
                list(threads.map(helper, (2, 3)))
"""
# One session after the other.
IN_TURN = """
        with self.session("order") as db:
            db.execute(LOOK).all()
            db.commit()
            with SessionLocal() as audit:
                audit.execute(LOOK).all()
"""
# Name: the work, the users, what is named, and the model of the users.
RUNS = {
    "nested": (NESTED, 12, "SessionLocal", ()),
    "dependency": (NESTED, 12, "get_db", ()),
    "beside": (BESIDE, 12, "SessionLocal", ()),
    "page": (PAGE, 12, "Session", ()),
    "threads": (PAGE, 12, "Session", ("threads",)),
    "turn": (IN_TURN, 12, "SessionLocal", ()),
}


@pytest.fixture(scope="module")
def application(server: PrivateServer, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """The environment in which an application and its scenarios are found, with its table."""
    folder = tmp_path_factory.mktemp("stuck")
    (folder / "stuck_db.py").write_text(DATABASE)
    for name, (work, *_) in RUNS.items():
        (folder / f"{name}.py").write_text(SCENARIO.format(work=work.strip()))
    _make_table(engine_beside(server.url))
    address = server.url.render_as_string(hide_password=False)
    path = os.pathsep.join([str(folder), str(ROOT)])
    return {**without_database(), "STUCK_URL": address, "PYTHONPATH": path, "STUCK": str(folder)}


def _make_table(engine: Engine) -> None:
    with engine.begin() as connection:
        connection.execute(text("DROP TABLE IF EXISTS stuck_item"))
        connection.execute(
            text("CREATE TABLE stuck_item (id INT PRIMARY KEY, name VARCHAR(9), stock INT)")
        )
        connection.execute(text("INSERT INTO stuck_item VALUES (3, 'three', 9)"))


@pytest.fixture(scope="module")
def done(
    request: pytest.FixtureRequest,
    application: dict[str, str],
    tmp_path_factory: pytest.TempPathFactory,
) -> dict[str, tuple[dict[str, Finding], str]]:
    """The findings and the output of a short run of each, side by side."""
    folder = tmp_path_factory.mktemp("runs")
    with ExitStack() as stack:
        processes = {
            name: stack.enter_context(_started(folder, name, application))
            for name in values_of(request, "name")
        }
        for name, process in processes.items():
            assert process.wait() == 0, f"{name}: {process.output}"
    return {
        name: (found(read_run(folder / f"{name}.jsonl")), process.output)
        for name, process in processes.items()
    }


def _started(
    folder: Path, name: str, environment: dict[str, str]
) -> AbstractContextManager[Running]:
    _, users, session, model = RUNS[name]
    arguments = (
        *("-f", Path(environment["STUCK"]) / f"{name}.py", "--headless", "--only-summary"),
        *("-u", users, "-r", users, "-t", "4s", "--warmup", "1s", "--stop-timeout", 1),
        *("--session", f"stuck_db:{session}", "--results", folder / f"{name}.jsonl"),
    )
    command = warm_locust_command(*arguments)
    if model:  # a fork is patched
        command = [sys.executable, "-m", "loadtest.threads", *map(str, arguments)]
    return running(folder / f"{name}.log", *command, env=environment)


@pytest.mark.parametrize(
    ("name", "task", "least"),
    [
        ("nested", "order", "12 x (2 - 1) + 1 = 13"),
        ("page", "page", "12 x (2 - 1) + 1 = 13"),
        long("dependency", "order", "12 x (2 - 1) + 1 = 13"),
        long("beside", "order", "12 x (2 - 1) + 1 = 13"),
        long("threads", "page", "12 x (2 - 1) + 1 = 13"),
    ],
)
def test_a_deadlock_is_named_with_the_connections_that_avoid_it(
    done: dict[str, tuple[dict[str, Finding], str]], name: str, task: str, least: str
) -> None:
    findings, output = done[name]
    finding = findings["nested_checkout"]
    assert finding.severity == "error"
    assert finding.evidence["deadlocked"][task] > 0
    assert f"{least} connections" in finding.message
    assert f"all connections are held by '{task}'" in output, "said during the run, too"
    said = " ".join(one.message for one in findings.values())
    assert not [words for words in OTHER_ADVICE if words in said]


@pytest.mark.parametrize("name", ["turn"])
def test_connections_that_are_taken_in_turn_are_no_deadlock(
    done: dict[str, tuple[dict[str, Finding], str]], name: str
) -> None:
    findings, output = done[name]
    assert "nested_checkout" not in findings
    assert "deadlocked" not in output


@pytest.mark.long
def test_the_command_says_it_during_a_short_run_and_at_the_end(
    application: dict[str, str],
    tmp_path: Path,
    loadtest: Callable[..., subprocess.CompletedProcess[str]],
) -> None:
    scenario = Path(application["STUCK"]) / "nested.py"
    ended = loadtest(
        *("run", scenario, "--session", "stuck_db:SessionLocal", "-u", 30, "-t", "3s"),
        *("--warmup", "1s", "--results", tmp_path),
        env=application,
    )
    assert ended.returncode == 4, ended.stderr
    assert "With 30 users, 31 connections avoid this." in ended.stderr
    assert "30 x (2 - 1) + 1 = 31 connections" in ended.stdout
    assert not [words for words in OTHER_ADVICE if words in ended.stdout]
