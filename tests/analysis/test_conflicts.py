"""The finding about rows that changed between a transaction's read and its write."""

from pathlib import Path

import pytest

from loadtest.analysis.summarize import summarize_runs
from loadtest.model.summary import Finding
from loadtest.runfile.reader import Run
from tests.analysis.builders import interval, run

NEW = {
    "version": "11.8.9-MariaDB-0+deb13u1",
    "variables": {"innodb_snapshot_isolation": "ON", "tx_isolation": "REPEATABLE-READ"},
}
MYSQL = {"version": "9.7.4", "variables": {"transaction_isolation": "READ-COMMITTED"}}


def _run(folder: Path, conflicts: int, server: object) -> Run:
    counters = {"requests": 1000, "failures": conflicts, "errors.write_conflict": conflicts}
    return run(folder, [interval(counters=counters)], server=server)


def _found(one: Run) -> dict[str, Finding]:
    (pool,) = summarize_runs([one]).pools
    return {finding.code: finding for finding in pool.findings}


@pytest.mark.parametrize(
    ("conflicts", "severity"), [(3, "info"), (11, "warning"), (101, "error"), (460, "error")]
)
def test_it_has_the_share_and_the_servers_settings(
    tmp_path: Path, conflicts: int, severity: str
) -> None:
    found = _found(_run(tmp_path, conflicts, NEW))["write_conflicts"]

    assert found.severity == severity
    assert found.evidence == {
        "kind": "write_conflict",
        "count": conflicts,
        "requests": 1000,
        "share": conflicts / 1000,
        "innodb_snapshot_isolation": "ON",
        "isolation_level": "REPEATABLE-READ",
    }
    assert f"({conflicts} of 1,000)" in found.message
    assert "This server has ON, REPEATABLE-READ." in found.message
    assert "with_for_update()" in found.message


def test_it_stands_for_the_finding_about_errors_of_that_kind(tmp_path: Path) -> None:
    assert "errors_write_conflict" not in _found(_run(tmp_path, 460, NEW))


def test_of_mysql_it_says_what_a_group_does(tmp_path: Path) -> None:
    found = _found(_run(tmp_path, 50, MYSQL))["write_conflicts"]

    assert "replication group" in found.message
    assert "innodb_snapshot_isolation" not in found.message
    assert found.evidence["innodb_snapshot_isolation"] is None
    assert found.evidence["isolation_level"] == "READ-COMMITTED"


def test_a_result_that_does_not_tell_the_settings_has_them_unknown(tmp_path: Path) -> None:
    found = _found(_run(tmp_path, 50, {"version": "11.8.9-MariaDB", "variables": {}}))
    message = found["write_conflicts"].message
    assert "This server has an unknown value, an unknown level." in message


def test_without_conflicts_there_is_none(tmp_path: Path) -> None:
    assert "write_conflicts" not in _found(_run(tmp_path, 0, NEW))
