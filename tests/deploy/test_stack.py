"""What Compose would start, started here: its own commands and files, on other ports."""

import json
import math
import shutil
import subprocess
import sys
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode

import pytest
from sqlalchemy import create_engine, text

from loadtest.database.private_server import PrivateServer
from tests.deploy.stack import DEPLOY, queries, rules, services
from tests.processes import Running, fetch, free_port, running

pytestmark = [pytest.mark.prometheus, pytest.mark.server]
# More than the connections of two workers can serve: tasks wait and time out, arrivals are dropped.
OVERLOAD = {
    "user_count": 60,
    "spawn_rate": 60,
    "arrival_rate": 120,
    "drop_after": 1,
    "pool_size": 2,
    "max_overflow": 1,
    "pool_timeout": 2,
    "held_work": 0.3,
}


@dataclass
class Here:
    """What stands in the Compose file, and what stands for it on this machine."""

    folder: Path
    web: int
    workers: int
    prometheus: int

    def text(self, text: str) -> str:
        """A part of a command or file of the stack, as it is here."""
        for there, here in {
            "master:8089": f"127.0.0.1:{self.web}",
            "127.0.0.1:8089": f"127.0.0.1:{self.web}",
            "127.0.0.1:9090": f"127.0.0.1:{self.prometheus}",
            ":15B5 ": f":{self.workers:04X} ",
            "=/etc/prometheus": f"={self.folder / 'prometheus'}",
            "=/prometheus": f"={self.folder / 'data'}",
        }.items():
            text = text.replace(there, here)
        return text

    def locust(self, service: str) -> list[Any]:
        """The command of a service, run by this Python and on loopback."""
        program, *arguments = services()[service]["command"]
        assert program == "locust"
        addresses = {"0.0.0.0": "127.0.0.1", "master": "127.0.0.1"}
        command = [sys.executable, "-m", "locust", *(addresses.get(a, a) for a in arguments)]
        if service == "worker":
            return [*command, "--master-port", self.workers]
        ports = ("--web-port", self.web, "--master-bind-port", self.workers)
        return [*command, *ports, "--results", self.folder / "results"]

    def scraper(self, program: str) -> list[Any]:
        """The command of Prometheus, with a copy of its configuration that scrapes the master."""
        copy = self.folder / "prometheus"
        shutil.copytree(DEPLOY / "prometheus", copy)
        configuration = (copy / "prometheus.yml").read_text()
        assert self.text(configuration) != configuration
        (copy / "prometheus.yml").write_text(self.text(configuration))
        command = map(self.text, services()["prometheus"]["command"])
        return [program, *command, f"--web.listen-address=127.0.0.1:{self.prometheus}"]

    def start_load(self) -> None:
        """Press the button of the start form."""
        address, form = f"http://127.0.0.1:{self.web}/swarm", urlencode(OVERLOAD).encode()
        with urllib.request.urlopen(address, form, timeout=60) as answer:
            assert json.load(answer)["success"]


@dataclass
class Stack:
    """Master, two workers and Prometheus under too much load."""

    here: Here
    master: Running
    workers: list[Running]
    prometheus: Running

    def ask(self, path: str) -> Any:
        """What Prometheus answers; None while it does not."""
        answer = fetch(self.here.text(f"http://127.0.0.1:9090/api/v1/{path}"))
        return json.loads(answer)["data"] if answer else None

    def query(self, expression: str) -> list[tuple[dict[str, str], float]]:
        """The labels and numbers that a query gives now."""
        found = (self.ask(f"query?query={quote(expression)}") or {}).get("result", ())
        return [(series["metric"], float(series["value"][1])) for series in found]


class Database(PrivateServer):
    """A private server that is given the options of the Compose file, too."""

    def _command(self) -> list[str]:
        return [*super()._command(), *services()["database"]["command"]]


@pytest.fixture(scope="module")
def database(server: PrivateServer) -> Iterator[Database]:  # server: where there is none, skip
    with Database() as started:
        yield started


@pytest.fixture(scope="module")
def stack(
    database: Database, program: Callable[[str], str], tmp_path_factory: Any
) -> Iterator[Stack]:
    here = Here(tmp_path_factory.mktemp("stack"), free_port(), free_port(), free_port())
    environment = {"LOADTEST_DATABASE_URL": database.url.render_as_string(hide_password=False)}
    with ExitStack() as stopped:

        def start(name: str, command: list[Any]) -> Running:
            log = here.folder / f"{name}.log"
            return stopped.enter_context(running(log, *command, env=environment))

        master = start("master", here.locust("master"))
        # Workers wait for the master's health check there too.
        master.until(lambda: fetch(f"http://127.0.0.1:{here.web}/metrics"), "the master")
        workers = [start(name, here.locust("worker")) for name in ("worker-1", "worker-2")]
        prometheus = start("prometheus", here.scraper(program("prometheus")))
        master.until(lambda: "2 workers connected" in master.output, "two workers")
        here.start_load()
        yield Stack(here, master, workers, prometheus)


