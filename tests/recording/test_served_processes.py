"""Applications of several processes whose metrics one of them serves."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from urllib.parse import quote

import psutil
import pytest

from loadtest.model.metrics import POOL_LABEL
from tests.conftest import ROOT
from tests.processes import Running, fetch, free_port, loadtest_command, running, samples, until
from tests.recording.recorded import python
from tests.recording.test_recorded_process import BEGIN

# A parent and its child use the pool all the time; the child tells its process id.
TWO_PROCESSES = """
engine.dispose()
child = os.fork()
if child:
    print(child, flush=True)
while True:
    use()
    time.sleep(0.01)
"""
CONFIGURATION = """
global:
  scrape_interval: 1s
scrape_configs:
  - job_name: shop
    static_configs:
      - targets: ["127.0.0.1:{port}"]
"""


class Shop:
    """An application of two processes, and its metrics."""

    def __init__(self, process: Running, port: int) -> None:
        self.process, self.port = process, port

    def checkouts(self) -> dict[str, float]:
        """The checkouts of each slot, without failing if nothing answers."""
        found: dict[str, float] = {}
        for (name, labels), value in samples(self.page()).items():
            if name == "loadtest_checkouts_total":
                slot = dict(labels)["slot"]
                found[slot] = found.get(slot, 0) + value
        return found

    def alive(self) -> set[str]:
        """The slots of the processes that are alive."""
        page = samples(self.page())
        return {dict(labels)["slot"] for name, labels in page if name == "db_client_connection_max"}

    def owner_first(self, *processes: int) -> list[int]:
        """Some processes, first the one that listens on the port."""
        return sorted(processes, key=lambda one: not self._listens(one))

    def _listens(self, process: int) -> bool:
        sockets = psutil.Process(process).net_connections("tcp")
        return any(one.laddr and one.laddr.port == self.port for one in sockets)

    def page(self) -> str:
        return fetch(f"http://127.0.0.1:{self.port}/metrics")

    def until(self, condition: Callable[[], bool], what: str) -> None:
        until(condition, what, context=lambda: self.process.output + self.page())


def environment(port: int, folder: Path) -> dict[str, str]:
    return {
        "PYTHONPATH": os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")]),
        "LOADTEST_RECORDING_FOLDER": str(folder / "recordings"),
        "LOADTEST_RECORDING_METRICS_PORT": str(port),
    }


def number_in(output: str) -> int:
    """The first number of an output, in which Python may warn of forks, too."""
    return next(int(word) for word in output.split() if word.isdigit())


@pytest.mark.parametrize(
    "patched", ["", "from gevent import monkey; monkey.patch_all()\n"], ids=["threads", "gevent"]
)
def test_another_process_serves_when_the_one_that_does_is_killed(
    tmp_path: Path, patched: str
) -> None:
    port = free_port()
    command = [sys.executable, "-c", patched + BEGIN + TWO_PROCESSES]
    env = environment(port, tmp_path)
    with running(tmp_path / "log", *command, env=env, cwd=tmp_path) as process:
        shop = Shop(process, port)
        shop.until(lambda: shop.alive() == {"0", "1"}, "both processes")
        before = shop.checkouts()
        shop.until(lambda: all(n > before[slot] for slot, n in shop.checkouts().items()), "more")
        before = shop.checkouts()
        owner, other = shop.owner_first(process.process.pid, number_in(process.output))
        os.kill(owner, signal.SIGKILL)
        until(lambda: len(shop.alive()) == 1, "the other one's answer", context=shop.page)
        after, (left,) = shop.checkouts(), shop.alive()
        (killed,) = {"0", "1"} - {left}
        assert after[left] >= before[left]
        # Killed, it has not written its last second.
        assert after[killed] == pytest.approx(before[killed], abs=300)
        os.kill(other, signal.SIGKILL)
    assert "Traceback" not in process.output


def test_processes_that_end_in_order_leave_exact_totals(tmp_path: Path) -> None:
    script = """
import urllib.request
from multiprocessing import get_context
def work():
    use(5)
    time.sleep(1.5)
engine.dispose()
fork = get_context("fork")
for _ in range(2):
    children = [fork.Process(target=work) for _ in range(2)]
    for child in children: child.start()
    for child in children: child.join()
