"""Transactions that read and then change a row that others change, too, on the real server."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import URL, Engine, text

from tests.findings.runs import Found, found_in

pytestmark = pytest.mark.database
LOAD = "-u 20 -r 20 -t 4s --pool-size 20 --max-overflow 0 --rows 4"
VARIABLE = "innodb_snapshot_isolation"


@pytest.fixture
def snapshot(admin: Engine) -> Iterator[str | None]:
    """Snapshot isolation, switched on for new connections; None on a server that has none."""
    with admin.connect() as connection:
        found = connection.execute(text(f"SHOW GLOBAL VARIABLES LIKE '{VARIABLE}'")).first()
        if found:
            connection.execute(text(f"SET GLOBAL {VARIABLE} = ON"))
    yield found and "ON"
    if found:
        with admin.connect() as connection:
            connection.execute(text(f"SET GLOBAL {VARIABLE} = {found[1]}"))


@pytest.fixture
def found(tmp_path: Path, url: URL, snapshot: str | None) -> Found:
    """What is found about twenty users who read and update four rows."""
    return found_in(tmp_path, url, "read_then_update.py", run=LOAD)["run"]


def test_read_then_update_conflicts_where_the_server_looks_for_it(
    found: Found, snapshot: str | None
) -> None:
    if snapshot is None:  # MySQL changes the newer row
        assert "write_conflicts" not in found
        return
    conflicts = found["write_conflicts"]
    assert conflicts.severity == "error"
    assert conflicts.evidence[VARIABLE] == "ON"
    assert conflicts.evidence["isolation_level"] == "REPEATABLE-READ"
    assert "errors_other" not in found
    assert found["most_failed"].evidence["kind"] == "write_conflict"
    assert "Record has changed since last read" in found["most_failed"].message
    assert not {"generator_lag", "generator_bound"} & found.keys()
