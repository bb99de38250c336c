"""The findings of a page, each once."""

from collections.abc import Sequence

import pytest

from loadtest.model.summary import Finding, PoolSummary, Summary
from loadtest.report.finding_rows import finding_rows
from tests.analysis.builders import steady


def finding(code: str, message: str = "m", severity: str = "warning") -> Finding:
    return Finding(code=code, message=message, severity=severity)  # type: ignore[arg-type]


@pytest.fixture
def of_pools(tmp_path):  # type: ignore[no-untyped-def]
    """Makes the summary of pools with some findings each."""
    from loadtest.analysis.summarize import summarize_runs

    def make(*findings: Sequence[Finding]) -> Summary:
        names = [f"{number}+0" for number in range(5, 5 + len(findings))]
        runs = [run for n, name in enumerate(names) for run in steady(tmp_path, name, [n + 9])]
        summary = summarize_runs(runs)
        pools: list[PoolSummary] = [
            pool.model_copy(update={"findings": list(found)})
            for pool, found in zip(summary.pools, findings, strict=True)
        ]
        return summary.model_copy(update={"pools": pools})

    return make


def test_what_all_pools_share_is_one_row(of_pools) -> None:  # type: ignore[no-untyped-def]
    (row,) = finding_rows(of_pools([finding("busy")], [finding("busy")], [finding("busy")]))
    assert (row.pools, row.finding.message, row.others) == ("All 3 pools", "m", ())


def test_numbers_that_differ_are_kept_for_each_pool(of_pools) -> None:  # type: ignore[no-untyped-def]
    (row,) = finding_rows(of_pools([finding("full", "5 s")], [finding("full", "3 s")]))
    assert (row.pools, row.finding.message) == ("Both pools, here 5+0", "5 s")
    assert [(pool, one.message) for pool, one in row.others] == [("6+0", "3 s")]


def test_a_finding_of_some_pools_is_a_row_for_each(of_pools) -> None:  # type: ignore[no-untyped-def]
    rows = finding_rows(
        of_pools([finding("full")], [finding("full")], [finding("b", "x", "error")])
    )
    assert [(row.pools, row.finding.code) for row in rows] == [
        ("7+0", "b"),
        ("5+0", "full"),
        ("6+0", "full"),
    ]


def test_two_findings_of_one_code_in_one_pool_are_not_those_of_two_pools(of_pools) -> None:  # type: ignore[no-untyped-def]
    rows = finding_rows(of_pools([finding("full", "a"), finding("full", "b")], []))
    assert [row.finding.message for row in rows] == ["a", "b"]


def test_a_single_pool_is_named(of_pools) -> None:  # type: ignore[no-untyped-def]
    assert [row.pools for row in finding_rows(of_pools([finding("full")]))] == ["5+0"]


def test_what_a_banner_tells_is_left_out(of_pools) -> None:  # type: ignore[no-untyped-def]
    summary = of_pools([finding("short")], [finding("short")])
    (row,) = finding_rows(summary, {("5+0", "short")})
    assert row.pools == "6+0"
