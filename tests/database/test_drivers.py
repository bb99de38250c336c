"""What differs between drivers: their names, and the end of a connection that is in use."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import URL, Engine, create_engine, text
from sqlalchemy.exc import DBAPIError

from loadtest.database.drivers import ConnectionKiller, driver_of

ARGUMENTS: dict[str, tuple[str, dict[str, Any]]] = {
    "PyMySQL": ("mysql+pymysql", {"ssl_disabled": True}),
    "mysqlclient": ("mysql+mysqldb", {}),
    # Without TLS: since OpenSSL 3.4 Python's ssl module tells the error of a connection that the
    # server ended a second time, for another connection (python/cpython#81891).
    "mysql-connector-python (pure Python)": (
        "mysql+mysqlconnector",
        {"use_pure": True, "ssl_disabled": True},
    ),
}


@pytest.fixture(params=ARGUMENTS)
def engine(request: pytest.FixtureRequest, url: URL) -> Iterator[Engine]:
    """An engine of each driver."""
    scheme, arguments = ARGUMENTS[request.param]
    made = create_engine(url.set(drivername=scheme), connect_args=arguments)
    yield made
    made.dispose()


@pytest.mark.database
def test_a_driver_is_known_by_its_connections(
    engine: Engine, request: pytest.FixtureRequest
) -> None:
    with engine.connect() as connection:
        name = driver_of(connection.connection.dbapi_connection)

    assert name == request.node.callspec.params["engine"]


def test_an_unknown_driver_has_the_name_of_its_module() -> None:
    assert driver_of(Path()) == "pathlib"


@pytest.mark.database
def test_the_server_ends_connections_that_others_use(engine: Engine) -> None:
    killer = ConnectionKiller(engine)
    with engine.connect() as connection, engine.connect() as other:
        killer.kill([connection.connection.dbapi_connection])

        with pytest.raises(DBAPIError):
            connection.execute(text("SELECT 1"))
        assert other.scalar(text("SELECT 1")) == 1


@pytest.mark.database
def test_nothing_is_asked_where_nothing_is_known(engine: Engine) -> None:
    with engine.connect() as connection:
        killer = ConnectionKiller(engine)  # the connection was there before
        killer.kill([connection.connection.dbapi_connection])

        assert connection.scalar(text("SELECT 1")) == 1
