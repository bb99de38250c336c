"""Ten thousand users with a rare select; prints the cost of starting them."""

from locust import between, events, task

import json
import os
import time
from pathlib import Path
from typing import Any

import psutil

from benchmarks import work
from loadtest.load import PoolUser

_told: dict[str, float] = {}


class RareUser(PoolUser):
    """A user with one select every ten seconds or so."""

    wait_time = between(5, 15)

    @task
    def select(self) -> None:
        """Do the work."""
        with self.session("select") as session:
            session.execute(work.SELECT).one()


def _mebibytes() -> float:
    return float(psutil.Process().memory_info().rss / 2**20)


@events.test_start.add_listener
def _start(**_: Any) -> None:
    _told.update(mebibytes=_mebibytes(), at=time.perf_counter())


@events.spawning_complete.add_listener
def _spawned(user_count: int, **_: Any) -> None:
    _told.update(users=user_count, spawn_seconds=time.perf_counter() - _told["at"])


@events.test_stopping.add_listener
def _stopping(**_: Any) -> None:
    # A greenlet takes most of its memory when it first runs, so memory is read only now.
    kib_per_user = (_mebibytes() - _told["mebibytes"]) * 1024 / _told["users"]
    result = {name: _told[name] for name in ("users", "spawn_seconds")}
    path = Path(os.environ["BENCHMARK_OUTPUT"])
    path.write_text(json.dumps(result | {"kib_per_user": kib_per_user}))
