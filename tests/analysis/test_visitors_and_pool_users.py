"""PoolUsers beside the users that drive an application are named."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

from loadtest.analysis.findings.cross_checks import pool_users_beside
from loadtest.analysis.pool_runs import PoolRuns, gather
from loadtest.model.interval import SERVER
from loadtest.model.summary import Finding
from loadtest.runfile.merged_recording import merge
from tests.analysis.builders import MILLISECOND, interval, level, run
from tests.analysis.driven_pools import SECONDS, driven_pool, findings_of, load, web
from tests.runfile.driven_runs import application_second, driven, load_second, part, read


def pool_of(folder: Path, *, drives: bool, others: Sequence[str]) -> PoolRuns:
    """The pool of a run with visitors and readers, of whom some have no session."""
    scenario = {"user_classes": ["Visitor", "Reader"], "other_classes": [*others]}
    if not drives:
        (pool,) = gather([run(folder, [load_second(0)], scenario=scenario)]).pools
        return pool
    path, recordings = driven(folder, [load_second(0)], scenario=scenario)
    part(recordings, [application_second(0)])
    merge(path, recordings, {"name": "shop", "command": "uvicorn shop.web:app"})
    (pool,) = gather([read(path)]).pools
    return pool


def test_they_are_named_with_what_they_add(tmp_path: Path) -> None:
    (finding,) = pool_users_beside(pool_of(tmp_path, drives=True, others=["Visitor"]))
    assert (finding.severity, finding.evidence) == ("info", {"classes": ["Reader"]})
    assert finding.message.startswith("Users of Reader ran beside the users of the application")


@pytest.mark.parametrize(("drives", "others"), [(True, ["Visitor", "Reader"]), (False, [])])
def test_nothing_is_said_without_them(tmp_path: Path, drives: bool, others: list[str]) -> None:
    assert list(pool_users_beside(pool_of(tmp_path, drives=drives, others=others))) == []


def beside(folder: Path, readers: int | None, *, locked: int = 0) -> dict[str, Finding]:
    """The findings about a run whose server has two connections of web-0 and six of readers.

    readers: their connections in the run's file, None in an older one. locked: ms per second.
    """
    scenario = {"user_classes": ["Visitor", "Reader"], "other_classes": ["Visitor"]}
    requests = load()
    for one in requests:
        if readers is not None:
            one.gauges = {name: level(readers) for name in ("beside_open", "beside_in_use")}
    told = {"row_lock_time": locked * MILLISECOND}
    server = [
        interval(n, process=SERVER, gauges={"threads_connected": 9}, counters=told) for n in SECONDS
    ]
    return findings_of(driven_pool(folder, [*requests, *server], web(), scenario=scenario))


@pytest.mark.parametrize(("readers", "disagrees"), [(6, False), (None, False), (0, True)])
def test_the_server_counts_the_connections_of_both(
    tmp_path: Path, readers: int | None, disagrees: bool
) -> None:
    assert ("server_disagrees" in beside(tmp_path, readers)) is disagrees


@pytest.mark.parametrize(("readers", "bound"), [(6, False), (None, False), (0, True)])
def test_row_locks_of_both_share_the_time_in_use_of_both(
    tmp_path: Path, readers: int | None, bound: bool
) -> None:
    assert ("database_bound" in beside(tmp_path, readers, locked=900)) is bound
