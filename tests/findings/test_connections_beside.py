"""Connections that the server has and no pool knows of."""

from __future__ import annotations

import pytest

from tests.findings.runs import Provoked, found

pytestmark = pytest.mark.provoked


def test_connections_that_a_task_opens_itself_and_drops_are_the_servers_alone(
    provoked: Provoked,
) -> None:
    load = "-u 5 -r 5 -t 3s --max-overflow 0"
    given = {"dropped": load, "closed": f"{load} --close"}
    runs = provoked.locusts("beside", "beside.py", private=True, **given)
    assert "server_disagrees" not in found(runs["closed"])
    evidence = found(runs["dropped"])["server_disagrees"].evidence
    asking = 1
    assert evidence["threads_connected"] - asking - evidence["open"] == pytest.approx(20, abs=4)
