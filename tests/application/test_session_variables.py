"""`wait_timeout` is that of an application's own session, which may differ from the server's."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import URL, Engine, create_engine, event, text

from loadtest.database.application import Application
from loadtest.database.engine import parent_session
from loadtest.model.errors import UsageError
from tests.conftest import ROOT, without_database

pytestmark = pytest.mark.database
APPLICATION = """
import os
from sqlalchemy import create_engine, event

def engine_with(seconds):
    arguments = {"ssl_disabled": True, "init_command": f"SET SESSION wait_timeout={seconds}"}
    return create_engine(os.environ["APPLICATION_URL"], connect_args=arguments)

patient, hasty = engine_with(28800), engine_with(28800)

@event.listens_for(hasty, "connect")
def make_hasty(dbapi_connection, record):
    dbapi_connection.cursor().execute("SET SESSION wait_timeout=5")
"""


def application_of(engine: Engine) -> Application:
    return Application("shop:engine", engine, parent_session(engine), shared=False)


@pytest.mark.parametrize("seconds", [1, 12_345])
def test_it_is_read_after_the_listeners_and_nothing_is_left(url: URL, seconds: int) -> None:
    engine = create_engine(url, connect_args={"ssl_disabled": True})

    @event.listens_for(engine, "connect")
    def set_it(dbapi_connection: Any, _: object) -> None:
        dbapi_connection.cursor().execute(f"SET SESSION wait_timeout = {seconds}")

    assert application_of(engine).session_variables() == {"wait_timeout": str(seconds)}
    assert engine.pool.checkedin() == 0


def test_a_listener_that_fails_is_a_message(url: URL) -> None:
    engine = create_engine(url, connect_args={"ssl_disabled": True})

    @event.listens_for(engine, "connect")
    def refuse(dbapi_connection: Any, _: object) -> None:
        raise RuntimeError("vault: 503")

    with pytest.raises(UsageError, match=r"cannot use the database at .*: vault: 503"):
        application_of(engine).session_variables()


@pytest.fixture
def short(admin: Engine) -> Iterator[None]:
    """A server that closes idle connections after five minutes, if a session does not object."""
    with admin.connect() as connection:
        before = connection.scalar(text("SELECT @@GLOBAL.wait_timeout"))
        connection.execute(text("SET GLOBAL wait_timeout = 300"))
        yield
        connection.execute(text(f"SET GLOBAL wait_timeout = {before}"))


@pytest.mark.usefixtures("short")
@pytest.mark.parametrize(
    ("engine", "seconds"), [pytest.param("patient", 28_800, marks=pytest.mark.long), ("hasty", 5)]
)
def test_doctor_tells_what_holds_for_the_application(
    engine: str,
    seconds: int,
    loadtest_process: Callable[..., subprocess.CompletedProcess[str]],
    url: URL,
    tmp_path: Path,
) -> None:
    (tmp_path / "waiting_app.py").write_text(APPLICATION)
    address = url.render_as_string(hide_password=False)
    folders = os.pathsep.join(map(str, (tmp_path, ROOT)))
    given = {**without_database(), "APPLICATION_URL": address, "PYTHONPATH": folders}
    command = ("doctor", "--engine", f"waiting_app:{engine}", "-u", 4, "--json")
    ended = loadtest_process(*command, env=given)

    assert ended.returncode == 0, ended.stderr
    checks = {check["code"]: check for check in json.loads(ended.stdout)["checks"]}
    assert checks["wait_timeout"]["evidence"]["wait_timeout"] == seconds
    assert checks["wait_timeout"]["severity"] == ("ok" if seconds == 28_800 else "warning")
    assert f"wait_timeout = {seconds} s" in checks["wait_timeout"]["message"]
