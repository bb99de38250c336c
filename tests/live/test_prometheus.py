"""A real Prometheus that scrapes a running Locust."""

import json
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import quote

import pytest

from loadtest.database.private_server import PrivateServer
from tests.processes import fetch, free_port, locust_command, running

pytestmark = [pytest.mark.prometheus, pytest.mark.server]
CONFIGURATION = """
global:
  scrape_interval: 1s
scrape_configs:
  - job_name: loadtest
    static_configs:
      - targets: ["127.0.0.1:{port}"]
"""


@pytest.fixture(scope="module")
def metrics_port(server: PrivateServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    """The port on which a headless Locust of eight users on 2+1 connections shows its metrics."""
    port, folder = free_port(), tmp_path_factory.mktemp("locust")
    arguments = ["-f", "scenarios/point_select.py", "--headless", "-u", "8", "-r", "8"]
    arguments += ["--pool-size", "2", "--max-overflow", "1", "--metrics-port", str(port)]
    command = locust_command(*arguments, "--results", folder / "run.jsonl")
    environment = {"LOADTEST_DATABASE_URL": server.url.render_as_string(hide_password=False)}
    with running(folder / "log", *command, env=environment) as locust:
        address = f"http://127.0.0.1:{port}/metrics"
        locust.until(lambda: "wait_time_seconds_count" in fetch(address), "the metrics")
        yield port


def test_prometheus_scrapes_a_run_and_answers(
    metrics_port: int, program: Callable[[str], str], tmp_path: Path
) -> None:
    configuration, port = tmp_path / "prometheus.yml", free_port()
    configuration.write_text(CONFIGURATION.format(port=metrics_port))
    command = [program("prometheus"), f"--config.file={configuration}"]
    command += [f"--storage.tsdb.path={tmp_path / 'data'}"]
    command += [f"--web.listen-address=127.0.0.1:{port}", "--log.level=warn"]

    with running(tmp_path / "prometheus.log", *command) as prometheus:

        def ask(query: str) -> list[tuple[dict[str, str], float]]:
            answer = fetch(f"http://127.0.0.1:{port}/api/v1/query?query={quote(query)}")
            found = json.loads(answer)["data"]["result"] if answer else []
            return [(series["metric"], float(series["value"][1])) for series in found]

        ((labels, waits),) = prometheus.until(
            lambda: ask("db_client_connection_wait_time_seconds_count > 0"), "waits"
        )
        used = ask('db_client_connection_count{db_client_connection_state="used"}')
        states = ask("sum by (db_client_connection_state) (db_client_connection_count)")
        rate = prometheus.until(
            lambda: ask("rate(db_client_connection_wait_time_seconds_count[10s]) > 0"), "a rate"
        )
        quantile = ask(
            "histogram_quantile(0.5, rate(db_client_connection_wait_time_seconds_bucket[10s])) > 0"
        )

    assert labels["db_client_connection_pool_name"] == "2+1"
    assert labels["job"] == "loadtest"
    assert waits == int(waits)
    assert {metric["db_client_connection_state"] for metric, _ in states} == {"idle", "used"}
    assert 0 <= used[0][1] <= 3
    assert len(rate) == len(quantile) == 1
    assert "level=error" not in prometheus.output


def test_promtool_complains_of_one_name_only_while_it_runs(
    metrics_port: int, program: Callable[[str], str]
) -> None:
    checked = subprocess.run(
        [program("promtool"), "check", "metrics"],
        input=fetch(f"http://127.0.0.1:{metrics_port}/metrics"),
        capture_output=True,
        text=True,
        check=False,
    )

    complaints = (checked.stdout + checked.stderr).splitlines()
    assert [line.split()[0] for line in complaints if line] == ["db_client_connection_count"]
