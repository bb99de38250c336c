"""What Prometheus and the start form know of an open loop."""

from locust.argument_parser import get_parser, ui_extra_args_dict

import json
import urllib.request
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest
from prometheus_client import CollectorRegistry
from sqlalchemy import URL

from loadtest.config import parse_pool
from loadtest.distribution import Distribution
from loadtest.interval import Interval, total
from loadtest.live.exporter import Exporter
from loadtest.live.metrics import POOL_LABEL
from loadtest.load import plugin  # noqa: F401 - it adds the options to Locust's parser
from loadtest.loads import ARRIVALS
from loadtest.results import Run, read_run
from tests.processes import Sample, fetch, free_port, locust_command, running, samples, so_far

MILLISECOND = 1_000_000
SCENARIO = "scenarios/point_select.py"
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


@pytest.mark.database
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


def _post(address: str, **form: Any) -> dict[str, Any]:
    """What Locust answers when a form is sent."""
    body = urlencode({"user_count": 5, "spawn_rate": 5, **form}).encode()
    with urllib.request.urlopen(address, body, timeout=60) as answer:
        return dict(json.loads(answer.read()))


@pytest.mark.database
def test_a_start_form_makes_an_open_loop_and_the_next_one_a_closed_one(
    tmp_path: Path, url: URL
) -> None:
    port = free_port()
    address, results = f"http://127.0.0.1:{port}", tmp_path / "results"
    command = locust_command("-f", SCENARIO, "--web-port", port, "--results", results)
    environment = {"LOADTEST_DATABASE_URL": url.render_as_string(False)}
    with running(tmp_path / "log", *command, env=environment) as process:
        process.until(lambda: fetch(address), "the web UI")

        def run(**form: Any) -> Run:
            before = set(results.glob("*-*/runs/*.jsonl"))
            assert _post(f"{address}/swarm", **form)["success"] is True
            fresh = process.until(lambda: set(results.glob("*-*/runs/*.jsonl")) - before, "a run")
            process.until(lambda: len(so_far(min(fresh))) >= 3, "some seconds")
            _post(f"{address}/stop")
            process.until(lambda: read_run(min(fresh)).finished, "its end")
            return read_run(min(fresh))

        refused = _post(f"{address}/swarm", arrival_rate="many")
        arrived = run(arrival_rate="30", arrivals="even", drop_after="2")
        closed = run(arrival_rate="0")

    assert refused["success"] is False
    assert "arrival_rate: 'many' is not a number" in json.dumps(refused)
    load = arrived.header["load"]
    assert (load["arrival_rate"], load["arrivals"], load["drop_after"]) == (30, "even", 2)
    assert (load["users"], load["processes"]) == (5, 1)
    assert total(arrived.intervals).counters["arrivals"] > 0
    assert closed.header["load"]["arrival_rate"] is None
    assert total(closed.intervals).counters["arrivals"] == 0
    assert total(closed.intervals).counters["requests"] > 0
