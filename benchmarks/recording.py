"""The cost of a recording in an application: CPU time, instructions, interpreter, files, memory.

`fastapi` (uvicorn, aiomysql) and `flask` (gunicorn with threads, PyMySQL): the CPU time of a
request of an application that reads one row by its key, recorded and plain. `asgi` and `wsgi`: the
same without a framework, where a request costs least. `instructions`: of a checkout with
one query. `process`: how long the writing thread holds the interpreter (the GIL), bytes per hour
and memory, at some rates of checkouts, once with many places and connections. `--long` takes up to
seven minutes for each part.
"""

import argparse
import json
import subprocess
import sys
import tempfile
from collections.abc import Callable
from functools import partial
from pathlib import Path

from benchmarks._length import LONG
from benchmarks._recording_cost import KINDS, Kind, Length, cost_of_recording
from benchmarks.instructions import counts_of, per_session
from loadtest.database.supervisor import die_with_parent

PARTS = (*KINDS, "instructions", "process")
CHECKOUTS = (1000, 2000)
# Checkouts per second (0: as many as possible), then places and connections in use.
LOOPS = ((1,), (100,), (2000,), (0,), (1000, 100, 200))


def main(parts: list[str], *, longer: bool) -> dict[str, object]:
    """Run the parts of these names."""
    cost = partial(_cost, length=Length(10, 30) if longer else Length(5, 20))
    ways: dict[str, Callable[[], object]] = {
        **{name: partial(cost, kind) for name, kind in KINDS.items()},
        "instructions": _instructions,
        "process": partial(_process, 70 if longer else 10),
    }
    return {name: ways[name]() for name in parts}


def _cost(kind: Kind, length: Length) -> dict[str, object]:
    with tempfile.TemporaryDirectory() as folder:
        return cost_of_recording(kind, length, Path(folder))


def _instructions() -> dict[str, float]:
    """The instructions of a checkout in each way, and those of measuring it."""
    counts = counts_of("benchmarks._counted_checkouts", CHECKOUTS)
    found = {way: per_session(of_way) for way, of_way in counts.items()}
    return {
        **found,
        "recording": found["recorded"] - found["plain"],
        "recording_and_writing": found["written"] - found["plain"],
    }


def _process(seconds: int) -> list[object]:
    """A process for each of LOOPS."""
    return [_loop(seconds, *one) for one in LOOPS]


def _loop(seconds: int, rate: int, *more: int) -> object:
    with tempfile.TemporaryDirectory() as folder:
        arguments = (str(rate), str(seconds), folder, *map(str, more))
        command = ["-m", "benchmarks._recorded_loop", *arguments]
        done = subprocess.run(
            [sys.executable, *command],
            stdout=subprocess.PIPE,
            check=True,
            preexec_fn=die_with_parent,
        )
    return json.loads(done.stdout)


if __name__ == "__main__":
    parser = argparse.ArgumentParser("python -m benchmarks.recording", description=__doc__)
    parser.add_argument("--only", nargs="+", choices=PARTS, default=PARTS, help="only these parts")
    parser.add_argument(LONG, action="store_true", help="the longer form")
    given = parser.parse_args()
    print(json.dumps(main(given.only, longer=given.long)))
