"""The demo with the example application, in runs of three seconds and without its middle pool."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any
from unittest import mock

import pytest

from loadtest.experiment.driving import example_application
from loadtest.runfile.reader import read_run
from tests.processes import ended_here
from tests.recording.recorded import counted_in

# With all its pools and seconds, the demo takes three minutes.
pytestmark = [pytest.mark.long, pytest.mark.alone, pytest.mark.server, pytest.mark.timeout(900)]
LIMITS = {"default": (5, 10), "3000+inf": (3000, -1)}


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder for the results of the demo."""
    return tmp_path_factory.mktemp("demo")


@pytest.fixture(scope="module")
def summary(results: Path) -> dict[str, Any]:
    """The result of the demo, which all tests read."""
    plan = example_application.example_experiment()
    load = plan.load.model_copy(update={"duration": 3.0})
    shorter = plan.model_copy(update={"pool": (plan.pool[0], plan.pool[-1]), "load": load})
    with mock.patch.object(example_application, "example_experiment", return_value=shorter):
        ended = ended_here(results / "log", "demo", "--app", "--quiet", "--results", results)
    assert ended.code == 0, ended.output
    found: dict[str, Any] = json.loads((results / "latest" / "summary.json").read_text())
    return found


def test_the_largest_pool_is_not_recommended(summary: dict[str, Any]) -> None:
    assert summary["verdict"]["recommended"] == "default"
    per_second = {one["name"]: one["throughput"]["per_second"] for one in summary["pools"]}
    assert per_second["3000+inf"] < per_second["default"]
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
