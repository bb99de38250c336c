"""An application behind HTTP is started, driven and stopped: one result."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from loadtest.model.interval import total
from tests.driving.applications import MEASURED, Driven, drive
from tests.processes import fetch
from tests.recording.recorded import counted_in


@pytest.fixture(scope="module")
def driven(tmp_path_factory: pytest.TempPathFactory) -> Driven:
    return drive(tmp_path_factory.mktemp("driven"), "-t", "3s")


def test_requests_are_measured_and_nothing_is_left(driven: Driven) -> None:
    assert driven.code in MEASURED, driven.process.output
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
    # A checkout of the last request may be in a second of which nothing of the load is.
    assert abs(together["checkouts"] - together["requests"]) <= 4
    assert (driven.run.header.pool.pool_size, driven.run.header.pool.max_overflow) == (2, 0)
    assert driven.run.header.driven
    assert driven.run.header.driven.ready == driven.ready
    assert not (driven.runs / "as-is-1.app").exists()
    assert (driven.runs / "as-is-1.app.log").read_text() == "listening\n"


def test_the_generator_has_users_but_no_pool(driven: Driven) -> None:
    whole = [one for one in driven.of("") if one.period == "measured"]
    assert {name for one in whole for name in one.gauges} == {"load_users", "in_progress"}
    assert {one.gauges["load_users"].max for one in whole} == {2}
    command = driven.run.header.command
    assert command.startswith("loadtest run visitors.py --app ")
    assert f"--ready {driven.ready} --pool as-is -u 2 " in command


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
