"""The findings of a page: each once, and one row for what all pools have in common."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from loadtest.analysis.findings import mostly_failing
from loadtest.model.recording_summary import RecordedPoolSummary, RecordingSummary
from loadtest.model.summary import Finding, PoolSummary, Summary

_SEVERITIES = ("error", "warning", "info")

_AnyPool = PoolSummary | RecordedPoolSummary


@dataclass(frozen=True)
class FindingRow:
    """A finding and its pools. others: what it says of further pools, by their names."""

    pools: str
    finding: Finding
    others: tuple[tuple[str, Finding], ...] = ()


def finding_rows(
    summary: Summary | RecordingSummary, told: Collection[tuple[str, str]] = ()
) -> list[FindingRow]:
    """The rows: leaks and failing pools first, then by severity.

    told: pool and code of findings that the page has elsewhere.
    """
    found: list[tuple[_AnyPool, Finding]] = [
        (pool, finding)
        for pool in summary.pools
        for finding in pool.findings
        if (pool.name, finding.code) not in told
    ]
    found.sort(key=lambda pair: _SEVERITIES.index(pair[1].severity))
    found.sort(key=lambda pair: pair[1].code not in mostly_failing.TOLD_FIRST)
    rows, common = [], set[str]()
    for pool, finding in found:
        if finding.code in common:
            continue
        same = [pair for pair in found if pair[1].code == finding.code]
        if _of_all(same, summary.pools):
            common.add(finding.code)
            rows.append(_together(same))
        else:
            rows.append(FindingRow(pool.name, finding))
    return rows


def _of_all(same: Sequence[tuple[_AnyPool, Finding]], pools: Sequence[_AnyPool]) -> bool:
    """Whether each of several pools has this finding once."""
    return 1 < len(pools) == len(same) == len({pool.name for pool, _ in same})


def _together(same: Sequence[tuple[_AnyPool, Finding]]) -> FindingRow:
    together = "Both pools" if len(same) == 2 else f"All {len(same)} pools"
    (first, finding), *rest = same
    if len({one.message for _, one in same}) == 1:
        return FindingRow(together, finding)
    others = tuple((pool.name, one) for pool, one in rest)
    return FindingRow(f"{together}, here {first.name}", finding, others)
