"""A port that another program uses is named before anything is started."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.processes import run_locust
from tests.survival.scene import POINT_SELECT, assert_nothing_left


@pytest.fixture
def taken() -> Iterator[int]:
    """A port on which a program listens."""
    with socket.create_server(("127.0.0.1", 0)) as other:
        yield other.getsockname()[1]


@pytest.mark.server
@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--web-port",), "--web-port {port}: Address already in use; choose another"),
        (("--headless", "--master", "--master-bind-port"), "Address already in use"),
    ],
)
def test_a_port_that_is_taken(
    tmp_path: Path, taken: int, arguments: tuple[str, ...], said: str
) -> None:
    given = ("-f", POINT_SELECT, "--results", tmp_path, *arguments, taken)
    process = run_locust(tmp_path / "log", *given)
    assert process.wait() != 0, process.output
    assert_nothing_left(process)
    assert said.format(port=taken) in process.output
    assert not list(tmp_path.rglob("*.jsonl"))
