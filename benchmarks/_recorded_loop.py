"""Checkouts at a rate in a process that is recorded; it looks at what the recording takes.

Arguments: checkouts per second (0: as many as possible), seconds, the recording's folder. It prints
a JSON object. The main thread looks at two clocks without a pause: if the thread that writes ran in
between, the main thread waited for the interpreter (the GIL). Such a hold is the shorter of the
time that passed and the CPU time of the writing thread, so other work of the machine is no hold.
During a checkout it is an upper bound: the threads may take turns, or run at the same time.
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

import numpy as np
from sqlalchemy import Engine, QueuePool, create_engine, text

from loadtest.recording import record, recorder_of_process

POOL_SIZE = 20
HOLD_SECONDS = 0.005  # on average
LEAST_HOLD = 10_000  # ns; a look takes about 1000
SECOND = 1_000_000_000
SELECT = text("SELECT 1")


class Loop:
    """Makes checkouts in a single thread, and holds up to POOL_SIZE connections at a time.

    checkouts: how many were made. holds: those of the interpreter by the writing thread (ns).
    """

    def __init__(self, engine: Engine, rate: float) -> None:
        self.checkouts = 0
        self.holds: list[int] = []
        self._engine, self._rate = engine, rate
        self._held: deque[tuple[int, object]] = deque()
        self._chance = random.Random(1)

    def run(self, seconds: float, cpu: Callable[[], int]) -> None:
        """Make checkouts for some seconds; cpu: the CPU time of the writing thread (ns)."""
        now = due = time.perf_counter_ns()
        end, ran = now + int(seconds * SECOND), cpu()
        while now < end:
            if now >= due:
                self._checkout(now)
                due += int(self._chance.expovariate(self._rate) * SECOND) if self._rate else 0
            later, ran_later = time.perf_counter_ns(), cpu()
            if (hold := min(later - now, ran_later - ran)) >= LEAST_HOLD:
                self.holds.append(hold)
            now, ran = later, ran_later

    def _checkout(self, now: int) -> None:
        while self._held and (self._held[0][0] <= now or len(self._held) == POOL_SIZE):
            self._held.popleft()[1].close()  # type: ignore[attr-defined]
        connection = self._engine.connect()
        connection.execute(SELECT).scalar()
        until = now + int(self._chance.expovariate(1 / HOLD_SECONDS) * SECOND)
        self._held.append((until, connection))
        self.checkouts += 1


def main(rate: float, seconds: float, folder: Path) -> dict[str, object]:
    """Run it, and describe it."""
    arguments = {"check_same_thread": False}
    engine = create_engine(
        "sqlite://", poolclass=QueuePool, pool_size=POOL_SIZE, connect_args=arguments
    )
    record(engine, folder=folder)
    (writer,) = (one for one in threading.enumerate() if one.name == "loadtest-recording")
    cpu = partial(time.clock_gettime_ns, time.pthread_getcpuclockid(writer.ident or 0))
    loop = Loop(engine, rate)
    loop.run(seconds / 4, cpu)
    before = loop.checkouts, _memory()
    loop.run(seconds * 3 / 4, cpu)
    after = loop.checkouts, _memory()
    recorder_of_process().close()
    size = sum(path.stat().st_size for path in folder.iterdir())
    milliseconds = np.array(loop.holds or [0]) / 1e6
    levels = {f"p{level}": float(np.percentile(milliseconds, level)) for level in (50, 99, 99.9)}
    return {
        "checkouts_per_second": loop.checkouts / seconds,
        "gil_milliseconds": {**levels, "max": milliseconds.max(), "holds": len(loop.holds)},
        "bytes_per_hour": round(size / seconds * 3600),
        "checkouts_and_megabytes": [before, after],
    }


def _memory() -> float:
    """The memory of this process (MB)."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * resource.getpagesize() / 1e6


if __name__ == "__main__":
    print(json.dumps(main(float(sys.argv[1]), float(sys.argv[2]), Path(sys.argv[3]))))
