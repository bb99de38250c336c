"""The tables about a fleet's capacity on the terminal."""

from __future__ import annotations

import re
from io import StringIO
from typing import Any

import pytest
from rich.console import Console

from loadtest.analysis.fleet.capacity import Capacity, Fleet, ServerLimits
from loadtest.analysis.fleet.capacity_findings import fleet_capacity
from loadtest.report.capacity_table import print_capacity


def answer(pool_size: int = 20, max_overflow: int = 10, **server: Any) -> Capacity:
    """A fleet that has no place on its server."""
    pool = {"pool_size": pool_size, "max_overflow": max_overflow}
    said = {"max_connections": 2000, "max_user_connections": 1900, "others": 40}
    fleet = Fleet(processes=12, replicas=5, surge=1, pool=pool)
    return fleet_capacity(fleet, ServerLimits(**(said | server)))


@pytest.mark.parametrize("terminal", [True, False])
@pytest.mark.parametrize(
    ("size", "overflow", "server", "rows"),
    [
        (
            20,
            10,
            {},
            ["running 60 1,200 1,240 700", "deploy, all full 72 2,160 2,200 -260 refused"],
        ),
        (20, 10, {"max_connections": 2205}, ["deploy, all full 72 2,160 2,200 -260 refused"]),
        (20, 5, {"max_connections": 1845}, ["deploy, all full 72 1,800 1,840 -5 reserve"]),
        (20, -1, {}, ["all pools full 60 any number – – refused"]),
        (3000, 3000, {}, ["deploy, all full 72 432,000 432,040 -430,100 refused"]),
    ],
)
def test_tables_fit_a_terminal_a_row_a_line(
    size: int, overflow: int, server: dict[str, int], rows: list[str], terminal: bool
) -> None:
    console = Console(file=StringIO(), force_terminal=terminal, width=80, no_color=True)
    found = answer(size, overflow, **server)
    print_capacity(found, console)
    printed = re.sub(r"\x1b\[[\d;]*m", "", console.file.getvalue())  # type: ignore[attr-defined]
    lines = [" ".join(line.split()) for line in printed.splitlines()]
    for row in rows:
        assert row in lines
    limit = found.limits[0]
    assert f"max_connections {limit.value:,} 40 10 {limit.room:,}" in lines
    assert max(map(len, printed.splitlines())) <= 80
