"""The benchmark of recordings: its clocks, and the programs that it starts."""

from __future__ import annotations

import gzip
import json
import os
import subprocess
import sys
import time
from pathlib import Path

from benchmarks._recording_cost import _cpu_seconds
from tests.conftest import ROOT


def run(module: str, *arguments: object) -> str:
    done = subprocess.run(
        [sys.executable, "-m", f"benchmarks.{module}", *map(str, arguments)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_the_cpu_clock_of_a_process_is_the_one_that_it_reads_itself() -> None:
    before, read, after = time.process_time(), _cpu_seconds(os.getpid()), time.process_time()
    assert before <= read <= after


def test_each_way_makes_each_number_of_checkouts_in_a_process_of_its_own() -> None:
    lines = [line.split() for line in run("_counted_checkouts", 3, 5).splitlines()]
    ways = [way for way in ("plain", "recorded", "written") for _ in range(2)]
    assert [line[:2] for line in lines] == [
        [way, str(number)] for way, number in zip(ways, [3, 5] * 3, strict=True)
    ]
    assert len({process for *_, process in lines}) == 6


def test_a_loop_is_recorded_and_describes_itself(tmp_path: Path) -> None:
    said = json.loads(run("_recorded_loop", 0, 0.4, tmp_path / "runs"))
    (before, _), (after, megabytes) = said["checkouts_and_megabytes"]
    assert 0 < before < after
    assert megabytes > 1
    assert said["bytes_per_hour"] > 0
    assert set(said["gil_milliseconds"]) == {"p50", "p99", "p99.9", "max", "holds"}
    assert said["writing_milliseconds_per_second"] >= 0
    (part,) = (tmp_path / "runs").iterdir()
    assert part.suffix == ".gz"


def test_a_loop_has_places_and_connections_in_use(tmp_path: Path) -> None:
    run("_recorded_loop", 400, 1, tmp_path, 7, 30)
    (part,) = tmp_path.iterdir()
    last = [json.loads(line) for line in gzip.decompress(part.read_bytes()).splitlines()][-2]
    assert {place.partition(":")[0] for place in last["places"]} == {
        f"place{number}.py" for number in range(7)
    }
    assert last["gauges"]["in_use"]["max"] > 15
