"""The fleet of a recording: processes of different kinds, and those that take no connection."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from loadtest.analysis.fleet.capacity import Capacity, Fleet, ServerLimits
from loadtest.analysis.fleet.capacity_findings import fleet_capacity
from loadtest.analysis.fleet.recorded_fleet import RecordedFleet, recorded_fleet
from loadtest.analysis.recordings.read_recording import read_recording
from tests.analysis.builders import interval
from tests.analysis.recorded_pools import write_recording

SHOP = {"name": "shop", "poolclass": "QueuePool", "pool_size": 5, "max_overflow": 10}
AUDIT = {"name": "audit", "poolclass": "QueuePool", "pool_size": 20, "max_overflow": 0}


def record(
    folder: Path,
    process: str,
    pool: dict[str, Any],
    seconds: range = range(10),
    checkouts: int = 1,
    database: str = "mysql+pymysql",
) -> None:
    gauges = {"in_use": 1, "open": 1, "engines": 1}
    times = {"wait": [0] * checkouts, "hold": [5] * checkouts}
    rows = [interval(n, counters={"checkouts": checkouts}, gauges=gauges, **times) for n in seconds]
    recording = {"process": process, "part": 1, "database": database}
    write_recording(folder, rows, process, pool=pool, recording=recording)


def fleet_of(folder: Path) -> RecordedFleet:
    return recorded_fleet(read_recording([folder]).pools)


def capacity(found: RecordedFleet, surge: int = 0, limit: int = 130) -> Capacity:
    first, *further = found.pools
    fleet = Fleet(
        processes=found.processes,
        replicas=found.hosts,
        surge=surge,
        pool=first,
        further_pools=tuple(further),
        placements=found.placements,
    )
    return fleet_capacity(fleet, ServerLimits(max_connections=limit))


@pytest.mark.parametrize("worker_host", ["a", "b"])
def test_pools_of_different_processes_do_not_multiply(tmp_path: Path, worker_host: str) -> None:
    """Four web processes with 5+10, two workers with 20+0, on one host or on two."""
    for number in range(4):
        record(tmp_path, f"a-{number}", SHOP)
    for number in range(4, 6):
        record(tmp_path, f"{worker_host}-{number}", AUDIT)
    found = capacity(fleet_of(tmp_path))
    assert found.worst.connections == 4 * 15 + 2 * 20
    assert "4 processes × (5 + 10) + 2 processes × (20 + 0)" in found.verdict
    assert found.fits
    (own, none) = found.safe
    # 130 - 10 in reserve - 40 of the workers are left for four processes.
    assert (own.pool_size, own.max_overflow, own.connections) == (10, 10, 120)
    assert none.pool_size == 20


def test_each_kind_of_process_is_in_a_surge(tmp_path: Path) -> None:
    for number in range(4):
        record(tmp_path, f"a-{number}", SHOP)
    record(tmp_path, "b-1", AUDIT)
    found = capacity(fleet_of(tmp_path), surge=1)
    assert found.worst.connections == 2 * (4 * 15 + 20)
    assert not found.fits


def test_different_settings_of_one_pool_are_added_up(tmp_path: Path) -> None:
    """Web processes with 5+10 and workers with 20+0, all on the same database."""
    for number in range(4):
        record(tmp_path, f"a-{number}", SHOP)
    for number in range(4, 6):
        record(tmp_path, f"a-{number}", {**AUDIT, "name": "shop"})
    found = fleet_of(tmp_path)
    assert [use.name for use in found.uses] == [
        *("shop (QueuePool 5+10)", "shop (QueuePool 20+0)"),
    ]
    assert capacity(found).worst.connections == 100


def test_processes_with_all_pools_multiply_as_before(tmp_path: Path) -> None:
    for process in ("a-1", "a-2"):
        record(tmp_path, process, SHOP)
        record(tmp_path, process, AUDIT)
    found = fleet_of(tmp_path)
    assert found.placements == ()
    assert "2 processes × ((20 + 0) + (5 + 10))" in capacity(found).verdict


def test_a_master_without_a_checkout_is_no_process_of_the_fleet(tmp_path: Path) -> None:
    record(tmp_path, "a-1", SHOP)
    record(tmp_path, "a-2", SHOP, checkouts=0)
    assert fleet_of(tmp_path).processes == 1


def test_jobs_of_one_second_count(tmp_path: Path) -> None:
    for process in ("a-1", "a-2", "a-3"):
        record(tmp_path, process, SHOP, range(1))
    assert fleet_of(tmp_path).processes == 3


def test_a_process_that_follows_another_is_not_beside_it(tmp_path: Path) -> None:
    record(tmp_path, "a-1", SHOP, range(11))
    record(tmp_path, "a-2", SHOP, range(10, 20))
    assert fleet_of(tmp_path).processes == 1


@pytest.mark.parametrize(
    ("other", "dialect"), [("postgresql+asyncpg", "postgresql"), ("mysql+pymysql", "")]
)
def test_the_dialect_is_known_if_all_pools_have_it(
    tmp_path: Path, other: str, dialect: str
) -> None:
    record(tmp_path, "a-1", SHOP, database="postgresql+psycopg")
    record(tmp_path, "a-2", AUDIT, database=other)
    assert fleet_of(tmp_path).dialect == dialect
