"""An application on a server that the tool did not start: announced, limited, refused."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import URL, Engine, text

from loadtest.runfile.reader import read_run
from tests.conftest import without_database
from tests.driving.applications import Driven, drive

ON_SERVER = 'engine = create_engine(os.environ["SHOP_URL"], connect_args={"ssl_disabled": True})'
# Takes a second connection for each request.
NESTED = f"""{ON_SERVER}
from contextlib import contextmanager
class Nested:
    @contextmanager
    def connect(self):
        with real.connect() as connection, real.connect():
            yield connection
real, engine = engine, Nested()
"""


def at(url: URL) -> dict[str, str]:
    """The environment of a shop that finds its server itself."""
    return {**without_database(), "SHOP_URL": url.render_as_string(hide_password=False)}


@pytest.fixture
def few(admin: Engine) -> Iterator[int]:
    """How many connections the server lets in for as long as a test lasts."""
    with admin.connect() as connection:
        before = connection.scalar(text("SELECT @@max_connections"))
        connection.execute(text("SET GLOBAL max_connections = 12"))
        yield 12
        connection.execute(text(f"SET GLOBAL max_connections = {before}"))


def shop(folder: Path, url: URL, *options: str, engine: str = ON_SERVER) -> Driven:
    """Two visitors of a shop on this server."""
    return drive(folder, "-t", "2s", *options, engine=engine, env=at(url))


@pytest.mark.database
def test_announced_before_the_first_request(tmp_path: Path, url: URL, few: int) -> None:
    larger = f"{few + 8}+0"
    run = shop(tmp_path, url, "--pool", larger, "--connections-per-user", "2", "-v")
    said, place = run.process.output, f"{url.database} at 127.0.0.1:{url.port}"
    assert run.code in (0, 4), said
    announced, _, rest = said.partition("$ loadtest run ")
    assert f"In the database {place}, on a server that this tool did not start" in announced
    assert (
        "- open at most 5 connections at once (4 in the pool, 1 to read the server's" in announced
    )
    assert (
        "- send requests of visitors.py, which write to the application's own tables" in announced
    )
    assert str(url.password) not in said
    assert rest
    result = read_run(run.runs / f"{larger}-1.jsonl")
    assert not result.header.server.private
    assert '"process":"server"' in result.path.read_text()
    (pool,) = json.loads((run.runs.parent / "summary.json").read_text())["pools"]
    found = {one["code"]: one["message"] for one in pool["findings"]}
    assert f"max_connections is {few}" in found["fleet_exceeds_server"]


@pytest.mark.server
def test_a_given_url_of_another_server_is_refused(tmp_path: Path, url: URL) -> None:
    elsewhere = {"LOADTEST_DATABASE_URL": "mysql+pymysql://shop:s3cret@127.0.0.1:1/shop"}
    run = drive(tmp_path, "-t", "2s", engine=ON_SERVER, env={**at(url), **elsewhere})
    said = run.process.output
    assert run.code == 2, said
    assert "--database-url leads to shop at 127.0.0.1:1, but the application is connected" in said
    assert "remove LOADTEST_DATABASE_URL from the environment" in said
    assert "s3cret" not in said
    assert not list(run.results.glob("*"))


@pytest.mark.server
def test_more_than_80_percent_is_refused(tmp_path: Path, url: URL, few: int) -> None:
    run = shop(tmp_path, url, "--pool", "20+0", "-u", "20")
    assert run.code == 2, run.process.output
    assert f"the server has room for {few - 1}" in run.process.output
    assert "give --allow-overload" in run.process.output
    assert not list(run.results.glob("*"))


@pytest.mark.server
def test_a_process_beyond_its_ceiling_ends_the_run(tmp_path: Path, url: URL) -> None:
    run = shop(tmp_path, url, "--pool", "9+0", engine=NESTED)
    assert run.code == 4, run.process.output
    assert "tried to open more than the 2 connections announced" in run.process.output
