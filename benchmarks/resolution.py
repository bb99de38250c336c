"""Whether waits of known length are measured correctly, from 20 microseconds to 10 seconds."""

import json
import sqlite3
import time
from typing import Any

from sqlalchemy import QueuePool, create_engine

from loadtest.pool.measure import measure
from loadtest.pool.recorder import Recorder

LENGTHS = {20e-6: 500, 100e-6: 500, 1e-3: 200, 10e-3: 50, 0.1: 10, 1.0: 2, 10.0: 1}


class WaitingPool(QueuePool):
    """A pool in which every checkout waits for exactly `length` seconds."""

    length = 0.0

    def _do_get(self) -> Any:
        until = time.perf_counter() + WaitingPool.length
        if WaitingPool.length > 0.01:
            time.sleep(WaitingPool.length - 0.005)
        while time.perf_counter() < until:
            continue
        return super()._do_get()


def main() -> dict[str, object]:
    """Run it: the measured median for each length, and the largest error."""
    engine = create_engine("sqlite://", poolclass=WaitingPool, creator=_connect)
    recorder = Recorder()
    measure(engine, recorder)
    engine.raw_connection().close()
    medians = {length: _median(engine, recorder, length) for length in LENGTHS}
    worst = max(abs(got - length) / max(0.01 * length, 5e-6) for length, got in medians.items())
    return {"medians": medians, "worst_error_over_allowed": worst}


def _connect() -> sqlite3.Connection:
    return sqlite3.connect(":memory:", check_same_thread=False)


def _median(engine: Any, recorder: Recorder, length: float) -> float:
    WaitingPool.length = length
    recorder.restart()
    for _ in range(LENGTHS[length]):
        engine.raw_connection().close()
    return recorder.cut("measured").histograms["wait"].percentile_seconds(50) or 0.0


if __name__ == "__main__":
    print(json.dumps(main()))
