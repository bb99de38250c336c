"""The time and memory for a report, the size of its page, and the cost of a very large result.

The results are longer versions of the example's runs: their real seconds, drawn at random and
written by the tool's own writer. The command makes each report in its own process. Its modules are
compiled, as those of an installed command are.
"""

import json
import os
import random
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import psutil

from benchmarks.startup import compiled_environment
from loadtest.model.end_reason import End, EndReason
from loadtest.runfile.folders import find_runs
from loadtest.runfile.reader import Run, read_run
from loadtest.runfile.writer import RunWriter

EXAMPLE = Path("reports/example")  # three pools
POOL = "40+0"
SAMPLED = 0.05  # seconds between two readings of the memory
WHOLE = 900_000_000  # nanoseconds: shorter intervals at the ends of a run do not count as seconds


def main() -> dict[str, object]:
    """Run it; seconds: of the whole command; peak_bytes: the peak memory of all its processes."""
    ways = {
        "three_rounds_of_a_minute": partial(_example, rounds=3, seconds=60),
        "thousand_minutes": partial(_example, rounds=20, seconds=1000),
        "hour_of_twenty_workers": partial(_workers, number=20, seconds=3600),
    }
    with tempfile.TemporaryDirectory() as compiled:
        environment = compiled_environment(compiled)
        _measure(partial(_example, rounds=1, seconds=3), environment)  # the first run compiles
        return {name: _measure(write, environment) for name, write in ways.items()}


def _measure(write: Callable[[Path], float], environment: Mapping[str, str]) -> dict[str, float]:
    with tempfile.TemporaryDirectory() as folder:
        minutes = write(Path(folder))
        paths = find_runs([Path(folder)])
        spent = _report(Path(folder), environment)
        page = (Path(folder) / "report.html").stat().st_size
        read = sum(path.stat().st_size for path in paths)
    return {
        "runs": len(paths),
        "run_minutes": minutes,
        "read_bytes": read,
        **spent,
        "page_bytes": page,
    }


def _example(folder: Path, rounds: int, seconds: int) -> float:
    """Write the example with this number of rounds and seconds; return the minutes of all runs."""
    by_pool: dict[str, list[Run]] = {}
    for path in find_runs([EXAMPLE]):
        run = read_run(path)
        by_pool.setdefault(run.pool_name, []).append(run)
    for name, runs in by_pool.items():
        for number in range(1, rounds + 1):
            header = _header(runs[number % len(runs)], number, seconds)
            process = runs[0].intervals[0].process
            dice = random.Random(f"{name} {number}")
            _write(folder / "runs" / f"{name}-{number}.jsonl", header, runs, [process], dice)
    shutil.copy(EXAMPLE / "experiment.json", folder)
    return rounds * len(by_pool) * seconds / 60


def _workers(folder: Path, number: int, seconds: int) -> float:
    """Write one long run of one of the example's pools with many workers; returns its minutes."""
    runs = [run for path in find_runs([EXAMPLE]) if (run := read_run(path)).pool_name == POOL]
    header = _header(runs[0], 1, seconds, processes=number)
    processes = [f"worker:{one}" for one in range(number)]
    dice = random.Random(POOL)
    _write(folder / "runs" / f"{POOL}-1.jsonl", header, runs, processes, dice)
    return seconds / 60


def _header(run: Run, number: int, seconds: int, **more: object) -> dict[str, Any]:
    known = {name: run.told[name] for name in run.told if name not in ("type", "format")}
    load = {**run.told["load"], "duration": float(seconds), "seed": number, **more}
    return {**known, "round": number, "load": load}


def _write(
    path: Path,
    header: dict[str, Any],
    runs: Sequence[Run],
    processes: Sequence[str],
    dice: random.Random,
) -> None:
    """Write a warm-up, then for each second and process a random second of the runs."""
    first = int(runs[0].header.started)
    own = [one for run in runs for one in run.measured() if one.length > WHOLE]
    server = [one for run in runs for one in run.server if one.length > WHOLE]
    warmup = [one for one in runs[0].intervals if one.period == "warmup"]
    writer = RunWriter(path, header)
    for process in processes:
        for one in warmup:
            writer.add(replace(one, process=process))
    for second in range(first + 1, first + 1 + int(header["load"]["duration"])):
        for process in processes:
            writer.add(replace(dice.choice(own), second=second, process=process))
        writer.add(replace(dice.choice(server), second=second))
    writer.close(End(EndReason.FINISHED), {"counters": {}})


def _report(folder: Path, environment: Mapping[str, str]) -> dict[str, float]:
    command = [sys.executable, "-m", "loadtest", "report", "--quiet", str(folder)]
    began, peak = time.perf_counter(), 0
    process = subprocess.Popen(command, env=environment)
    while not (ended := os.wait4(process.pid, os.WNOHANG))[0]:
        peak = max(peak, _memory(process.pid))
        time.sleep(SAMPLED)
    spent = time.perf_counter() - began
    _, status, used = ended
    process.returncode = os.waitstatus_to_exitcode(status)  # the verdict's; irrelevant here
    cpu = used.ru_utime + used.ru_stime
    return {"seconds": spent, "cpu_seconds": cpu, "peak_bytes": peak}


def _memory(pid: int) -> int:
    """The memory (bytes) of a process and its children; shared memory counts once (PSS)."""
    with suppress(psutil.Error, OSError):
        root = psutil.Process(pid)
        return sum(map(_share, (root, *root.children(recursive=True))))
    return 0


def _share(process: psutil.Process) -> int:
    with suppress(OSError):
        text = Path(f"/proc/{process.pid}/smaps_rollup").read_text()
        return 1024 * int(text.partition("\nPss:")[2].split()[0])
    return 0


if __name__ == "__main__":
    print(json.dumps(main()))
