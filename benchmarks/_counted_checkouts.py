"""Checkouts of pools on a stub driver, for a program that counts instructions.

Arguments: numbers of checkouts. For each number and way, a fork makes that number of checkouts with
one query each and ends; its line of output is the way, the number and the process. `recorded` does
without the work once a second, `written` has a second for every 500 checkouts. Clocks are counters,
and the garbage collector is off, so that counts can be repeated.
"""

import itertools
import time

time.perf_counter_ns = itertools.count(10**9, 1000).__next__  # type: ignore[misc, assignment]
time.time = itertools.repeat(1.75e9).__next__  # type: ignore[misc, assignment]

import gc  # noqa: E402
import math  # noqa: E402
import os  # noqa: E402
import sys  # noqa: E402
import tempfile  # noqa: E402
import traceback  # noqa: E402
from pathlib import Path  # noqa: E402
from typing import NoReturn  # noqa: E402

import pymysql  # noqa: E402
from sqlalchemy import create_engine  # noqa: E402

from benchmarks import _stub_driver  # noqa: E402

pymysql.connect = _stub_driver.Connection  # type: ignore[assignment]

from benchmarks.work import POOL_SIZE, SELECT  # noqa: E402
from loadtest.recording.pool_recording import PoolRecording  # noqa: E402
from loadtest.recording.recording_settings import RecordingSettings  # noqa: E402
from loadtest.recording.size_budget import SizeBudget  # noqa: E402

WAYS = ("plain", "recorded", "written")
CHECKOUTS_OF_A_SECOND = 500


def main(numbers: list[int], folder: Path) -> None:
    """Make the given numbers of checkouts in each way, each number in its own process."""
    gc.collect()
    gc.freeze()
    gc.disable()
    for way in WAYS:
        for checkouts in numbers:
            process = os.fork()
            if not process:
                _work(way, checkouts, folder)
            _, status = os.waitpid(process, 0)
            if status:
                raise RuntimeError(f"{way} did not make {checkouts} checkouts")
            print(way, checkouts, process, flush=True)


def _work(way: str, checkouts: int, folder: Path) -> NoReturn:
    """Make a number of checkouts, then end this process."""
    code = 1
    try:
        _checkouts(way, checkouts, folder)
        code = 0
    except BaseException:
        traceback.print_exc()
    os._exit(code)


def _checkouts(way: str, checkouts: int, folder: Path) -> None:
    engine = create_engine(
        "mysql+pymysql://nobody@localhost/nowhere", pool_size=POOL_SIZE, max_overflow=0
    )
    budget = SizeBudget(math.inf, time.monotonic)
    recording = PoolRecording(way, engine, RecordingSettings(folder=folder), budget)
    if way != "plain":
        recording.add(engine)
    for number in range(1, checkouts + 1):
        with engine.connect() as connection:
            connection.execute(SELECT).scalar()
        if way == "written" and number % CHECKOUTS_OF_A_SECOND == 0:
            recording.cut()


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as parent:
        main([int(number) for number in sys.argv[1:]], Path(parent))
