"""An application behind HTTP is started, driven and stopped: one result."""

from __future__ import annotations

import json
import shlex
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import pytest

from loadtest.model.interval import Interval, total
from loadtest.runfile.reader import Run, read_run
from tests.driving.applications import APPLICATION, VISITORS
from tests.processes import Running, fetch, free_port, loadtest_command, running, until
from tests.recording.recorded import counted_in


class Driven(NamedTuple):
    """A command that has ended; folder: of its results, if there is one."""

    process: Running
    code: int
    results: Path
    ready: str

    @property
    def runs(self) -> Path:
        return next(self.results.glob("*-*/runs"))

    @property
    def run(self) -> Run:
        return read_run(self.runs / "as-is-1.jsonl")

    def of(self, role: str) -> list[Interval]:
        return [one for one in self.run.intervals if one.role == role]


def drive(folder: Path, *more: str, path: str = "/rows", command: Sequence[str] = ()) -> Driven:
    """The command `run` with two visitors of an application in a folder, at its end."""
    (folder / "app.py").write_text(APPLICATION)
    (folder / "visitors.py").write_text(VISITORS.format(path=path))
    port = free_port()
    ready = f"http://127.0.0.1:{port}/health"
    words = command or [sys.executable, "app.py", str(port), "rows.db"]
    options = ["--app", shlex.join(words), "--ready", ready, "-u", "2", "--warmup", "1s", *more]
    arguments = loadtest_command("run", "visitors.py", "--no-try", *options)
    with running(folder / "log", *arguments, cwd=folder) as process:
        code = process.wait()
        until(process.gone, "everything to end", context=lambda: f"{process.alive()}")
    return Driven(process, code, folder / "reports", ready)


@pytest.fixture(scope="module")
def driven(tmp_path_factory: pytest.TempPathFactory) -> Driven:
    return drive(tmp_path_factory.mktemp("driven"), "-t", "3s")


def test_requests_are_measured_and_nothing_is_left(driven: Driven) -> None:
    assert driven.code in (0, 4), driven.process.output  # 4: the machine was busy
    counters = counted_in(driven.run)
    times = total(driven.of("")).histograms["request"].count
    assert counters["requests"] == times > 20
    assert counters["failures"] == 0
    assert fetch(driven.ready) == ""
    assert driven.run.end
    assert driven.run.end.planned


def test_requests_and_checkouts_are_one_result(driven: Driven) -> None:
    measured = [one for one in driven.of("application") if one.period == "measured"]
    assert 2 <= len(measured) <= 4  # a second belongs to the period that covers most of it
    assert {place.partition(":")[0] for one in measured for place in one.places} == {"app.py"}
    together = counted_in(driven.run)
    # Seconds of the application of which the load has less than half are left out.
    assert 0.5 * together["requests"] < together["checkouts"] <= together["requests"] + 4
    assert (driven.run.header.pool.pool_size, driven.run.header.pool.max_overflow) == (2, 0)
    assert driven.run.header.driven
    assert driven.run.header.driven.ready == driven.ready
    assert not (driven.runs / "as-is-1.app").exists()
    assert (driven.runs / "as-is-1.app.log").read_text() == "listening\n"


def test_the_generator_has_users_but_no_pool(driven: Driven) -> None:
    whole = [one for one in driven.of("") if one.period == "measured"]
    assert {name for one in whole for name in one.gauges} == {"load_users"}
    assert {one.gauges["load_users"].max for one in whole} == {2}
    assert f"--host {driven.ready.removesuffix('/health')}" in driven.run.header.command


def test_the_plan_names_the_application(driven: Driven) -> None:
    plan = json.loads((driven.runs.parent / "experiment.json").read_text())
    assert [one["ready"] for one in plan["driven"]] == [driven.ready]
    assert "application" not in plan


def test_an_application_that_ends_is_told(tmp_path: Path) -> None:
    ended = drive(tmp_path, "-t", "30s", path="/end")
    said = ended.process.output
    assert ended.code == 1, said
    assert "the application ended with exit code 3 during the run" in said
    assert "the last words" in said
    end = ended.run.end
    assert end
    assert "the application ended with exit code 3" in end.message


def test_an_application_that_ends_before_it_is_ready_is_told(tmp_path: Path) -> None:
    ended = drive(
        tmp_path, command=[sys.executable, "-c", "print('no socket'); raise SystemExit(4)"]
    )
    said = ended.process.output
    assert ended.code == 2, said
    assert "the application ended with exit code 4 before it was ready" in said
    assert "no socket" in said
    assert not list(ended.results.glob("*"))
