"""Outcomes on a real server: what a scenario counts by hand is what the run says.

The applications do what others have done: they catch each error and answer with a status, limit
their requests with `gevent.Timeout`, and leave a task in the middle.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import URL

from loadtest.model.interval import Interval, total
from loadtest.runfile.reader import read_run
from tests.conftest import ROOT, without_database
from tests.processes import locust_command, running

pytestmark = pytest.mark.server
APPLICATION = """
import os
from sqlalchemy import create_engine, text
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import scoped_session, sessionmaker

engine = create_engine(os.environ["APPLICATION_URL"], connect_args={"ssl_disabled": True},
    pool_size=4, max_overflow=0)
Session = scoped_session(sessionmaker(engine))

def view():
    try:
        Session.execute(text("SELECT SLEEP(0.05)")).all()
        return 200
    except SQLAlchemyError:
        Session.rollback()
        return 500
"""
CALLS = """
from locust import constant, task
from answering import view
from loadtest.load import PoolUser

class Client(PoolUser):
    wait_time = constant(0.01)

    @task
    def get(self):
        with self.session("GET /item"):
            view()
"""
COUNTED = """
from locust import TaskSet, constant, events, task
from locust.exception import RescheduleTask, RescheduleTaskImmediately, StopUser
import json, threading
from collections import Counter
from contextlib import suppress
import gevent
from sqlalchemy import text
from sqlalchemy.exc import SQLAlchemyError
from loadtest.load import PoolUser

DEADLOCK = "SIGNAL SQLSTATE '40001' SET MYSQL_ERRNO = 1213, MESSAGE_TEXT = 'Deadlock found'"
truth, lock = Counter(), threading.Lock()

def count(name):
    with lock:
        truth[name] += 1

@events.test_stop.add_listener
def tell(**_):
    print("TRUTH", json.dumps(truth), flush=True)

def ask(session, statement="SELECT 1"):
    session.execute(text(statement)).all()

def swallow(session, statement=DEADLOCK):
    with suppress(SQLAlchemyError):
        session.execute(text(statement))
    session.rollback()
"""
# Named by what a request in them should count as.
ANSWERS = (
    COUNTED
    + """
class Basket(TaskSet):
    @task
    def pay(self):
        with self.user.session("abandoned_1") as session:
            ask(session)
            count("abandoned_1")
            self.interrupt()

class Customer(PoolUser):
    wait_time = constant(0.01)
    tasks = [Basket]

    @task
    def caught(self):
        with self.session("deadlock_1") as session:
            ask(session)
            swallow(session)
        count("deadlock_1")

    @task
    def caught_and_left(self):
        with self.session("deadlock_2") as session:
            swallow(session)
            count("deadlock_2")
            raise RescheduleTask

    @task
    def retried(self):
        with self.session("ok_1") as session:
            swallow(session)
            swallow(session)
            ask(session)
        count("ok_1")

    @task
    def declared(self):
        with self.session("declared_failure_1") as session:
            ask(session)
            self.fail("answered 500")
        count("declared_failure_1")

    @task
    def expected(self):
        with self.session("ok_2") as session:
            swallow(session)
            self.succeed()
        count("ok_2")

    @task
    def limited(self):
        with suppress(TimeoutError), self.session("interrupted_1") as session:
            ask(session)
            count("interrupted_1")
            raise TimeoutError("0.3 s")

    @task
    def empty(self):
        with self.session("abandoned_2") as session:
            ask(session)
            count("abandoned_2")
            raise RescheduleTaskImmediately

class Leaver(PoolUser):
    fixed_count = 2
    wait_time = constant(0.01)

    @task
    def leave(self):
        with self.session("abandoned_3") as session:
            ask(session)
            count("abandoned_3")
            raise StopUser
"""
)
IMPATIENT = (
    COUNTED
    + """
from answering import Session

class Impatient(PoolUser):
    wait_time = constant(0.05)

    def slowly(self, session):
        slow = self.random.random() < 0.33
        ask(session, f"SELECT SLEEP({2 if slow else 0.01})")

    @task
    def inside(self):
        try:
            with self.session("inside"), gevent.Timeout(0.3):
                self.slowly(Session)
            count("ok")
        except gevent.Timeout:
            count("interrupted")

    @task
    def around(self):
        try:
            with gevent.Timeout(0.3), self.session("around"):
                self.slowly(Session)
            count("ok")
        except gevent.Timeout:
            count("interrupted")

    @task
    def silent(self):
        done = False
        with self.session("silent"), gevent.Timeout(0.3, False):
            self.slowly(Session)
            done = True
        count("ok" if done else "interrupted")
"""
)
Process = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture
def environment(tmp_path: Path, url: URL) -> dict[str, str]:
    """The environment of an application that lies beside the scenario."""
    (tmp_path / "answering.py").write_text(APPLICATION)
    address = url.render_as_string(hide_password=False)
    python = {"PYTHONPATH": f"{tmp_path}:{ROOT}"}
    return {**without_database(), **python, "APPLICATION_URL": address}


def counted(
    folder: Path, environment: dict[str, str], command: list[str], scenario: str, *more: Any
) -> tuple[Counter[str], Interval, str]:
    """What a run's scenario counted, what the run measured, and what it printed."""
    (folder / "scenario.py").write_text(scenario)
    fixed = ("-f", folder / "scenario.py", "--headless", "--only-summary", "--stop-timeout", 10)
    words = [*command, *fixed, "-t", "2s", "--results", folder / "run.jsonl", *more]
    with running(folder / "log", *words, env=environment, cwd=folder) as process:
        assert process.wait() == 0, process.output
    (line,) = re.findall(r"^TRUTH (.*)$", process.output, re.MULTILINE)
    measured = total(read_run(folder / "run.jsonl").intervals)
    return Counter(json.loads(line)), measured, process.output


