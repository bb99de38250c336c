"""Whether the mean wait is right, compared with Little's law in a closed loop.

Users loop on a pool with a known hold. Users / throughput is the whole cycle of a user; without the
hold and the time outside the pool, the rest is the wait. The users' own clocks give users,
throughput, hold and the time outside; the recorder gives the wait.
"""

from gevent import monkey

monkey.patch_all()

import json  # noqa: E402
import time  # noqa: E402
from dataclasses import dataclass  # noqa: E402

import gevent  # noqa: E402
import numpy as np  # noqa: E402
from scipy import stats  # noqa: E402
from sqlalchemy import Engine  # noqa: E402

from loadtest.database.engine import make_engine  # noqa: E402
from loadtest.database.private_server import PrivateServer  # noqa: E402
from loadtest.model.pool import PoolConfig  # noqa: E402
from loadtest.pool.measure import measure  # noqa: E402
from loadtest.pool.recorder import Recorder  # noqa: E402

USERS, CONNECTIONS, HOLD, THINK, SECONDS, ROUNDS = 50, 5, 0.01, 0.005, 20.0, 5


@dataclass
class Clocks:
    """The readings of the users' own clocks: cycles, seconds in holds, seconds outside the pool."""

    cycles: int = 0
    held: float = 0.0
    outside: float = 0.0
    over: bool = False


def main() -> dict[str, object]:
    """Run it: the relative error of the mean wait, its interval over rounds, the largest error."""
    with PrivateServer() as server:
        errors = [_error(server) for _ in range(ROUNDS)]
    interval = stats.t.interval(0.95, ROUNDS - 1, np.mean(errors), stats.sem(errors))
    return {
        "closed_loop_error": float(np.max(np.abs(errors))),
        "mean_error": float(np.mean(errors)),
        "ci95": [float(edge) for edge in interval],
        "rounds": ROUNDS,
    }


def _error(server: PrivateServer) -> float:
    pool = PoolConfig(pool_size=CONNECTIONS, max_overflow=0)
    engine, recorder, clocks = make_engine(server.url, pool, tls=False), Recorder(), Clocks()
    measure(engine, recorder)
    users = [gevent.spawn(_user, engine, clocks) for _ in range(USERS)]
    gevent.sleep(1)
    recorder.restart()
    before, start = Clocks(**vars(clocks)), time.perf_counter()
    gevent.sleep(SECONDS)
    interval, elapsed = recorder.cut("measured"), time.perf_counter() - start
    cycles = clocks.cycles - before.cycles
    held, outside = clocks.held - before.held, clocks.outside - before.outside
    clocks.over = True
    gevent.joinall(users)
    engine.dispose()
    expected = (USERS * elapsed - held - outside) / cycles
    return (interval.histograms["wait"].mean_seconds or 0.0) / expected - 1


def _user(engine: Engine, clocks: Clocks) -> None:
    returned = time.perf_counter()
    while not clocks.over:
        gevent.sleep(THINK)
        asked = time.perf_counter()
        clocks.outside += asked - returned
        connection = engine.raw_connection()
        got = time.perf_counter()
        gevent.sleep(HOLD)
        connection.close()
        returned = time.perf_counter()
        clocks.held += returned - got
        clocks.cycles += 1


if __name__ == "__main__":
    print(json.dumps(main()))
