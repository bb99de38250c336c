"""The structure of the Grafana dashboard: what Grafana would not say, or say on a broken page."""

import re
from itertools import combinations
from typing import Any

import pytest
import yaml
from prometheus_client import CollectorRegistry

from loadtest.live.exporter import Exporter
from loadtest.model.metrics import APPLICATION, HISTOGRAM_METRICS
from loadtest.model.pool import PoolConfig
from loadtest.model.pool_totals import PoolTotals
from loadtest.recording.telemetry.families import Series, families
from loadtest.recording.telemetry.pool_reading import levels_of
from tests.deploy.stack import DEPLOY, asked, dashboard, rules

# Of the units that Grafana knows: https://github.com/grafana/grafana, valueFormats/categories.ts
UNITS = {"s", "ops", "short", "percentunit"}
TYPES = {"stat", "heatmap", "timeseries", "state-timeline", "row"}
METRIC = re.compile(r"\b(?:job_pool:[\w:]+|db_client_\w+|loadtest_\w+)")
LABELS = {"db_client_connection_pool_name", "db_client_connection_state"}


def panels() -> list[dict[str, Any]]:
    return list(dashboard()["panels"])


def charts() -> list[dict[str, Any]]:
    return [panel for panel in panels() if panel["type"] != "row"]


def cells(panel: dict[str, Any]) -> set[tuple[int, int]]:
    at = panel["gridPos"]
    return {
        (x, y) for x in range(at["x"], at["x"] + at["w"]) for y in range(at["y"], at["y"] + at["h"])
    }


def test_ids_and_titles_are_unique() -> None:
    for what in ("id", "title"):
        seen = [panel[what] for panel in panels()]
        assert len(seen) == len(set(seen))
    assert {panel["type"] for panel in panels()} == TYPES


def test_panels_fill_the_grid_and_do_not_overlap() -> None:
    for one, other in combinations(panels(), 2):
        assert not cells(one) & cells(other), (one["title"], other["title"])
    used = set().union(*map(cells, panels()))
    height = max(y for _, y in used) + 1
    assert used == {(x, y) for x in range(24) for y in range(height)}


def test_every_panel_and_query_asks_the_chosen_source() -> None:
    chosen = {"type": "prometheus", "uid": "${datasource}"}
    variables = {variable["name"]: variable for variable in dashboard()["templating"]["list"]}

    assert variables["datasource"]["type"] == "datasource"
    assert variables["datasource"]["query"] == "prometheus"
    provisioned = DEPLOY / "grafana/provisioning/datasources/prometheus.yml"
    (source,) = yaml.safe_load(provisioned.read_text())["datasources"]
    assert variables["datasource"]["current"]["value"] == source["uid"]
    for panel in charts():
        assert panel["datasource"] == chosen
        assert panel["targets"]
        assert all(target["datasource"] == chosen for target in panel["targets"])
        references = [target["refId"] for target in panel["targets"]]
        assert len(references) == len(set(references))
    assert all(variables[name]["datasource"] == chosen for name in ("job", "pool"))


def test_variables_are_the_pool_and_the_job_and_every_query_keeps_to_them() -> None:
    variables = {variable["name"]: variable for variable in dashboard()["templating"]["list"]}

    assert variables["job"]["query"]["query"].endswith(", job)")
    assert variables["pool"]["query"]["query"].endswith(", db_client_connection_pool_name)")
    assert "$job" in variables["pool"]["query"]["query"]
    filters = 'job=~"$job", db_client_connection_pool_name=~"$pool"'
    for panel in charts():
        for target in panel["targets"]:
            selectors = re.findall(r"\{([^{}]*)\}", target["expr"])
            assert selectors
            assert all(filters in selector for selector in selectors), target["expr"]
            names = [name for name in METRIC.findall(target["expr"]) if name not in LABELS]
            assert len(names) <= len(selectors), target["expr"]


def test_units_are_such_that_grafana_knows() -> None:
    for panel in charts():
        defaults, options = panel["fieldConfig"]["defaults"], panel["options"]
        axis = options["yAxis"]["unit"] if panel["type"] == "heatmap" else defaults["unit"]
        assert axis in UNITS
        for override in panel["fieldConfig"]["overrides"]:
            for changed in override["properties"]:
                assert changed["id"] != "unit" or changed["value"] in UNITS


