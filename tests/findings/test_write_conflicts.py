"""Transactions that read and then change a row that others change, too."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from sqlalchemy import NullPool, create_engine, text

from loadtest.runfile.reader import Run
from tests.findings.runs import Found, Provoked, found

pytestmark = [pytest.mark.provoked, pytest.mark.alone]
LOAD = "-u 20 -r 20 -t 4s --pool-size 20 --max-overflow 0 --rows 4"
VARIABLE = "innodb_snapshot_isolation"


@pytest.fixture
def snapshot(provoked: Provoked) -> Iterator[None]:
    """Snapshot isolation, switched on for new connections where a live server has it."""
    if not provoked.live:
        yield
        return
    engine = create_engine(provoked.url, poolclass=NullPool, connect_args={"ssl_disabled": True})
    with engine.connect() as connection:
        there = connection.execute(text(f"SHOW GLOBAL VARIABLES LIKE '{VARIABLE}'")).first()
        if there:
            connection.execute(text(f"SET GLOBAL {VARIABLE} = ON"))
        yield
        if there:
            connection.execute(text(f"SET GLOBAL {VARIABLE} = {there[1]}"))


@pytest.fixture
def run(provoked: Provoked, snapshot: None) -> Run:
    """Twenty users who read and update four rows."""
    return provoked.locusts("write-conflicts", "read_then_update.py", run=LOAD)["run"]


def test_read_then_update_conflicts_where_the_server_looks_for_it(run: Run) -> None:
    findings: Found = found(run)
    if VARIABLE not in run.header.server.variables:  # MySQL changes the newer row
        assert "write_conflicts" not in findings
        return
    conflicts = findings["write_conflicts"]
    assert conflicts.severity == "error"
    assert conflicts.evidence[VARIABLE] == "ON"
    assert conflicts.evidence["isolation_level"] == "REPEATABLE-READ"
    assert "errors_other" not in findings
    assert findings["most_failed"].evidence["kind"] == "write_conflict"
    assert "Record has changed since last read" in findings["most_failed"].message
    assert not {"generator_lag", "generator_bound"} & findings.keys()
