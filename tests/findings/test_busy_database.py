"""A database that is the bottleneck: by its row locks, or by its processors."""

from __future__ import annotations

from pathlib import Path

import pytest

from loadtest.model.interval import SERVER
from tests.analysis.builders import SECOND, interval, run
from tests.findings.runs import Found, Provoked, found


def _counting(provoked: Provoked, key: str, rows: int) -> Found:
    load = "-u 40 -r 40 -t 4s --warmup 1s --pool-size 15 --max-overflow 0"
    return provoked.found_in(key, "counter.py", run=f"{load} --rows {rows}")["run"]


@pytest.mark.alone
@pytest.mark.provoked
def test_connections_that_wait_for_one_row_are_the_databases_queue(provoked: Provoked) -> None:
    findings = _counting(provoked, "one-row", 1)
    evidence = findings["database_bound"].evidence
    assert evidence["locked"] > 0.7
    assert 14 < evidence["in_use"] <= 15
    assert findings["database_bound"].message.endswith(
        "waiting for each other's row locks. More connections only lengthen that queue. Make "
        "transactions shorter, and compare fewer connections."
    )
    # The pool is full and users wait for it, and yet a larger one would not help.
    assert "pool_bound" not in findings


@pytest.mark.alone
@pytest.mark.provoked
def test_connections_with_rows_of_their_own_are_not(provoked: Provoked) -> None:
    findings = _counting(provoked, "many-rows", 1000)
    assert "database_bound" not in findings
    assert findings["pool_bound"].evidence["locked"] < 0.2


@pytest.mark.parametrize(("cpu", "busy"), [(1.59, False), (1.6, True)])
def test_a_server_that_uses_four_fifths_of_its_processors_is(
    tmp_path: Path, cpu: float, busy: bool
) -> None:
    # By hand: how much it gets of a real machine is up to the other processes there.
    parts = [
        interval(counters={"requests": 9}, gauges={"in_use": 9}),
        interval(process=SERVER, counters={"cpu": int(cpu * SECOND)}),
    ]
    findings = found(run(tmp_path, parts))
    assert ("database_bound" in findings) == busy
    if busy:
        assert findings["database_bound"].evidence["server_cpu"] == 0.8
        assert "80 % of the machine's CPUs" in findings["database_bound"].message
