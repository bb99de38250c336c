"""The page of terms names paths of summary.json, exported metrics and columns that exist."""

from __future__ import annotations

import re
from itertools import chain

from loadtest.model import metrics
from loadtest.model.objective import OBJECTIVE_PATHS
from loadtest.model.summary import PoolSummary
from loadtest.report.terminal import POOL_COLUMNS
from tests.conftest import ROOT

ROWS = [
    [cell.strip() for cell in line.strip("|").split("|")]
    for line in (ROOT / "docs" / "reference" / "terms.md").read_text().splitlines()
    if line.startswith("| ") and not line.startswith("| Term ")
]
SINGLE = (metrics.OLDEST_WAIT, metrics.MOST, metrics.MOST_IDLE, metrics.LEAST_IDLE)
NAMED = set(chain.from_iterable(re.findall(r"`([^`]+)`", row[2]) for row in ROWS))
METRICS = {name for name in NAMED if name.startswith(("loadtest_", "db_client_"))}


def test_every_path_is_a_value_of_a_pool() -> None:
    numbers = {path.removesuffix(".p95") for path in OBJECTIVE_PATHS}
    assert len(NAMED - METRICS) > 20
    assert NAMED - METRICS - numbers - PoolSummary.model_fields.keys() == set()


def test_every_metric_is_exported() -> None:
    exported = {one.name for one in (*metrics.HISTOGRAM_METRICS, *metrics.LEVEL_METRICS)}
    exported |= {f"{one.name}_total" for one in metrics.COUNTER_METRICS}
    exported |= {name for name, _ in SINGLE}
    assert len(METRICS) > 10
    assert METRICS - exported == set()


def test_every_column_of_the_terminal_is_a_term() -> None:
    named = " ".join(f"{row[0]} {row[1]}" for row in ROWS).replace("`", " ").split()
    words = {word for column in POOL_COLUMNS for word in column.split()} - {"pool", "p95"}
    words -= {"95", "%", "interval"}
    assert words - set(named) == set()
