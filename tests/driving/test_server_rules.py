"""An engine may reach only servers that were announced, with every one of its connections."""

from __future__ import annotations

import pytest
from sqlalchemy import make_url

from loadtest.experiment.driving.servers.engine_servers import KnownServer, ServerRules
from loadtest.experiment.driving.servers.server_address import server_address
from loadtest.model.errors import RefusedRun
from loadtest.model.server_identity import ReachedServer
from tests.driving.told import told_engine

HERE, THERE = ReachedServer("shop", "db1|3306"), ReachedServer("shop", "db2|3306")
URL = make_url("mysql+pymysql://app:s3cret@127.0.0.1:3307/shop")
ANNOUNCED = KnownServer(URL, server_address(URL), "shop", HERE.identity)


def test_an_engine_that_reaches_an_announced_server_and_another_one_is_refused() -> None:
    engine = told_engine()
    rules = ServerRules(known=[ANNOUNCED], seen=[engine.identity])
    rules.check(engine, {HERE}, False)
    for reached in ({THERE}, {HERE, THERE}):
        with pytest.raises(RefusedRun, match="connects to a server that was not announced"):
            rules.check(engine, reached, False)