use(2)
time.sleep(1.2)
port = os.environ["LOADTEST_RECORDING_METRICS_PORT"]
print(urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics").read().decode())
"""
    said = python(BEGIN + script, cwd=tmp_path, env=environment(free_port(), tmp_path))
    assert said.stderr == ""
    page = samples(said.stdout)
    name = "db_client_connection_wait_time_seconds_count"
    waits = [value for (found, _), value in page.items() if found == name]
    assert sorted(waits) == [2, 5, 5], "the second two have the slots of the first"


def test_without_prometheus_client_the_application_goes_on(tmp_path: Path) -> None:
    hidden = "import sys; sys.modules['prometheus_client'] = None\n"
    env = environment(free_port(), tmp_path)
    said = python(f"{hidden}{BEGIN}use(3); time.sleep(2.2); print('done')", cwd=tmp_path, env=env)
    assert said.stdout == "done\n"
    assert said.stderr.count("metrics are not served: prometheus_client is missing") == 1


def test_opentelemetry_is_switched_on_by_the_environment(tmp_path: Path) -> None:
    script = """
from opentelemetry.metrics import set_meter_provider
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
reader = InMemoryMetricReader()
set_meter_provider(MeterProvider([reader]))
use(4)
time.sleep(1.2)
print(reader.get_metrics_data().to_json())
"""
    env = environment(0, tmp_path) | {"LOADTEST_RECORDING_OPENTELEMETRY": "on"}
    said = python(BEGIN + script, cwd=tmp_path, env=env)
    assert said.stderr == ""
    (resource,) = json.loads(said.stdout)["resource_metrics"]
    (scope,) = resource["scope_metrics"]
    assert scope["scope"]["name"] == "loadtest"
    waits = {one["name"]: one for one in scope["metrics"]}["db.client.connection.wait_time"]
    assert [point["count"] for point in waits["data"]["data_points"]] == [4]
    assert not (tmp_path / "recordings" / ".slot-1").exists()


@pytest.mark.prometheus
def test_prometheus_scrapes_a_recorded_command(
    tmp_path: Path, program: Callable[[str], str]
) -> None:
    serving, asking = free_port(), free_port()
    script = BEGIN.replace("record(engine)", "") + TWO_PROCESSES
    (tmp_path / "shop.py").write_text(script)
    (tmp_path / "prometheus.yml").write_text(CONFIGURATION.format(port=serving))
    command = loadtest_command("record", "--results", tmp_path, "--", sys.executable, "shop.py")
    prometheus = [
        *(program("prometheus"), f"--config.file={tmp_path / 'prometheus.yml'}"),
        *(f"--storage.tsdb.path={tmp_path / 'data'}", "--log.level=warn"),
        f"--web.listen-address=127.0.0.1:{asking}",
    ]

    def ask(query: str) -> list[tuple[dict[str, str], float]]:
        answer = fetch(f"http://127.0.0.1:{asking}/api/v1/query?query={quote(query)}")
        found = json.loads(answer)["data"]["result"] if answer else []
        return [(series["metric"], float(series["value"][1])) for series in found]

    env = environment(serving, tmp_path)
    with running(tmp_path / "log", *command, env=env, cwd=tmp_path) as shop, \
         running(tmp_path / "prometheus.log", *prometheus) as server:  # fmt: skip
        waits = "rate(db_client_connection_wait_time_seconds_count[10s]) > 0"
        found = server.until(lambda: len(f := ask(waits)) == 2 and f, "the rates of two processes")
        page = fetch(f"http://127.0.0.1:{serving}/metrics")
        os.kill(number_in(shop.output), signal.SIGKILL)
        shop.signal(signal.SIGTERM)
        until(shop.gone, "the application to end")
    assert {labels["slot"] for labels, _ in found} == {"0", "1"}
    assert {labels[POOL_LABEL] for labels, _ in found} == {"shop"}
    checked = subprocess.run(
        [program("promtool"), "check", "metrics"],
        input=page,
        capture_output=True,
        text=True,
        check=False,
    )
    complaints = (checked.stdout + checked.stderr).splitlines()
    assert [line.split()[0] for line in complaints if line] == ["db_client_connection_count"]
