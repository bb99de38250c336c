"""The fleet of an application that was driven: its processes and one of the measured pools."""

from __future__ import annotations

from pathlib import Path

import pytest

from loadtest.analysis.driven.driven_fleet import driven_fleet
from loadtest.analysis.pool_runs import Measurements, gather
from loadtest.model.errors import UsageError
from loadtest.model.pool import PoolSettings
from loadtest.runfile.merged_recording import merge
from tests.analysis.builders import run, steady
from tests.analysis.driven_pools import load, web
from tests.runfile.driven_runs import part, read


def measured(folder: Path, *sizes: int) -> Measurements:
    """A round of each pool; the one of n connections was measured in n processes."""
    runs = []
    for size in sizes:
        path = run(folder, load(range(20 * size, 20 * size + 10)), f"{size}+0").path
        settings = PoolSettings(name="shop", pool_size=size, max_overflow=0)
        for number in range(size):
            rows = web(number, range(20 * size, 20 * size + 10), gauges={"open": size, "in_use": 1})
            part(path.with_suffix(".app"), rows, process=rows[0].process, pool=settings)
        merge(path, path.with_suffix(".app"), {})
        runs.append(read(path))
    return gather(runs)


def test_processes_and_pool_of_the_only_one(tmp_path: Path) -> None:
    fleet = driven_fleet(measured(tmp_path, 3))
    assert (fleet.processes, fleet.hosts) == (3, 1)
    (use,) = fleet.uses
    assert (use.settings.pool_size, use.in_use, use.open) == (3, 1, 9)


def test_one_of_several_pools_is_chosen(tmp_path: Path) -> None:
    found = measured(tmp_path, 2, 4)
    with pytest.raises(UsageError, match=r"has the pools 2\+0 and 4\+0: choose one with --pool"):
        driven_fleet(found)
    (use,) = driven_fleet(found, ["4+0"]).uses
    assert (use.settings.pool_size, use.placement.processes) == (4, 4)


def test_another_pool_has_the_processes_and_no_use(tmp_path: Path) -> None:
    fleet = driven_fleet(measured(tmp_path, 2), ["9+0"])
    assert (fleet.processes, fleet.uses) == (2, ())


def test_a_scenario_has_no_processes(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="give a recording, or a result of --app"):
        driven_fleet(gather(steady(tmp_path, "20+0", [100])))
