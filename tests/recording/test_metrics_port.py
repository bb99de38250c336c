"""The port of the metrics: answers, one process after the other, and failures."""

from __future__ import annotations

import logging
import socket
import sys
import threading
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from loadtest.model.pool_totals import PoolTotals
from loadtest.recording.telemetry.metrics_port import MetricsPort
from loadtest.recording.telemetry.pool_reading import PoolReading
from tests.processes import free_port

Ports = Callable[..., MetricsPort]


@pytest.fixture
def port() -> int:
    return free_port()


@pytest.fixture
def ports(tmp_path: Path, port: int) -> Iterator[Ports]:
    """Makes the port of a process, which has one pool."""
    made = []

    def make(pool: str = "main", host: str = "127.0.0.1") -> MetricsPort:
        readings = [PoolReading(pool, 0, PoolTotals(), None)]
        made.append(MetricsPort(host, port, tmp_path, lambda: readings))
        return made[-1]

    yield make
    for one in made:
        one.close()


def page(port: int, path: str = "/metrics") -> str:
    with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=20) as answer:
        assert answer.headers["Content-Type"].startswith("text/plain")
        return str(answer.read().decode())


def shows(port: int, pool: str) -> bool:
    return f'pool_name="{pool}",slot="0"' in page(port)


def test_the_metrics_are_at_their_path_only(ports: Ports, port: int) -> None:
    ports().serve()
    assert shows(port, "main")
    assert page(port, "/metrics?x=1")
    with pytest.raises(urllib.error.HTTPError, match="404") as refused:
        page(port, "/")
    refused.value.close()


def test_one_process_serves_and_another_one_after_it(
    ports: Ports, port: int, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    one, other = ports("one"), ports("other")
    for _ in range(3):
        one.serve()
        other.serve()
        assert shows(port, "one")
    one.close()
    other.serve()
    assert shows(port, "other")
    assert caplog.text.count("is in use; trying every second") == 1


def test_a_silent_client_does_not_keep_others_from_an_answer(ports: Ports, port: int) -> None:
    serving = ports()
    serving.serve()
    assert serving._server
    with socket.create_connection(("127.0.0.1", port)) as silent:
        silent.sendall(b"GET /met")
        found: list[bool] = []
        asking = threading.Thread(target=lambda: found.append(shows(port, "main")))
        asking.start()
        while serving._server._answering is None:
            asking.join(0.01)
        serving._server.end_slow_answer(0.0)
        asking.join()
        assert found == [True]


def test_during_a_pause_a_client_waits(ports: Ports, port: int) -> None:
    serving = ports()
    serving.serve()
    serving.pause()
    assert serving._server
    assert serving._server._thread
    assert not serving._server._thread.is_alive()
    found: list[bool] = []
    asking = threading.Thread(target=lambda: found.append(shows(port, "main")))
    asking.start()
    asking.join(0.05)
    assert found == []
    serving.serve()
    asking.join()
    assert found == [True]


def test_without_prometheus_client_the_log_says_what_to_install(
    ports: Ports, port: int, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setitem(sys.modules, "prometheus_client", None)
    serving = ports()
    serving.serve()
    serving.serve()
    assert [one.getMessage() for one in caplog.records] == [
        "metrics are not served: prometheus_client is missing; "
        "try: pip install 'pool-loadtest[metrics]'"
    ]
    with socket.create_server(("127.0.0.1", port)):
        pass  # it is free


def test_an_address_of_another_machine_is_logged_once(
    ports: Ports, port: int, caplog: pytest.LogCaptureFixture
) -> None:
    serving = ports(host="203.0.113.7")
    serving.serve()
    serving.serve()
    (told,) = [one.getMessage() for one in caplog.records]
    assert told.startswith(f"metrics are not served: 203.0.113.7:{port}: ")


def test_a_page_that_fails_is_logged_once_and_frees_the_port(
    tmp_path: Path, port: int, caplog: pytest.LogCaptureFixture
) -> None:
    wrong: list[bool] = []

    def readings() -> list[PoolReading]:
        if wrong:
            raise ZeroDivisionError
        return []

    serving = MetricsPort("127.0.0.1", port, tmp_path, readings)
    serving.serve()
    wrong.append(True)
    with pytest.raises((urllib.error.URLError, ConnectionError)):
        page(port)
    serving.serve()
    serving.serve()
    assert [one.getMessage() for one in caplog.records] == ["metrics are no longer served"]
    with socket.create_server(("127.0.0.1", port)):
        pass
