"""PoolUsers beside users that drive an application: their requests count, their pool does not."""

from __future__ import annotations

from locust import User

import re
from collections import Counter
from pathlib import Path

import pytest
from sqlalchemy import URL

from loadtest.load import PoolUser
from loadtest.load.driving_users import requests_of
from loadtest.load.users.user_levels import most_pool_users
from loadtest.model.distribution import Distribution
from loadtest.model.interval import SECOND, Gauge, Interval
from loadtest.runfile.reader import read_run
from tests.processes import Running, run_locust

_ROW = r"(?m)^\s*(GET|Aggregated)\s+(?:/rows\s+)?(\d+)\s+0\("

USERS = """
from locust import User, constant, task
from sqlalchemy import text

from loadtest.load import PoolUser

class Visitor(User):
    wait_time = constant(0.05)

    @task
    def visit(self):
        with self.environment.events.request.measure("GET", "/rows"):
            pass

class Reader(PoolUser):
    wait_time = constant(0.05)

    @task
    def read(self):
        with self.session("read") as session:
            session.execute(text("SELECT 1"))
"""


def run(folder: Path, *more: str, url: URL | None) -> Running:
    """Two visitors and two readers for two seconds; the result is in `run.jsonl`."""
    (folder / "users.py").write_text(USERS)
    arguments = ["-f", folder / "users.py", "--headless", "--only-summary", "-u", 4, "-r", 4]
    arguments += [
        "--driving",
        "loadtest run",
        "--host",
        "http://127.0.0.1:1",
        "--poolclass",
        "as-is",
        "-t",
        "2s",
    ]
    address = {"LOADTEST_DATABASE_URL": url.render_as_string(False)} if url else {}
    arguments += ["--results", folder / "run.jsonl", *more]
    return run_locust(folder / "log", *arguments, env=address)


@pytest.mark.server
@pytest.mark.parametrize("rate", [pytest.param(0, marks=pytest.mark.long), 40])
def test_their_requests_are_measured_and_their_checkouts_are_not(
    tmp_path: Path, url: URL, rate: int
) -> None:
    ended = run(tmp_path, *(["--arrival-rate", str(rate)] if rate else []), url=url)
    assert ended.wait() == 0, ended.output
    result = read_run(tmp_path / "run.jsonl")
    assert list(result.problems) == []
    counters: Counter[str] = Counter()
    for interval in result.intervals:
        counters.update(interval.counters)
        assert interval.gauges.keys() == {"load_users", "beside_in_use", "beside_open"}
        assert not interval.tasks
    assert "checkouts" not in counters
    assert counters["failures"] == 0
    assert {name for one in result.intervals for name in one.requests} == {"GET /rows", "read"}
    names = {name.partition("@")[0] for one in result.intervals for name in one.histograms}
    lag = {"schedule_lag"} if rate else set()
    assert names == {"request", "generator_lag", *lag}
    # As Locust counts them in its table, for each kind of user and together.
    counted = {kind: int(number) for kind, number in re.findall(_ROW, ended.output)}
    assert counters["requests"] == counted["Aggregated"] > counted["GET"] > 5
    assert (counters["arrivals"] > 0) == bool(rate)
    assert result.told["server"]["version"]


def test_without_a_database_they_are_refused(tmp_path: Path) -> None:
    ended = run(tmp_path, url=None)
    assert ended.wait() == 2, ended.output
    assert "Reader: beside users that send requests to an application, a PoolUser" in ended.output
    assert not (tmp_path / "run.jsonl").exists()


def test_requests_are_kept_without_the_pool() -> None:
    users = Interval(7, "a", "measured", SECOND)
    users.counters = Counter(requests=9, failures=2, checkouts=9, cpu=5, arrivals=9)
    users.counters |= Counter({"errors.other": 2, "retries.deadlock": 1, "retries": 1})
    users.gauges = {"in_use": Gauge(1, 0, 3, 2)}
    times = Distribution.of([5])
    users.histograms = {"request": times, "wait": times, "schedule_lag": times}
    users.examples, users.first_failure = {"other": "a word"}, 12

    kept = requests_of(users, Interval(8, "b", "warmup", SECOND // 2))

    assert (kept.second, kept.process, kept.period, kept.length) == (8, "b", "warmup", SECOND // 2)
    expected = {"requests": 9, "failures": 2, "retries": 1}
    assert kept.counters == {**expected, "errors.other": 2, "retries.deadlock": 1}
    assert kept.gauges == {"beside_in_use": Gauge(1, 0, 3, 2)}
    assert kept.histograms.keys() == {"request", "schedule_lag"}
    assert (kept.examples, kept.first_failure) == ({"other": "a word"}, 12)


class Reader(PoolUser):
    weight = 1


class Writer(PoolUser):
    fixed_count = 3


class Visitor(User):
    weight = 9


@pytest.mark.parametrize(
    ("classes", "users", "most"),
    [
        ((Visitor,), 100, 0),
        ((Reader, Visitor), 100, 11),
        ((Reader, Visitor, Writer), 100, 15),
        ((Reader, Visitor), 1, 1),
        ((Writer,), 2, 2),
    ],
)
def test_the_most_of_them_follows_from_the_weights(
    classes: tuple[type, ...], users: int, most: int
) -> None:
    assert most_pool_users(classes, users) == most
