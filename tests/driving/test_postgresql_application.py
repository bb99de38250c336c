"""An application on PostgreSQL is driven: its pool is measured, and its server is not."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from loadtest.model.interval import SERVER
from loadtest.runfile.reader import read_run
from tests.conftest import without_database
from tests.driving.applications import MEASURED, Driven, drive
from tests.recording.private_postgresql import PrivatePostgresql
from tests.recording.recorded import counted_in

pytestmark = pytest.mark.postgresql
ON_SERVER = 'engine = create_engine(os.environ["SHOP_URL"], pool_size=3)'


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory, postgresql: PrivatePostgresql) -> Driven:
    """A run with a pool of two connections, that also opens nothing else on the server."""
    before = postgresql.connections
    driven = drive(
        tmp_path_factory.mktemp("shop"),
        *("--pool", "2+0", "-u", "5", "-t", "3s", "--allow-overload", "--no-abort"),
        engine=ON_SERVER,
        env={**without_database(), "SHOP_URL": postgresql.url.render_as_string(False)},
    )
    assert driven.code in MEASURED, driven.process.output
    assert postgresql.connections - before == 2
    return driven


def test_the_server_is_announced_and_not_watched(
    shop: Driven, postgresql: PrivatePostgresql
) -> None:
    said = shop.process.output
    announced, _, rest = said.partition("1/1 2+0: ")
    assert rest
    assert f"In the database postgres at 127.0.0.1:{postgresql.url.port}, on a server" in announced
    assert "did not start and cannot watch, loadtest will" in announced
    assert "- open at most 2 connections at once (2 in the pool)" in announced
    assert "loadtest reads the status of MariaDB and MySQL only" in announced
    assert "which write to the application's own tables" in announced


def test_requests_and_checkouts_are_measured(shop: Driven) -> None:
    run = read_run(shop.runs / "2+0-1.jsonl")
    assert (run.header.driver, run.header.server.version) == ("psycopg", "")
    assert run.header.driven
    assert run.header.driven.database == "postgresql+psycopg"
    assert (run.header.pool.pool_size, run.header.pool.max_overflow) == (2, 0)
    counters = counted_in(run)
    assert abs(counters["checkouts"] - counters["requests"]) <= 8
    assert (counters["failures"], counters["checkout_errors"]) == (0, 0)
    assert counters["requests"] > 20
    assert not [one for one in run.intervals if one.process == SERVER]


def test_the_report_has_no_figures_of_the_server_and_says_so(shop: Driven) -> None:
    (pool,) = json.loads((shop.runs.parent / "summary.json").read_text())["pools"]
    assert set(pool["server"].values()) == {None}
    assert pool["application"]["database"] == "postgresql+psycopg"
    page = (shop.runs.parent / "report.html").read_text()
    assert "The server's own figures are absent" in page.replace("&#39;", "'")
    assert "queries running" not in page
    assert "max_connections" not in page
    assert not list((shop.runs.parent / "figures").glob("server*"))


def test_the_password_is_nowhere(shop: Driven, postgresql: PrivatePostgresql) -> None:
    secret = str(postgresql.url.password)
    assert secret not in shop.process.output
    files: list[Path] = [path for path in shop.results.rglob("*") if path.is_file()]
    assert len(files) >= 6  # run, its log, page, summary, plan and the log of the application
    assert [path for path in files if secret.encode() in path.read_bytes()] == []
