"""Connections that the server has and no pool knows of."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.findings.runs import found_in

pytestmark = pytest.mark.database


@pytest.mark.parametrize(("end", "number"), [("", 20), ("--close", 0)])
def test_connections_that_a_task_opens_itself_and_drops_are_the_servers_alone(
    tmp_path: Path, end: str, number: int
) -> None:
    load = f"-u 5 -r 5 -t 3s --max-overflow 0 {end}"
    found = found_in(tmp_path, None, "beside.py", run=load)["run"]
    assert ("server_disagrees" in found) == bool(number)
    if number:
        evidence = found["server_disagrees"].evidence
        asking = 1
        assert evidence["threads_connected"] - asking - evidence["open"] == pytest.approx(
            number, abs=4
        )
