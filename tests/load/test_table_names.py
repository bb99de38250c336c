"""The names of a scenario's tables: any on a private server, those with a prefix elsewhere."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import pytest
from sqlalchemy import URL, Column, Engine, Integer, MetaData, Table, insert, text
from sqlalchemy.orm import Session

from loadtest.experiment.rounds import check_scenario
from loadtest.load.setup.database_setup import DatabaseSetup
from loadtest.load.setup.scenario_tables import names_of, prepare_tables
from loadtest.model.errors import UsageError
from loadtest.model.experiment import Experiment
from loadtest.model.pool import parse_pool
from tests.load.test_refusals import locustfile

NOWHERE = "mysql+pymysql://me@127.0.0.1:9/shop"


class Customers:
    """The users of a scenario whose tables have names of their own, one in another database."""

    metadata = MetaData()
    here = Table("test_names_customers", metadata, Column("id", Integer, primary_key=True))
    there = Table("customers", metadata, Column("id", Integer, primary_key=True), schema="names")

    @classmethod
    def fill(cls, session: Session, options: object) -> None:
        session.execute(insert(cls.there), [{"id": 1}, {"id": 2}])


def experiment(folder: Path) -> Experiment:
    path = locustfile(folder, table="customers")
    return Experiment(name="test", scenario=path, pool=(parse_pool("5+10"),))


def test_every_name_is_allowed_on_a_private_server() -> None:
    assert names_of([Customers], private=True) == ["test_names_customers", "names.customers"]


def test_the_refusal_elsewhere_names_both_ways_out() -> None:
    with pytest.raises(UsageError) as refused:
        names_of([Customers])
    said = str(refused.value)
    assert said.startswith("table 'test_names_customers': a run drops and recreates")
    assert "must begin with 'loadtest_' on a server that loadtest did not start" in said
    assert "leave out --database-url and LOADTEST_DATABASE_URL" in said
    assert "leave out the scenario's metadata" in said


@pytest.mark.usefixtures("warm")
def test_a_scenario_is_refused_before_all_runs_only_on_a_server_of_others(tmp_path: Path) -> None:
    plan = experiment(tmp_path)
    with pytest.raises(UsageError, match="table 'customers': a run drops and recreates"):
        check_scenario(plan, NOWHERE)
    assert check_scenario(plan).tables == ["customers"]
    assert check_scenario(plan, NOWHERE, private=True).tables == ["customers"]


@pytest.mark.server
def test_tables_of_other_databases_are_created_on_a_private_server(url: URL, admin: Engine) -> None:
    try:
        for _ in range(2):  # the second time they exist
            prepare_tables(url, [Customers], SimpleNamespace(), private=True)
        with admin.connect() as connection:
            assert connection.scalar(text("SELECT COUNT(*) FROM names.customers")) == 2
            assert connection.scalar(text("SELECT COUNT(*) FROM test_names_customers")) == 0
    finally:
        with admin.begin() as connection:
            connection.execute(text("DROP DATABASE IF EXISTS names"))
            connection.execute(text("DROP TABLE IF EXISTS test_names_customers"))


@pytest.mark.server
def test_nothing_is_touched_elsewhere(url: URL, admin: Engine) -> None:
    with admin.begin() as connection:
        connection.execute(text("CREATE TABLE test_names_customers AS SELECT 42 AS answer"))
    try:
        with pytest.raises(UsageError, match="must begin with 'loadtest_'"):
            prepare_tables(url, [Customers], SimpleNamespace())
        with admin.connect() as connection:
            assert connection.scalar(text("SELECT answer FROM test_names_customers")) == 42
    finally:
        with admin.begin() as connection:
            connection.execute(text("DROP TABLE test_names_customers"))


@pytest.mark.parametrize(
    ("said", "url", "foreign"),
    [
        (True, "mysql+pymysql://loadtest:pw@127.0.0.1:3307/loadtest", False),
        (False, "mysql+pymysql://loadtest:pw@127.0.0.1:3307/loadtest", True),
        (True, "mysql+pymysql://shop:pw@127.0.0.1:3306/shop", True),
        (True, "mysql+pymysql://loadtest:pw@db.example:3306/loadtest", True),
    ],
)
def test_a_server_is_private_only_with_the_account_that_private_servers_have(
    said: bool, url: str, foreign: bool
) -> None:
    options = SimpleNamespace(private_server=said, database_url=url)
    assert DatabaseSetup(SimpleNamespace(parsed_options=options)).foreign == foreign
