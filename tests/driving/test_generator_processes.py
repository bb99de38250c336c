"""Several processes send the requests to an application; together they are one result."""

from __future__ import annotations

import json
import os
import shlex
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest

from loadtest.model.experiment import Experiment
from loadtest.model.interval import total
from loadtest.model.load import LoadConfig
from loadtest.runfile.reader import Run
from tests.driving.applications import APPLICATION, MEASURED, VISITORS, drive
from tests.processes import Running, free_port, loadtest_command, running, so_far, until


@contextmanager
def driven(folder: Path, *more: str) -> Iterator[Running]:
    """The command `run` with two processes that drive the small application."""
    (folder / "app.py").write_text(APPLICATION)
    (folder / "visitors.py").write_text(VISITORS.format(path="/rows"))
    port = free_port()
    command = shlex.join([sys.executable, "app.py", str(port), "rows.db"])
    options = ["--app", command, "--ready", f"http://127.0.0.1:{port}/health", "--no-try"]
    options += ["--processes", "2", "-u", "6", "--warmup", "1s", *more]
    arguments = loadtest_command("run", "visitors.py", *options)
    with running(folder / "log", *arguments, cwd=folder) as process:
        yield process
        process.wait()
        until(process.gone, "everything to end", context=lambda: f"{process.alive()}")


def file_in(folder: Path) -> Path:
    return next(iter(folder.glob("reports/*-*/runs/as-is-1.jsonl")), folder / "none")


def generators(run: Run) -> dict[str, list[object]]:
    found: dict[str, list[object]] = {}
    for one in run.intervals:
        if not one.role:
            found.setdefault(one.process, []).append(one)
    return found


@pytest.mark.parametrize(
    "rate",
    [("--arrival-rate", "40", "--arrivals", "even"), pytest.param((), marks=pytest.mark.long)],
    ids=["open", "closed"],
)
def test_two_processes_share_the_load(tmp_path: Path, rate: tuple[str, ...]) -> None:
    ended = drive(tmp_path, "-t", "3s", "--processes", "2", "-u", "6", *rate)
    assert ended.code in MEASURED, ended.process.output
    run = ended.run
    assert list(run.problems) == []
    assert run.told["load"]["processes"] == 2
    assert "--processes 2" in run.told["command"]
    assert "--master-bind-port" not in run.told["command"]
    parts = [total(of_one) for of_one in generators(run).values()]  # type: ignore[arg-type]
    assert [part.gauges.keys() for part in parts] == [{"load_users", "in_progress"}] * 2
    assert [part.gauges["load_users"].max for part in parts] == [3, 3]
    for part in parts:
        assert part.counters["requests"] > 5
        expected = 20 * part.length / 1e9 if rate else 0
        assert part.counters["arrivals"] == pytest.approx(expected, abs=2)
    made = [one for one in run.intervals if one.role == "application"]
    sent = sum(part.counters["requests"] for part in parts)
    whole = sum(one.counters["checkouts"] for one in made)
    # Seconds at the edges of the run have no application, or only a part of it.
    assert 0 < whole <= sent


@pytest.mark.long
def test_a_process_that_is_killed_is_a_finding(tmp_path: Path) -> None:
    with driven(tmp_path, "-t", "8s") as process:
        process.until(lambda: len(so_far(file_in(tmp_path))) >= 4, "two seconds")
        names = {one.process for one in so_far(file_in(tmp_path)) if not one.role}
        victim = int(max(names).rpartition(":")[2])
        assert process.mark in psutil.Process(victim).environ().values()
        os.kill(victim, signal.SIGKILL)
    pool = json.loads((file_in(tmp_path).parents[1] / "summary.json").read_text())["pools"][0]
    assert "worker_lost" in {finding["code"] for finding in pool["findings"]}


def test_several_processes_need_an_application() -> None:
    two = {"name": "a", "scenario": Path("a.py"), "load": LoadConfig(processes=2)}
    with pytest.raises(ValueError, match="processes: requires an application behind HTTP"):
        Experiment(**two, pool=[{"pool_size": 5}])  # type: ignore[arg-type]
    driven = {"command": "shop", "ready": "http://127.0.0.1:8800/"}
    pool = {"poolclass": "as-is"}
    assert Experiment(**two, pool=[pool], application=[driven]).load.processes == 2  # type: ignore[arg-type]
