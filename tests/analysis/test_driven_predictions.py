"""What a prediction from a driven result knows of the users and processes of an application."""

from __future__ import annotations

from pathlib import Path

import pytest

from loadtest.analysis.pool_runs import Measurements, gather
from loadtest.analysis.prediction.observed_workload import observe
from loadtest.analysis.prediction.whatif import predict_pool
from loadtest.model.pool import PoolSettings, parse_pool
from tests.analysis.builders import level, milliseconds
from tests.analysis.driven_pools import driven_pool, load, web
from tests.runfile.driven_runs import read

PROCESSES, RATE = 2, 20


def measured(folder: Path, *, cpu: int = 300, command: str = "python -m shop") -> Measurements:
    """40 users, of whom each rests for 0.9 s between holds of 100 ms in one of two processes."""
    requests = load(range(10), requests=PROCESSES * RATE - 10)
    for one in requests:
        one.gauges = {"load_users": level(40)}
        one.histograms["generator_lag"] = milliseconds([2] * 20)
    processes = [
        web(
            number,
            range(10),
            cpu=cpu,
            checkouts=RATE,
            gauges={"in_use": 2, "open": 2},
            hold=[100] * RATE,
            wait=[0] * RATE,
        )
        for number in range(PROCESSES)
    ]
    pool = PoolSettings("shop", pool_size=4, max_overflow=0)
    facts = {"users": 40, "spawn_rate": 40.0, "duration": 10.0, "warmup": 1.0, "seed": 1}
    found = driven_pool(folder, requests, *processes, pool=pool, command=command, load=facts)
    return gather([read(found.runs[0].path)])


def test_users_are_away_from_the_pool_between_requests(tmp_path: Path) -> None:
    observed = observe(measured(tmp_path))
    work = observed.workload
    assert (observed.processes, work.users, work.yielding) == (2, 20, 1.0)
    assert sum(work.outside) / len(work.outside) == pytest.approx(0.9)
    assert work.stalls[0].rate == 0
    cell = predict_pool(observed, parse_pool("20+0"))
    assert cell.throughput == pytest.approx(PROCESSES * RATE, rel=0.1)
    assert cell.in_use == pytest.approx(4, rel=0.1)
    # A single connection serves ten checkouts a second in each process.
    assert predict_pool(observed, parse_pool("1+0")).throughput == pytest.approx(20, rel=0.1)


def test_the_generator_serves_all_processes(tmp_path: Path) -> None:
    observed = observe(measured(tmp_path))
    cell = predict_pool(observed, observed.settings)
    assert cell.generator == pytest.approx(0.5, rel=0.1)


def test_the_assumptions_are_said(tmp_path: Path) -> None:
    gunicorn = "gunicorn --threads 4 shop:app"
    notes = "\n".join(observe(measured(tmp_path, cpu=970, command=gunicorn)).notes)
    assert "The 40 users send requests" in notes
    assert "to 2 processes with a pool each" in notes
    assert "is assumed to stay as it was, whatever the pool" in notes
    assert "up to 4 requests at once (gunicorn --threads)" in notes
    assert "The application was at the limit of its processors with as-is" in notes
