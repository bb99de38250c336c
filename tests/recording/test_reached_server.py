"""A driven engine tells which server its first connection in each process reaches."""

from __future__ import annotations

import os
import sqlite3
from pathlib import Path

import pytest
from sqlalchemy import URL, QueuePool, create_engine

from loadtest.experiment.driving.servers.engine_servers import KnownServer
from loadtest.model.server_identity import ReachedServer
from loadtest.recording.steering import reached_server
from loadtest.recording.steering.reached_server import tell_reached
from tests.recording.driven import tool_end


def test_the_first_connection_of_a_process_is_asked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reached_server, "IDENTIFIED", ("sqlite",))
    monkeypatch.setattr(reached_server, "IDENTITY_QUERY", "SELECT NULL, 'db1', 3306, X'2f61'")
    engine = create_engine("sqlite://", poolclass=QueuePool, pool_size=2)
    with tool_end(tmp_path) as tool:
        tell_reached(tool.orders(), engine, 4)
        with engine.connect(), engine.connect():
            (message,) = tool.messages("reached")
    pid = os.getpid()
    assert message == {
        **{"kind": "reached", "pid": pid, "maker": pid, "number": 4},
        **{"database": "", "identity": "db1|3306|/a"},
    }


def test_a_server_that_does_not_answer_disturbs_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(reached_server, "IDENTIFIED", ("sqlite",))
    engine = create_engine("sqlite://", creator=lambda: sqlite3.connect(":memory:"))
    with tool_end(tmp_path) as tool:
        tell_reached(tool.orders(), engine, 0)
        with engine.connect() as connection:
            assert connection.exec_driver_sql("SELECT 1").scalar() == 1
        (message,) = tool.messages("reached")
    assert (message["database"], message["identity"]) == ("", "")
    assert caplog.messages == ["a server does not tell its identity: OperationalError"]


@pytest.mark.database
def test_tool_and_application_know_a_server_by_the_same_identity(tmp_path: Path, url: URL) -> None:
    engine = create_engine(url.set(host="localhost"), connect_args={"ssl_disabled": True})
    with tool_end(tmp_path) as tool:
        tell_reached(tool.orders(), engine, 0)
        engine.connect().close()
        (message,) = tool.messages("reached")
    engine.dispose()
    known = KnownServer.of(url)
    assert ReachedServer(message["database"], message["identity"]) == known[2:]
    assert known.database == url.database
    assert str(url.port) in known.identity
