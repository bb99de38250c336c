"""With an application, a pool changes the settings that it names; all others stay."""

from __future__ import annotations

from typing import Any

import pytest

from loadtest.database.preflight.announcement import intentions
from loadtest.database.preflight.situation import Demand
from loadtest.model.allowances import NO_ALLOWANCES
from loadtest.model.errors import UsageError
from loadtest.model.experiment import Experiment
from loadtest.model.field_types import validated
from loadtest.model.pool import PoolConfig, parse_pool

# What `settings_of` finds: each differs from SQLAlchemy's default.
STORE: dict[str, Any] = {
    "poolclass": "QueuePool",
    "pool_size": 3,
    "max_overflow": 2,
    "pool_timeout": 10,
    "pool_recycle": 280,
    "pool_pre_ping": True,
    "pool_use_lifo": True,
    "pool_reset_on_return": "commit",
}
NO_QUEUE = {
    "pool_size": None,
    "max_overflow": None,
    "pool_recycle": 280,
    "pool_pre_ping": True,
    "pool_reset_on_return": "rollback",
}


def measured(text: str, own: dict[str, Any]) -> dict[str, Any]:
    """The settings that are measured in an application, without what only reports need."""
    pool = parse_pool(text).of_application().on(own)
    return {name: getattr(pool, name) for name in PoolConfig.model_fields if name in pool.named}


@pytest.mark.parametrize(
    ("text", "changes"),
    [
        ("as-is", {}),
        ("3+2", {}),
        ("10+0", {"pool_size": 10, "max_overflow": 0}),
        ("small:10+0", {"pool_size": 10, "max_overflow": 0}),
        ("as-is,pool_size=20", {"pool_size": 20}),
        ("pool_size=20", {"pool_size": 20}),
        ("mine:as-is,pool_size=20,max_overflow=0", {"pool_size": 20, "max_overflow": 0}),
        ("pool_size=5", {"pool_size": 5}),  # SQLAlchemy's default is a change, too
        ("pool_timeout=30", {"pool_timeout": 30}),
        ("pool_pre_ping=false", {"pool_pre_ping": False}),
        ("pool_reset_on_return=none", {"pool_reset_on_return": "none"}),
        ("poolclass=FairPool", {"poolclass": "FairPool"}),
        ("poolclass=QueuePool,pool_size=9", {"pool_size": 9}),
    ],
)
def test_a_pool_changes_what_it_names(text: str, changes: dict[str, Any]) -> None:
    assert measured(text, STORE) == STORE | changes


def test_without_a_queue_its_settings_go_and_the_others_stay() -> None:
    assert measured("poolclass=NullPool", STORE) == {
        "poolclass": "NullPool",
        "pool_recycle": 280,
        "pool_pre_ping": True,
        "pool_reset_on_return": "commit",
    }


@pytest.mark.parametrize("poolclass", ["NullPool", "StaticPool", "AssertionPool"])
def test_a_size_makes_a_queue_of_a_pool_of_another_class(poolclass: str) -> None:
    own = {"poolclass": poolclass, **NO_QUEUE}
    assert measured("as-is", own) == own
    assert measured("pool_pre_ping=false", own) == own | {"pool_pre_ping": False}
    queue = measured("20+0", own)
    assert (queue["poolclass"], queue["pool_size"], queue["max_overflow"]) == ("QueuePool", 20, 0)
    assert (queue["pool_recycle"], queue["pool_pre_ping"]) == (280, True)
    sized = parse_pool("as-is,pool_size=7").on(own)
    assert (sized.poolclass, sized.pool_size, sized.max_overflow) == ("QueuePool", 7, 10)


def test_a_class_of_the_applications_own_is_kept() -> None:
    own = STORE | {"poolclass": "GreedyPool"}
    assert measured("10+0", own) == own | {"pool_size": 10, "max_overflow": 0}
    assert measured("poolclass=QueuePool", own) == STORE


def test_settings_that_were_completed_stay_as_they_are() -> None:
    for own in (STORE, {"poolclass": "StaticPool", **NO_QUEUE}):
        for text in ("as-is", "10+0", "poolclass=NullPool", "as-is,pool_recycle=5"):
            once = parse_pool(text).of_application().on(own)
            assert once.on(own) == once


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("as-is", "as-is"),
        ("10+0", "10+0"),
        ("as-is,pool_size=10,max_overflow=-1", "10+inf"),
        ("as-is,pool_size=20", "as-is.pool_size-20"),
        ("pool_timeout=2,pool_pre_ping=true", "as-is.pool_timeout-2.0.pool_pre_ping-True"),
        ("poolclass=FairPool,pool_size=20,max_overflow=5", "fair-20+5"),
        ("poolclass=FairPool", "as-is.poolclass-FairPool"),
        ("poolclass=NullPool", "nullpool"),
        ("mine:pool_timeout=2", "mine"),
    ],
)
def test_a_name_says_only_what_is_known(text: str, name: str) -> None:
    pool = parse_pool(text).of_application()
    assert pool.name == pool.of_application().name == name
    parse_pool(f"{name}:5+0")  # it is a name


def test_an_experiment_with_an_application_names_its_pools_so() -> None:
    pools = [parse_pool(text) for text in ("as-is", "pool_timeout=2", "20+0")]
    experiment = Experiment(name="x", scenario="x.py", session="a:b", pool=pools)
    names = ["as-is", "as-is.pool_timeout-2.0", "20+0"]
    assert [pool.name for pool in experiment.pool] == names
    again = Experiment.model_validate_json(experiment.model_dump_json(exclude_unset=True))
    assert again == experiment
    assert [pool.named for pool in again.pool] == [pool.named for pool in experiment.pool]


def test_without_an_application_nothing_can_stay_as_it_is() -> None:
    given = {"name": "x", "scenario": "x.py", "pool": [{"poolclass": "as-is", "pool_size": 20}]}
    with pytest.raises(UsageError, match="as-is is an application's own pool"):
        validated(Experiment, given, "x")


@pytest.mark.parametrize(
    ("text", "own", "most"),
    [
        ("as-is", STORE | {"pool_size": 5, "max_overflow": 5}, 10 + 1),
        ("as-is", STORE | {"pool_size": 50}, 40 + 1),
        ("as-is", STORE | {"max_overflow": -1}, 40 + 1),
        ("as-is,max_overflow=0", STORE, 3 + 1),
        # Users that find its one connection missing at the same time open one each.
        ("as-is", {"poolclass": "StaticPool", **NO_QUEUE}, 40 + 1),
        ("as-is", {"poolclass": "NullPool", **NO_QUEUE}, 40 + 1),
    ],
)
def test_the_announcement_counts_the_applications_pool(
    text: str, own: dict[str, Any], most: int
) -> None:
    demand = Demand((parse_pool(text).of_application().on(own),), users=40)
    _, connections, *_ = intentions("d at h:3306", demand, "the tasks", [], NO_ALLOWANCES)
    assert connections.startswith(f"- open at most {most} connections at once ({most - 1} in the")
