"""An application whose engines do not connect by their URL is looked at on a real server."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path

import pytest
from sqlalchemy import URL

from loadtest.experiment.driving.servers.driven_databases import driven_databases
from loadtest.experiment.single_run import Database
from loadtest.model.allowances import NO_ALLOWANCES
from loadtest.model.driven_application import DrivenApplication
from loadtest.model.errors import UsageError
from loadtest.model.experiment import Experiment
from loadtest.model.load import LoadConfig
from loadtest.model.pool import parse_pool
from tests.driving.applications import APPLICATION, ENGINE
from tests.processes import free_port

pytestmark = pytest.mark.server

# Its URL names no server.
BY_FUNCTION = """
import pymysql
from sqlalchemy import make_url
shop = make_url(os.environ["SHOP_URL"])
def connect():
    own = {"user": shop.username, "password": shop.password, "database": shop.database}
    return pymysql.connect(host=shop.host, port=shop.port, ssl_disabled=True, **own)
engine = create_engine("mysql+pymysql://", creator=connect, pool_size=2, max_overflow=0)
"""
CONNECTED = "\nengine.connect().close()"
AUDIT = "\nengine = create_engine('sqlite:///audit.db')"


def found(folder: Path, engine: str, given: str = "", chosen: str = "") -> Database:
    """The database of an application in a folder, which is started once to see it."""
    (folder / "app.py").write_text(APPLICATION.replace(ENGINE, engine))
    port = free_port()
    application = DrivenApplication(
        command=shlex.join([sys.executable, "app.py", str(port)]),
        ready=f"http://127.0.0.1:{port}/health",
        cwd=folder,
        engine=chosen,
    )
    experiment = Experiment(
        name="shop",
        scenario=Path("visitors.py"),
        application=(application,),
        load=LoadConfig(users=2),
        pool=(parse_pool("as-is"),),
    )
    with driven_databases(given, experiment, NO_ALLOWANCES, 1) as at:
        (database,) = at.values()
    return database


@pytest.fixture
def given(url: URL, monkeypatch: pytest.MonkeyPatch) -> str:
    """The URL of the server, on which the application is, too."""
    monkeypatch.setenv("SHOP_URL", url.render_as_string(False))
    return url.render_as_string(False)


def test_a_function_that_connects_is_judged_by_what_it_reaches(
    tmp_path: Path, given: str, url: URL
) -> None:
    with pytest.raises(UsageError, match="has not connected yet, so it is not known whether"):
        found(tmp_path, BY_FUNCTION, given)
    database = found(tmp_path, BY_FUNCTION + CONNECTED, given)
    assert database.url == url
    assert database.driven.guarded
    assert database.intentions[1].startswith("- open at most 3 connections at once (2 in the pool,")


def test_a_function_of_an_engine_that_is_not_under_test_needs_permission(
    tmp_path: Path, given: str
) -> None:
    with pytest.raises(UsageError) as refused:
        found(tmp_path, BY_FUNCTION + AUDIT, chosen="audit")
    first, second = refused.value.problems
    assert first.endswith("connects by an own function or argument, and its URL names no server")
    assert "its connections must be announced, too: give --allow-overload" in second
