"""Checkouts at a rate in a process that is recorded; it looks at what the recording takes.

Arguments: checkouts per second (0: as many as possible), seconds, the recording's folder; then the
number of places in the code, and of connections in use on average, by default one place and few
connections.

It prints a JSON object. The main thread looks at two clocks without a pause: if the thread that
writes ran in between, the main thread waited for the interpreter (the GIL). Such a hold is the
shorter of the time that passed and the CPU time of the writing thread, so other work of the machine
is no hold. During a checkout it is an upper bound: the threads may take turns, or run at the same
time.
"""

import json
import random
import resource
import sys
import threading
import time
from collections import deque
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, cast

import numpy as np
from sqlalchemy import Connection, Engine, QueuePool, create_engine, text

from loadtest.recording import record, recorder_of_process

POOL_SIZE = 20
HOLD_SECONDS = 0.005  # on average, if no number of connections is given
LEAST_HOLD = 10_000  # ns; a look takes about 1000
SECOND = 1_000_000_000
SELECT = text("SELECT 1")


class Loop:
    """Makes checkouts in a single thread, and holds connections for a while.

    checkouts: how many were made. holds: those of the interpreter by the writing thread (ns).
    """

    def __init__(self, engine: Engine, rate: float, places: int, hold_seconds: float) -> None:
        self.checkouts = 0
        self.holds: list[int] = []
        self._engine, self._rate, self._hold_seconds = engine, rate, hold_seconds
        self._places = [_place(number) for number in range(places)]
        self._most = engine.pool.size()  # type: ignore[attr-defined]
        self._held: deque[tuple[int, Connection]] = deque()
        self._chance = random.Random(1)

    def run(self, seconds: float, cpu: Callable[[], int]) -> None:
        """Make checkouts for some seconds; cpu: the CPU time of the writing thread (ns)."""
        now = due = time.perf_counter_ns()
        end, ran = now + int(seconds * SECOND), cpu()
        while now < end:
            # One at a time: what happens between two looks cannot be told apart.
            if self._held and (self._held[0][0] <= now or len(self._held) == self._most):
                self._held.popleft()[1].close()
            elif now >= due:
                self._checkout(now)
                due += int(self._chance.expovariate(self._rate) * SECOND) if self._rate else 0
            later, ran_later = time.perf_counter_ns(), cpu()
            if (hold := min(later - now, ran_later - ran)) >= LEAST_HOLD:
                self.holds.append(hold)
            now, ran = later, ran_later

    def _checkout(self, now: int) -> None:
        connection = self._places[self.checkouts % len(self._places)](self._engine)
        connection.execute(SELECT).scalar()
        until = now + int(self._chance.expovariate(1 / self._hold_seconds) * SECOND)
        self._held.append((until, connection))
        self.checkouts += 1


def _place(number: int) -> Callable[[Engine], Connection]:
    """A function of a file of its own, which takes a connection."""
    values: dict[str, Any] = {}
    source = f"def take{number}(engine):\n    return engine.connect()"
    exec(compile(source, f"place{number}.py", "exec"), values)
    return cast(Callable[[Engine], Connection], values[f"take{number}"])


def main(
    rate: float, seconds: float, folder: Path, places: int = 1, connections: int = 0
) -> dict[str, object]:
    """Run it, and describe it."""
    engine = create_engine(
        "sqlite://",
        poolclass=QueuePool,
        pool_size=2 * connections or POOL_SIZE,
        connect_args={"check_same_thread": False},
    )
    record(engine, folder=folder)
    (writer,) = (one for one in threading.enumerate() if one.name == "loadtest-recording")
    cpu = partial(time.clock_gettime_ns, time.pthread_getcpuclockid(writer.ident or 0))
    loop = Loop(engine, rate, places, connections / rate if connections else HOLD_SECONDS)
    loop.run(seconds / 4, cpu)
    before, ran = (loop.checkouts, _memory()), cpu()
    loop.run(seconds * 3 / 4, cpu)
    after, ran = (loop.checkouts, _memory()), cpu() - ran
    recorder_of_process().close()
    size = sum(path.stat().st_size for path in folder.iterdir())
    milliseconds = np.array(loop.holds or [0]) / 1e6
    levels = {f"p{level}": float(np.percentile(milliseconds, level)) for level in (50, 99, 99.9)}
    return {
        "checkouts_per_second": loop.checkouts / seconds,
        "places": places,
        "connections": connections or None,
        "gil_milliseconds": {**levels, "max": milliseconds.max(), "holds": len(loop.holds)},
        "writing_milliseconds_per_second": ran / 1e6 / (seconds * 3 / 4),
        "bytes_per_hour": round(size / seconds * 3600),
        "checkouts_and_megabytes": [before, after],
    }


def _memory() -> float:
    """The memory of this process (MB)."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * resource.getpagesize() / 1e6


if __name__ == "__main__":
    own, numbers = (float(sys.argv[1]), float(sys.argv[2]), Path(sys.argv[3])), sys.argv[4:]
    print(json.dumps(main(*own, *map(int, numbers))))
