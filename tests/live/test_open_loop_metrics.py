"""What Prometheus and the start form know of an open loop."""

from locust.argument_parser import get_parser, ui_extra_args_dict

from pathlib import Path
from typing import Any

import pytest
from prometheus_client import CollectorRegistry
from sqlalchemy import URL

from loadtest.live.exporter import Exporter
from loadtest.load import plugin  # noqa: F401 - it adds the options to Locust's parser
from loadtest.model.distribution import Distribution
from loadtest.model.interval import Interval
from loadtest.model.load import ARRIVALS
from loadtest.model.metrics import POOL_LABEL
from loadtest.model.pool import parse_pool
from tests.processes import Sample, fetch, free_port, locust_command, running, samples

MILLISECOND = 1_000_000
LABEL = ((POOL_LABEL, "20+0"),)
LAG, DROPPED = "loadtest_schedule_lag_seconds", "loadtest_dropped_arrivals_total"


@pytest.fixture
def exported() -> tuple[Exporter, CollectorRegistry]:
    registry = CollectorRegistry()
    exporter = Exporter(registry)
    exporter.begin(parse_pool("20+0"))
    return exporter, registry


def second(number: int, process: str, dropped: int, *lags: int) -> Interval:
    one = Interval(number, process)
    one.counters["dropped"] = dropped
    one.histograms["schedule_lag"] = Distribution.of([lag * MILLISECOND for lag in lags])
    return one


def test_lags_and_dropped_arrivals_are_added_up_over_time_and_processes(
    exported: tuple[Exporter, CollectorRegistry],
) -> None:
    exporter, registry = exported

    def value(name: str, **labels: str) -> float | None:
        return registry.get_sample_value(name, {POOL_LABEL: "20+0", **labels})

    assert (value(DROPPED), value(f"{LAG}_count")) == (0, 0)
    exporter.add(second(1, "p1", 3, 1, 2))
    exporter.add(second(1, "p2", 0, 400))
    exporter.add(second(2, "p1", 4, 5000))

    assert value(DROPPED) == 7
    assert value(f"{LAG}_count") == 4
    assert value(f"{LAG}_sum") == pytest.approx(5.403)
    assert value(f"{LAG}_bucket", le="0.5") == 3
    assert value(f"{LAG}_bucket", le="+Inf") == 4


@pytest.mark.server
def test_a_run_shows_them_while_it_goes_on(tmp_path: Path, url: URL) -> None:
    port = free_port()
    arguments = ["-f", "scenarios/_slow_report.py", "--headless", "--only-summary", "-u", "1"]
    arguments += ["--arrival-rate", "200", "--drop-after", "0.1", "--pool-size", "20"]
    arguments += ["--max-overflow", "0", "--metrics-port", str(port)]
    environment = {"LOADTEST_DATABASE_URL": url.render_as_string(False)}
    command = locust_command(*arguments, "--results", tmp_path / "run.jsonl")
    with running(tmp_path / "log", *command, env=environment) as process:

        def page() -> dict[Sample, float]:
            return samples(fetch(f"http://127.0.0.1:{port}/metrics"))

        process.until(lambda: page().get((DROPPED, LABEL), 0) > 100, "arrivals to be dropped")
        assert page()[f"{LAG}_count", LABEL] > 0


def test_the_start_form_asks_for_arrivals_with_help_and_choices() -> None:
    parser = get_parser(default_config_files=[])
    asked: dict[str, Any] = ui_extra_args_dict([])
    helps = {action.dest: action.help for action in parser._actions}

    for name, default in (("arrival_rate", 0), ("arrivals", "poisson"), ("drop_after", 1)):
        assert asked[name]["default_value"] == default
        assert asked[name]["help_text"] == helps[name]
        assert "open loop" in asked[name]["help_text"]
    assert list(asked["arrivals"]["choices"]) == list(ARRIVALS)
    assert not {"rate_shared_by", "faults"} & set(asked)