def kinds(whole: Interval) -> dict[str, int]:
    prefix = "errors."
    found = whole.counters.items()
    return {name.removeprefix(prefix): n for name, n in found if name.startswith(prefix)}


@pytest.mark.parametrize("model", ["greenlets", "threads"])
def test_requests_count_as_what_became_of_their_work(
    tmp_path: Path, environment: dict[str, str], model: str
) -> None:
    command = locust_command() if model == "greenlets" else [sys.executable, "-m"]
    command += ["loadtest.threads"] if model == "threads" else []
    database = {"LOADTEST_DATABASE_URL": environment["APPLICATION_URL"]}
    truth, whole, output = counted(
        tmp_path, {**environment, **database}, command, ANSWERS, "-u", 8, "-r", 8
    )

    expected: Counter[str] = Counter()
    for name, number in truth.items():
        expected[name.rpartition("_")[0]] += number
    assert len(truth) == 9
    assert min(truth.values()) > 0
    assert truth["abandoned_3"] == 2
    assert whole.counters["abandoned"] == expected.pop("abandoned")
    assert whole.histograms["request"].count == expected.pop("ok")
    assert kinds(whole) == expected
    assert whole.counters["retries"] == whole.counters["retries.deadlock"] == 2 * truth["ok_1"]
    table = re.findall(r"^session +(\w+) +(\d+) +(\d+)\(", output, re.MULTILINE)
    shown = {name: (int(ended), int(failed)) for name, ended, failed in table}
    assert shown == {
        name: (number, 0 if name.startswith("ok") else number)
        for name, number in truth.items()
        if not name.startswith("abandoned")
    }


def test_requests_that_gevent_timeout_ends_failed_wherever_it_is_caught(
    tmp_path: Path, environment: dict[str, str]
) -> None:
    users = ("--session", "answering:Session", "-u", 12, "-r", 12)
    truth, whole, output = counted(tmp_path, environment, locust_command(), IMPATIENT, *users)

    assert truth["interrupted"] > 0
    assert kinds(whole) == {"interrupted": truth["interrupted"]}
    assert whole.histograms["request"].count == truth["ok"]
    names = set(re.findall(r"^session +(\w+) +\d+ +[1-9]\d*\(", output, re.MULTILINE))
    assert names == {"inside", "around", "silent"}
    cut_off = whole.counters["closed.error"]
    assert 0 < cut_off <= truth["interrupted"], "others waited for a connection"
    assert whole.counters["opened"] >= cut_off


@pytest.mark.long
def test_a_pool_is_not_recommended_for_requests_that_it_answers_with_an_error(
    tmp_path: Path, environment: dict[str, str], loadtest: Process
) -> None:
    (tmp_path / "calls.py").write_text(CALLS)
    sizes = "pool_size=2,max_overflow=0,pool_timeout="
    pools = ("--pool", f"short:{sizes}0.01", "--pool", f"long:{sizes}60")
    ended = loadtest(
        *("compare", tmp_path / "calls.py", "--session", "answering:Session", *pools),
        *("-u", 20, "-t", "2s", "--warmup", "1s", "--rounds", 1, "--json", "-q"),
        *("--no-try", "--results", tmp_path),
        env=environment,
    )
    assert ended.returncode in (4, 5), ended.stderr
    summary = json.loads(ended.stdout)
    short, long = summary["pools"]
    for pool in (short, long):
        # Two connections of 50 ms each; a second begins and ends within requests.
        assert 0 < pool["throughput"]["per_second"] <= 42
    assert list(short["errors"]["by_kind"]) == ["pool_timeout"]
    assert short["errors"]["rate"] > 0.5
    assert long["errors"]["rate"] == 0
    (found,) = (one for one in short["findings"] if one["code"] == "most_failed")
    assert "most with pool timeouts: QueuePool limit of size 2 overflow 0" in found["message"]
    assert summary["verdict"]["recommended"] is None
    assert "short is not recommended" in summary["verdict"]["text"]


@pytest.mark.long
def test_where_no_request_succeeds_the_error_is_all_that_is_said(
    tmp_path: Path, environment: dict[str, str], loadtest: Process
) -> None:
    failing = CALLS.replace("view()\n", "view()\n            self.fail('answered 404')\n")
    (tmp_path / "never.py").write_text(failing)
    ended = loadtest(
        *("run", tmp_path / "never.py", "--session", "answering:Session", "-u", 3, "-t", "2s"),
        *("--warmup", "0s", "--no-try", "-q", "--results", tmp_path),
        env=environment,
    )
    assert ended.returncode == 4, ended.stderr
    assert "- as-is: No request succeeded: all " in ended.stdout
    assert "most with declared failures: answered 404." in ended.stdout
    summary = json.loads((tmp_path / "latest" / "summary.json").read_text())
    codes = [finding["code"] for finding in summary["pools"][0]["findings"]]
    assert codes == ["nothing_succeeded", "errors_declared_failure"]