def test_overrides_match_a_series_by_its_name() -> None:
    # A regular expression without slashes would have to match the whole name.
    for panel in charts():
        names = [name for target in panel["targets"] for name in legends(target)]
        for override in panel["fieldConfig"]["overrides"]:
            assert override["matcher"]["id"] == "byRegexp"
            pattern = re.fullmatch("/(.*)/", override["matcher"]["options"])
            assert pattern
            assert any(re.search(pattern[1], name) for name in names), pattern[1]


def test_what_happened_in_all_the_time_shown_is_asked_once() -> None:
    for panel in charts():
        for target in panel["targets"]:
            assert target["instant"] is ("$__range" in target["expr"])
            assert target["range"] is not target["instant"]


def test_the_heat_map_is_of_cumulative_buckets_in_seconds() -> None:
    (panel,) = [panel for panel in panels() if panel["type"] == "heatmap"]
    (target,) = panel["targets"]

    assert target["format"] == "heatmap"
    assert target["legendFormat"] == "{{le}}"
    assert target["expr"].startswith(
        "sum by (le) (increase(db_client_connection_wait_time_seconds_b"
    )
    assert panel["options"]["calculate"] is False
    assert panel["options"]["yAxis"]["unit"] == "s"


@pytest.mark.parametrize(
    ("title", "needed"),
    [
        ("Wait, percentiles", "histogram_quantile(0.999,"),
        ("Connections against the maximum", "db_client_connection_max"),
        ("Overflow", "loadtest_pool_overflow_connections"),
        ("Waiting", "db_client_connection_pending_requests"),
        ("Timeouts and errors", "db_client_connection_timeouts_total"),
        ("Event loop", "loadtest_generator_lag_seconds_sum"),
    ],
)
def test_what_a_team_asks_for_has_a_panel(title: str, needed: str) -> None:
    (panel,) = [panel for panel in panels() if panel["title"] == title]

    assert any(needed in target["expr"] for target in panel["targets"])


def test_connections_are_stacked_and_their_maximum_is_not() -> None:
    (panel,) = [p for p in panels() if p["title"] == "Connections against the maximum"]
    overrides = panel["fieldConfig"]["overrides"]
    alone = {
        override["matcher"]["options"]
        for override in overrides
        for changed in override["properties"]
        if changed["id"] == "custom.stacking" and changed["value"]["mode"] == "none"
    }

    assert panel["fieldConfig"]["defaults"]["custom"]["stacking"]["mode"] == "normal"
    assert alone == {"/^maximum$/", "/^kept$/"}


def test_queries_use_metrics_that_are_exported_or_recorded() -> None:
    known = exported() | {rule["record"] for rule in rules("record")} | LABELS
    expressions = [asked(target["expr"]) for panel in charts() for target in panel["targets"]]
    expressions += [rule["expr"] for kind in ("record", "alert") for rule in rules(kind)]

    used = {name for expression in expressions for name in METRIC.findall(expression)}
    assert used - known == set()


def test_every_recorded_series_is_used() -> None:
    expressions = [target["expr"] for panel in charts() for target in panel["targets"]]
    expressions += [rule["expr"] for kind in ("record", "alert") for rule in rules(kind)]

    used = {name for expression in expressions for name in METRIC.findall(expression)}
    assert {rule["record"] for rule in rules("record")} - used == set()


def legends(target: dict[str, Any]) -> list[str]:
    """What the series of a query are called, as far as that is known without data."""
    name = target["legendFormat"]
    return ["used", "idle"] if name == "{{db_client_connection_state}}" else [name]


def exported() -> set[str]:
    """The names of all series that the tool exports, those of histograms with their endings."""
    exporter = Exporter(CollectorRegistry())
    exporter.begin(PoolConfig())
    series = [Series((), PoolTotals(), levels_of([], PoolConfig(), 1))]
    found = [*exporter.collect(), *families(series, (), APPLICATION)]
    names = {sample.name for family in found for sample in family.samples}
    endings = ("_bucket", "_sum", "_count")
    return names | {metric.name + ending for metric in HISTOGRAM_METRICS for ending in endings}
