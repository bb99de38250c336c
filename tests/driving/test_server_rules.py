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


def test_an_engine_whose_url_leads_elsewhere_is_refused_before_it_connects() -> None:
    url = "mysql+pymysql://app:s3cret@127.0.0.1:3308/shop"
    engine = told_engine(url=url)
    rules = ServerRules(known=[ANNOUNCED], seen=[engine.identity])
    with pytest.raises(RefusedRun, match="connects to a server that was not announced"):
        rules.check(engine, (), False)
    rules.check(told_engine(url=url, by_url=False), (), False)  # its connections decide
    rules.check(told_engine(url="sqlite:///rows.db"), (), False)


def test_an_unseen_engine_is_only_allowed_on_the_private_server_that_its_url_leads_to() -> None:
    rules = ServerRules(known=[], seen=[], expected=ANNOUNCED, private=True)
    rules.check(told_engine(), (), False)
    by_function = told_engine(by_url=False)
    with pytest.raises(RefusedRun, match="with a request, so its server is not watched"):
        rules.check(by_function, (), False)
    rules.check(by_function, {HERE}, False)


def test_each_connection_of_the_meant_engine_must_reach_the_expected_database() -> None:
    rules = ServerRules(known=[], seen=[], expected=ANNOUNCED, private=True)
    rules.check(told_engine(), {HERE}, True)
    audit = ReachedServer("audit", HERE.identity)
    with pytest.raises(RefusedRun, match=r"connected to audit, shop on the same server, not to "):
        rules.check(told_engine(), {HERE, audit}, True)
