"""The demo with the example application, as its users start it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from loadtest.runfile.reader import read_run
from tests.processes import loadtest_command, running
from tests.recording.recorded import counted_in

# The demo takes three minutes.
pytestmark = [pytest.mark.long, pytest.mark.alone, pytest.mark.server, pytest.mark.timeout(900)]
PATIENCE_SECONDS = 600
LIMITS = {"default": (5, 10), "20+0": (20, 0), "3000+inf": (3000, -1)}


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder for the results of the demo."""
    return tmp_path_factory.mktemp("demo")


@pytest.fixture(scope="module")
def summary(results: Path) -> dict[str, Any]:
    """The result of the demo, which all tests read."""
    command = loadtest_command("demo", "--app", "--quiet", "--results", results)
    with running(results / "log", *command) as process:
        assert process.wait(PATIENCE_SECONDS) == 0, process.output
    found: dict[str, Any] = json.loads((results / "latest" / "summary.json").read_text())
    return found


def test_the_largest_pool_is_not_recommended(summary: dict[str, Any]) -> None:
    assert summary["verdict"]["recommended"] in ("default", "20+0")
    per_second = {one["name"]: one["throughput"]["per_second"] for one in summary["pools"]}
    assert per_second["3000+inf"] < per_second["20+0"]
    assert {one["name"]: one["valid"] for one in summary["pools"]} == dict.fromkeys(LIMITS, True)


def test_each_pool_ran_in_the_application(summary: dict[str, Any], results: Path) -> None:
    for pool in summary["pools"]:
        files = (results / "latest" / "runs").glob(f"{pool['name']}-*.jsonl")
        runs = [read_run(path) for path in files]
        assert len(runs) == 5
        for run in runs:
            sizes = run.header.pool.pool_size, run.header.pool.max_overflow
            assert sizes == LIMITS[pool["name"]]
            counters = counted_in(run)
            assert min(counters["requests"], counters["checkouts"]) > 100
