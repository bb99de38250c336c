"""The users of the overhead benchmark on a stub driver, for a program that counts instructions.

Arguments: numbers of sessions. For each number and user, a fork makes that number of sessions and
ends; its line of output is the user, the number and the process. The forks run one after the other.
Two forks of a user differ in the number alone, because all modules were imported before. Everything
that depends on time is off: clocks are counters, and the garbage collector and Locust's background
work are switched off.
"""

import itertools
import time

time.perf_counter = itertools.count(1, 1e-6).__next__  # type: ignore[assignment, misc]
time.perf_counter_ns = itertools.count(10**9, 1000).__next__  # type: ignore[misc, assignment]
time.time = itertools.repeat(1.75e9).__next__  # type: ignore[misc, assignment]

from locust import User  # noqa: E402
from locust.env import Environment  # noqa: E402
from locust.exception import StopUser  # noqa: E402

import gc  # noqa: E402
import os  # noqa: E402
import random  # noqa: E402
import sys  # noqa: E402
import traceback  # noqa: E402
from argparse import Namespace  # noqa: E402
from types import SimpleNamespace  # noqa: E402
from typing import Any, NoReturn  # noqa: E402

import pymysql  # noqa: E402
from gevent.pool import Group  # noqa: E402
from sqlalchemy import make_url  # noqa: E402

from benchmarks import _stub_driver  # noqa: E402

URL = "mysql+pymysql://nobody@localhost/nowhere"
os.environ["LOADTEST_DATABASE_URL"] = URL
pymysql.connect = _stub_driver.Connection  # type: ignore[assignment]

from benchmarks._plain_user import PlainUser  # noqa: E402
from benchmarks._pool_user import MeasuredUser  # noqa: E402
from benchmarks.work import POOL_SIZE  # noqa: E402
from loadtest.load.engine_under_test import EngineUnderTest  # noqa: E402
from loadtest.model.pool import PoolConfig  # noqa: E402

USERS: dict[str, type[User]] = {"plain": PlainUser, "measured": MeasuredUser}


def main(numbers: list[int]) -> None:
    """Make the given numbers of sessions with each user, each number in its own process."""
    gc.collect()
    gc.freeze()
    gc.disable()
    for name in USERS:
        for sessions in numbers:
            process = os.fork()
            if not process:
                _work(name, sessions)
            _, status = os.waitpid(process, 0)
            if status:
                raise RuntimeError(f"{name} did not do {sessions} sessions")
            print(name, sessions, process, flush=True)


def _work(name: str, sessions: int) -> NoReturn:
    """Make a number of sessions, then end this process."""
    done = 0
    try:
        done = _sessions(USERS[name], sessions)
    except BaseException:
        traceback.print_exc()
    os._exit(done != sessions)


def _sessions(user_class: type[User], sessions: int) -> int:
    random.seed(1)
    environment: Any = Environment(user_classes=[user_class])
    environment.loadtest = SimpleNamespace(target=_target())
    environment.create_local_runner().greenlet.kill()  # it samples CPU and memory
    user, group = user_class(environment), Group()
    # Written in C, it adds hardly any instructions; the last call stops the user.
    waits = itertools.chain(itertools.repeat(0.0, sessions - 1), map(_stop, [None]))
    user.wait_time = waits.__next__
    user.start(group)
    group.join()
    return int(environment.stats.total.num_requests)


def _target() -> EngineUnderTest:
    options = Namespace(arrival_rate=0.0, stages="", prefill=False, seed=1)
    pool = PoolConfig(pool_size=POOL_SIZE, max_overflow=0)
    return EngineUnderTest(make_url(URL), pool, options, tls=False, process="counted")


def _stop(_: None) -> NoReturn:
    raise StopUser


if __name__ == "__main__":
    main([int(number) for number in sys.argv[1:]])
