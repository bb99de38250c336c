"""Workers share the arrival rate of a run."""

from __future__ import annotations

from pathlib import Path

import pytest
from sqlalchemy import URL

from loadtest.model.interval import total
from loadtest.runfile.reader import read_run
from tests.processes import free_port, run_locust

pytestmark = [pytest.mark.server, pytest.mark.long]


@pytest.mark.parametrize("spacing", ["even", "poisson"])
def test_two_workers_share_the_rate(tmp_path: Path, url: URL, spacing: str) -> None:
    path, port = tmp_path / "run.jsonl", free_port()
    arguments = ["-f", "scenarios/point_select.py", "--headless", "--only-summary", "-t", "3s"]
    arguments += ["--arrival-rate", "60", "--arrivals", spacing, "--processes", "2"]
    ports = ["--master-bind-port", str(port), "--master-port", str(port)]
    environment = {"LOADTEST_DATABASE_URL": url.render_as_string(False)}

    ended = run_locust(tmp_path / "log", *arguments, *ports, "--results", path, env=environment)

    assert ended.wait() == 0, ended.output
    run = read_run(path)
    assert list(run.problems) == []
    facts = run.told["load"]
    assert (facts["arrival_rate"], facts["arrivals"]) == (60, spacing)
    assert (facts["processes"], facts["users"]) == (2, 600)
    names = {interval.process for interval in run.intervals}
    parts = [total([i for i in run.intervals if i.process == name]) for name in names]
    assert len(parts) == 2
    for part in parts:
        expected = 30 * part.length / 1e9
        assert abs(part.counters["arrivals"] - expected) < (2 if spacing == "even" else 50)
        assert part.histograms["schedule_lag"].count > 0
        assert part.gauges["users"].max == 300
    begun = sum(part.histograms["schedule_lag"].count for part in parts)
    assert begun <= sum(part.counters["arrivals"] for part in parts)
    assert run.footer is not None
    assert "Traceback" not in ended.output
