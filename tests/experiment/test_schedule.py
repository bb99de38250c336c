"""The relay that faults need, with a real server behind it."""

import os
import subprocess
import sys
import time
from contextlib import closing

import pymysql
import pytest
from sqlalchemy import URL, create_engine, text

from loadtest.experiment.databases import databases
from loadtest.experiment.faults.relay import Relay
from loadtest.experiment.faults.schedule import FaultSchedule
from loadtest.experiment.rounds import ScenarioFacts
from loadtest.model.errors import UsageError
from loadtest.model.fault import parse_fault
from loadtest.model.load import LoadConfig
from tests.experiment.test_rounds import experiment

DELAY = 0.3


def seconds_to_connect(url: URL) -> float:
    begin = time.perf_counter()
    pymysql.connect(
        host=url.host,
        port=url.port or 3306,
        user=url.username,
        password=str(url.password),
        ssl_disabled=True,
    ).close()
    return time.perf_counter() - begin


@pytest.mark.server
def test_a_relay_passes_everything_on_and_delays_only_new_connections(url: URL) -> None:
    with closing(Relay(url)) as relay:
        engine = create_engine(relay.url, connect_args={"ssl_disabled": True})
        with engine.connect() as connection:
            relay.order("connect-delay", DELAY)
            assert seconds_to_connect(relay.url) >= DELAY
            long = "x" * 300_000
            assert connection.execute(text("SELECT :long"), {"long": long}).scalar() == long
        engine.dispose()
        relay.order("connect-delay", 0)
        assert min(seconds_to_connect(relay.url) for _ in range(3)) < DELAY


@pytest.mark.server
def test_a_relay_is_gone_when_it_is_closed(url: URL) -> None:
    with closing(Relay(url)) as relay:
        address = relay.url
    with pytest.raises(pymysql.err.OperationalError):
        seconds_to_connect(address)


@pytest.mark.server
def test_a_delay_lasts_as_long_as_it_should(url: URL) -> None:
    with closing(FaultSchedule([parse_fault("connect-delay:300ms")], url, None)) as faults:
        assert faults.url.port != url.port
        with faults.provoked(time.time()):
            time.sleep(0.1)
            assert seconds_to_connect(faults.url) >= DELAY
        assert min(seconds_to_connect(faults.url) for _ in range(3)) < DELAY


@pytest.mark.parametrize("fault", ["kill@1s", "refuse@1s+1s", "latency:1ms"])
def test_through_a_socket_file_nothing_can_be_broken(fault: str) -> None:
    """The run would go past the relay, and its connections have no ports."""
    url = URL.create("mysql+pymysql", "me", "secret", "localhost", 9, "x")
    there = url.update_query_dict({"unix_socket": "/run/mysqld/mysqld.sock"})
    with pytest.raises(UsageError, match="faults need host and port"):
        FaultSchedule([parse_fault(fault)], there, None)


def test_only_a_private_server_is_frozen() -> None:
    url = URL.create("mysql+pymysql", "me", "secret", "127.0.0.1", 9, "x")
    with pytest.raises(UsageError, match="only a private server can be frozen"):
        FaultSchedule([parse_fault("freeze@1s+1s")], url, None)


@pytest.mark.server
def test_on_a_server_of_others_it_is_said_before_what_breaks(url: URL) -> None:
    faults = (parse_fault("kill:50%@1s"), parse_fault("refuse@2s+1s"))
    planned = experiment("5+10", fault=faults)
    with databases(url.render_as_string(False), planned, ScenarioFacts([], [], "")) as at:
        _, connections, *_, work, _ = at[""].intentions
    how_many = "17 connections at once (15 in the pool, 1 to read the server's status, 1 to kill"
    assert connections.startswith(f"- open at most {how_many} some of them)")
    assert work.endswith("for 7 s, and break its own connections: kill:50%@1s, refuse@2s+1s")


@pytest.mark.server
def test_of_arrivals_it_is_said_before_how_many_there_are(url: URL) -> None:
    load = LoadConfig(arrival_rate=1500, warmup=2, duration=5)
    planned = experiment("5+10").changed("", load=load)
    with databases(url.render_as_string(False), planned, ScenarioFacts([], [], "")) as at:
        *_, work, _ = at[""].intentions
    assert "at most 1,500 requests per second and 10,000 users for 7 s" in work


def test_a_relay_whose_tool_was_killed_ends_without_a_word() -> None:
    reads, writes = os.pipe()
    os.close(reads)
    command = [sys.executable, "-m", Relay.__module__, "127.0.0.1", "1"]
    with os.fdopen(writes, "wb") as closed:
        ended = subprocess.run(
            command, stdin=subprocess.DEVNULL, stdout=closed, stderr=subprocess.PIPE, check=False
        )
    assert (ended.returncode, ended.stderr) == (0, b"")
