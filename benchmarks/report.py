"""How long a report takes, how big its page is, and what a very large result needs.

The results are the example's runs made longer: their real seconds, drawn at random, written by the
tool's own writer. Each report is made by the command, in a process of its own.
"""

import json
import os
import random
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from loadtest.model.end_reason import End, EndReason
from loadtest.model.interval import Interval
from loadtest.runfile.folders import find_runs
from loadtest.runfile.reader import Run, read_run
from loadtest.runfile.writer import RunWriter

EXAMPLE = Path("reports/example")  # three pools
WHOLE = 900_000_000  # nanoseconds: the parts of a second at the ends of a run are no seconds


def main() -> dict[str, object]:
    """Run it; seconds are of the whole command, peak_bytes the most memory it had."""
    return {
        "three_rounds_of_a_minute": _measure(rounds=3, seconds=60),
        "thousand_minutes": _measure(rounds=20, seconds=1000),
    }


def _measure(rounds: int, seconds: int) -> dict[str, float]:
    with tempfile.TemporaryDirectory() as folder:
        runs = _write(Path(folder), rounds, seconds)
        spent = _report(Path(folder))
        page = (Path(folder) / "report.html").stat().st_size
        read = sum(path.stat().st_size for path in find_runs([Path(folder)]))
    minutes = runs * seconds / 60
    return {"runs": runs, "run_minutes": minutes, "read_bytes": read, **spent, "page_bytes": page}


def _write(folder: Path, rounds: int, seconds: int) -> int:
    """The example with so many rounds of so many seconds; the number of runs."""
    by_pool: dict[str, list[Run]] = {}
    for path in find_runs([EXAMPLE]):
        run = read_run(path)
        by_pool.setdefault(run.pool_name, []).append(run)
    for name, runs in by_pool.items():
        for number in range(1, rounds + 1):
            writer = RunWriter(
                folder / "runs" / f"{name}-{number}.jsonl",
                _header(runs[number % len(runs)], number, seconds),
            )
            for interval in _intervals(runs, seconds, random.Random(f"{name} {number}")):
                writer.add(interval)
            writer.close(End(EndReason.FINISHED), {"counters": {}})
    shutil.copy(EXAMPLE / "experiment.json", folder)
    return rounds * len(by_pool)


def _header(run: Run, number: int, seconds: int) -> dict[str, object]:
    known = {name: run.told[name] for name in run.told if name not in ("type", "format")}
    load = {**run.told["load"], "duration": float(seconds), "seed": number}
    return {**known, "round": number, "load": load}


def _intervals(runs: list[Run], seconds: int, dice: random.Random) -> Iterator[Interval]:
    """A run's warm-up, then so many seconds of any of the pool's runs with the server's beside."""
    first = int(runs[0].header.started)
    own = [one for run in runs for one in run.measured() if one.length > WHOLE]
    server = [one for run in runs for one in run.server if one.length > WHOLE]
    yield from (one for one in runs[0].intervals if one.period == "warmup")
    for second in range(first + 1, first + 1 + seconds):
        yield replace(dice.choice(own), second=second, process=runs[0].intervals[0].process)
        yield replace(dice.choice(server), second=second)


def _report(folder: Path) -> dict[str, float]:
    command = [sys.executable, "-m", "loadtest", "report", "--quiet", str(folder)]
    began = time.perf_counter()
    process = subprocess.Popen(command)
    _, status, used = os.wait4(process.pid, 0)
    spent = time.perf_counter() - began
    process.returncode = os.waitstatus_to_exitcode(status)  # of the verdict, which does not matter
    cpu = used.ru_utime + used.ru_stime
    return {"seconds": spent, "cpu_seconds": cpu, "peak_bytes": used.ru_maxrss * 1024}


if __name__ == "__main__":
    print(json.dumps(main()))
