"""PoolUsers beside the users that drive an application are named."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

from loadtest.analysis.findings.cross_checks import pool_users_beside
from loadtest.analysis.pool_runs import PoolRuns, gather
from loadtest.runfile.merged_recording import merge
from tests.analysis.builders import run
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
