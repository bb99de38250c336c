"""The pools of a search are as large as the server has room for, in all processes together."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from loadtest.database.preflight.checks import ALLOWED_SHARE, connections_allowed, run_checks
from loadtest.experiment.driving.servers.search_room import fitted
from loadtest.model.driven_application import DrivenApplication
from loadtest.model.experiment import Experiment
from loadtest.model.load import LoadConfig
from loadtest.model.pool import parse_pool
from tests.database.test_checks import FREE, codes, situation

USERS = 50


def experiment(processes: str) -> Experiment:
    """A search with up to forty connections in each process."""
    command = "shop -w {app_processes}" if processes else "shop"
    application = DrivenApplication(
        command=command, ready="http://127.0.0.1:8800/", processes=processes or ()
    )
    return Experiment(
        name="shop-tune",
        scenario=Path("visitors.py"),
        load=LoadConfig(users=USERS, warmup=1, duration=4),
        application=(application,),
        pool=(parse_pool("as-is"), parse_pool("40+0")),
    )


def test_each_number_of_processes_has_its_largest_pool() -> None:
    assert int(ALLOWED_SHARE * FREE) == 96
    # Four were asked for, and a process that starts them has an engine, too.
    now = situation("2+1", "40+0", processes=5)
    found, largest = fitted(experiment("1,2,4"), now)
    assert largest == {1: 40, 2: 32, 4: 19}
    demand = found.demand  # 2 × 40, 3 × 32 and 5 × 19
    assert (demand.processes, demand.most) == (3, 96)
    assert [pool.name for pool in demand.pools] == ["2+1", "32+0"]
    assert not [one for one in run_checks(found) if one.severity == "error"]
    assert "max_connections" in codes("error", "2+1", "40+0", processes=5)


def test_without_a_number_the_processes_that_were_found_count() -> None:
    found, largest = fitted(experiment(""), situation("2+1", "40+0", processes=3))
    assert (largest, found.demand.most) == ({0: 32}, 96)


def test_with_room_for_all_nothing_becomes_smaller() -> None:
    found, largest = fitted(experiment("2"), situation("2+1", "40+0", processes=2))
    assert (largest, found.demand.most) == ({2: 40}, 80)


def test_a_server_without_room_for_one_connection_each_is_refused_by_its_checks() -> None:
    now = situation("1+0", "40+0", processes=8, server={"connected": 145})
    found, largest = fitted(experiment("8"), now)
    assert largest == {8: 1}
    assert [one.code for one in run_checks(found) if one.severity == "error"] == ["max_connections"]


@pytest.mark.parametrize(
    ("changes", "allowed"),
    [
        ({}, 96),
        ({"private": True}, FREE),
        ({"overload": True}, None),
        ({"overload": True, "private": True}, FREE),
        ({"server": {"max_user_connections": 22, "of_account": 2}}, 15),
        ({"server": {"files_left": 80}}, 39),
        ({"server": {"max_connections": None, "files_left": None}}, None),
    ],
)
def test_the_connections_that_a_server_allows(changes: dict[str, Any], allowed: int | None) -> None:
    assert connections_allowed(situation("20+0", **changes)) == allowed