@pytest.mark.database
def test_the_database_has_room_for_three_thousand_connections(database: Database) -> None:
    command = services()["database"]["command"]
    wanted = dict(option.removeprefix("--").partition("=")[::2] for option in command)
    engine = create_engine(database.url, connect_args={"ssl_disabled": True})
    asked = text("SELECT @@max_connections, @@back_log, @@skip_name_resolve")
    with engine.connect() as connection:
        connections, backlog, no_names = connection.execute(asked).one()
    engine.dispose()
    assert (str(connections), str(backlog)) == (wanted["max-connections"], wanted["back-log"])
    assert min(connections, backlog) > 3000
    assert no_names == ("skip-name-resolve" in wanted)


@pytest.mark.long
def test_alerts_fire_of_a_pool_that_is_too_small(stack: Stack) -> None:
    wanted = {"LoadtestPoolExhausted", "LoadtestCheckoutTimeouts", "LoadtestWaitingLong"}

    def firing() -> set[str]:
        return {labels["alertname"] for labels, _ in stack.query('ALERTS{alertstate="firing"}')}

    stack.prometheus.until(lambda: wanted <= firing(), "the alerts")
    ((labels, _),) = stack.query('ALERTS{alertname="LoadtestPoolExhausted", alertstate="firing"}')
    assert labels["job"] == "loadtest"
    assert labels["db_client_connection_pool_name"] == "2+1"


@pytest.mark.long
@pytest.mark.parametrize(("what", "expression"), queries(), ids=[name for name, _ in queries()])
def test_every_query_of_the_dashboard_gives_numbers(
    stack: Stack, what: str, expression: str
) -> None:
    def numbers() -> list[float]:
        return [value for _, value in stack.query(expression) if math.isfinite(value)]

    assert stack.prometheus.until(numbers, what)


@pytest.mark.long
@pytest.mark.parametrize("name", [rule["record"] for rule in rules("record")])
def test_every_recorded_series_has_numbers(stack: Stack, name: str) -> None:
    def numbers() -> list[float]:
        return [value for _, value in stack.query(name) if math.isfinite(value)]

    (value,) = stack.prometheus.until(numbers, name)
    assert value >= 0


@pytest.mark.long
def test_no_rule_fails(stack: Stack) -> None:
    def evaluated() -> list[dict[str, Any]]:
        groups = (stack.ask("rules") or {}).get("groups", ())
        found = [rule for group in groups for rule in group["rules"]]
        return found if all(rule["health"] != "unknown" for rule in found) else []

    found = stack.prometheus.until(evaluated, "the rules")
    assert {rule["name"] for rule in found} == {
        *(rule["record"] for rule in rules("record")),
        *(rule["alert"] for rule in rules("alert")),
    }
    assert {rule["health"] for rule in found} == {"ok"}


@pytest.mark.long
def test_the_dashboard_finds_the_pool_and_the_job(stack: Stack) -> None:
    wanted = {"job": ["loadtest"], "db_client_connection_pool_name": ["2+1"]}

    for label, values in wanted.items():
        asked = partial(stack.ask, f"label/{label}/values?match[]=loadtest_checkouts_total")
        assert stack.prometheus.until(asked, label) == values


@pytest.mark.long
def test_both_workers_are_measured(stack: Stack) -> None:
    def two() -> bool:
        return any(
            round(value) == 2 for _, value in stack.query("job_pool:loadtest_processes:rate10s")
        )

    stack.prometheus.until(two, "the lag of two event loops")
    ((_, most),) = stack.query("db_client_connection_max")
    assert most == 2 * (2 + 1)


@pytest.mark.long
def test_the_health_checks_say_that_all_is_well(stack: Stack) -> None:
    for name in ("master", "worker"):
        _, program, *arguments = services()[name]["healthcheck"]["test"]
        command = [sys.executable if program == "python" else program, *arguments]
        assert subprocess.run(map(stack.here.text, command), check=False).returncode == 0
    ready = services()["prometheus"]["healthcheck"]["test"][-1]
    assert stack.prometheus.until(lambda: "Ready" in fetch(stack.here.text(ready)), "Prometheus")


def test_the_health_checks_notice_when_nobody_is_there(tmp_path: Path) -> None:
    nobody = Here(tmp_path, free_port(), free_port(), free_port())

    for name in ("master", "worker"):
        _, program, *arguments = services()[name]["healthcheck"]["test"]
        command = [sys.executable if program == "python" else program, *arguments]
        checked = subprocess.run(map(nobody.text, command), check=False, capture_output=True)
        assert checked.returncode == 1


@pytest.mark.long
def test_nothing_goes_wrong(stack: Stack) -> None:
    for process in (stack.master, *stack.workers):
        assert "Traceback" not in process.output
    assert "level=error" not in stack.prometheus.output
    assert "level=warn" not in stack.prometheus.output
