"""A run is refused if the application does not run with the requested pool."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import make_url

from loadtest.experiment.driving.read_back import asked_settings, check_pool, check_told
from loadtest.model.errors import RefusedRun
from loadtest.model.pool import PoolConfig, parse_pool
from tests.driving.applications import ENGINE, drive
from tests.driving.told import QUEUE, told_engine

EXPECTED = make_url("mysql+pymysql://loadtest:x@127.0.0.1:3307/loadtest")


def pool(text: str) -> PoolConfig:
    """A pool as an experiment with an application has it."""
    return parse_pool(text).of_application()


@pytest.mark.parametrize(
    ("text", "asked"),
    [
        ("as-is", {}),
        ("20+0", {"pool_size": 20, "max_overflow": 0}),
        ("pool_timeout=2", {"pool_timeout": 2.0}),
        ("as-is,pool_size=9", {"pool_size": 9}),
        ("poolclass=NullPool", {"poolclass": "NullPool"}),
        ("poolclass=FairPool,pool_size=2,max_overflow=0", {"poolclass": "FairPool"}),
    ],
)
def test_only_named_settings_are_asked_for(text: str, asked: dict[str, Any]) -> None:
    found = asked_settings(pool(text))
    assert found.items() >= asked.items()
    assert asked or not found


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("as-is", {"poolclass": "NullPool", "pool_size": None}),
        ("5+10", {}),
        ("5+10", {"poolclass": "AsyncAdaptedQueuePool"}),
        ("poolclass=QueuePool", {"poolclass": "ShopsOwnPool"}),
        ("poolclass=NullPool", {"poolclass": "NullPool", "pool_size": None}),
        ("pool_reset_on_return=none", {"pool_reset_on_return": "none"}),
    ],
)
def test_the_requested_pool_is_accepted(text: str, found: dict[str, Any]) -> None:
    check_pool(QUEUE | found, pool(text), "shop/db.py:9")


@pytest.mark.parametrize(
    ("text", "found", "said"),
    [
        (
            "20+0",
            {},
            "requested pool_size=20, max_overflow=0, but the engine at shop/db.py:9 runs ",
        ),
        ("pool_timeout=0.5", {"pool_timeout": 0}, "runs with pool_timeout=0"),
        ("poolclass=NullPool", {}, "runs with poolclass=QueuePool"),
        ("poolclass=QueuePool", {"poolclass": "FairPool"}, "runs with poolclass=FairPool"),
        ("5+10", {"poolclass": "NullPool", "pool_size": None}, "runs with pool_size=None"),
    ],
)
def test_another_pool_refuses_the_run(text: str, found: dict[str, Any], said: str) -> None:
    with pytest.raises(RefusedRun) as refused:
        check_pool(QUEUE | found, pool(text), "shop/db.py:9")
    assert said in str(refused.value)


def test_a_pool_that_the_application_does_not_give_up_refuses_the_run() -> None:
    refusal = "it gets its pool as an object (pool=...), so its settings cannot be set"
    with pytest.raises(RefusedRun) as refused:
        check_told(told_engine(refused=refusal), pool("20+0"), None)
    assert str(refused.value) == f"the engine at shop/db.py:9: {refusal}"


@pytest.mark.parametrize("host", ["127.0.0.1:3307", "localhost:3307"])
def test_the_expected_server_is_accepted(host: str) -> None:
    check_told(told_engine(url=f"mysql+aiomysql://a:b@{host}/loadtest"), pool("as-is"), EXPECTED)


@pytest.mark.parametrize(
    ("url", "place"),
    [
        ("mysql+pymysql://app:s3cret@db1/shop", "shop at db1:3306"),
        ("mysql+pymysql://app:s3cret@127.0.0.1:3308/shop", "shop at 127.0.0.1:3308"),
        ("mysql+pymysql://app:s3cret@127.0.0.1:3307/shop", "shop at 127.0.0.1:3307"),
        ("sqlite:///shop.db", "sqlite without a server"),
    ],
)
def test_another_server_refuses_the_run_without_the_password(url: str, place: str) -> None:
    with pytest.raises(RefusedRun) as refused:
        check_told(told_engine(url=url), pool("as-is"), EXPECTED)
    assert str(refused.value) == (
        f"the engine shop (shop/db.py:9) connects to {place}, not to loadtest at "
        "127.0.0.1:3307: put {database_url} where the application reads its URL"
    )


RELAY = ("127.0.0.1", 40123)


def test_an_engine_behind_a_relay_has_the_expected_server() -> None:
    check_told(
        told_engine(url="mysql+pymysql://a:b@127.0.0.1:3307/loadtest", through=list(RELAY)),
        pool("as-is"),
        EXPECTED,
        RELAY,
    )


@pytest.mark.parametrize("through", [None, ["127.0.0.1", 3307]])
def test_an_engine_that_goes_past_the_relay_refuses_the_run(through: list[Any] | None) -> None:
    with pytest.raises(RefusedRun) as refused:
        check_told(told_engine(through=through), pool("as-is"), None, RELAY)
    assert str(refused.value) == (
        "the engine shop (shop/db.py:9) does not connect to the address in its URL, so faults "
        "between it and its server are not possible"
    )


def test_an_engine_behind_a_relay_with_another_url_refuses_the_run() -> None:
    told = told_engine(url="mysql+pymysql://app:x@db1/shop", through=list(RELAY))
    with pytest.raises(RefusedRun, match="connects to shop at db1:3306, not to loadtest at 127"):
        check_told(told, pool("as-is"), EXPECTED, RELAY)


LATER = """
class Late:
    def connect(self):
        global engine
        engine = create_engine(f"sqlite:///{sys.argv[2]}", pool=QueuePool(lambda: None))
        return engine.connect()
from sqlalchemy.pool import QueuePool
engine = Late()
"""
TWO = f"{ENGINE}\nother = create_engine('sqlite:///audit.db')"


@pytest.mark.parametrize(
    ("engine", "said"),
    [
        (LATER, "it gets its pool as an object (pool=...)"),
        (TWO, "the application makes 2 engines, rows (app.py:6) and audit (app.py:7)"),
    ],
    ids=["made by a request", "two"],
)
def test_a_refused_run_leaves_nothing(tmp_path: Path, engine: str, said: str) -> None:
    run = drive(tmp_path, "-t", "2s", "--pool", "1+0", engine=engine)
    assert run.code == 2, run.process.output
    assert said in run.process.output
    assert not list(run.results.glob("*"))
