"""Every supported server in turn, in place of the machine's own: MariaDB 11.8 and MySQL 9.7."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from loadtest.database.private_server import PrivateServer
from tests.conftest import other_servers


@pytest.fixture(scope="session", params=["mariadb", "mysql"])
def server(request: pytest.FixtureRequest) -> Iterator[PrivateServer]:
    """A private server with a program from tools/database-servers.

    The tests of a server that cannot be fetched are named as not run: a machine without Debian's
    mirrors can run all the others.
    """
    name = request.param
    programs, why = other_servers()
    if name not in programs:
        pytest.skip(f"not run on the other {name}, which cannot be fetched: {why}")
    with PrivateServer(server=f"{name}:{programs[name]}") as running:
        yield running
