"""Locust's web UI with the pool's settings in it, used by a real browser."""

from locust.argument_parser import get_parser

import json
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Locator, Page, expect

from loadtest.database.private_server import PrivateServer
from loadtest.load import plugin  # noqa: F401 - it adds the options to Locust's parser
from loadtest.model.interval import total
from loadtest.runfile.reader import Run, read_run
from tests.conftest import keep_screenshot
from tests.processes import (
    PATIENCE_SECONDS,
    Running,
    fetch,
    free_port,
    locust_command,
    running,
    samples,
    stop_with,
)

pytestmark = [pytest.mark.browser, pytest.mark.server]


@dataclass
class Web:
    """Locust with its web UI, and the folder of its results."""

    process: Running
    address: str
    results: Path
    password: str

    def runs(self) -> dict[Path, Run]:
        """All runs so far, by file, in the order in which they began."""
        paths = [path for path in self.results.glob("*-*/runs/*.jsonl") if path.stat().st_size]
        runs = {path: read_run(path) for path in paths}
        return dict(sorted(runs.items(), key=lambda item: item[1].header.started))

    def next_run(self, known: set[Path], seconds: int = 2) -> Path:
        """The file of a new run, once it has this number of seconds."""

        def find() -> Path | None:
            fresh = {path: run for path, run in self.runs().items() if path not in known}
            return next((p for p, run in fresh.items() if len(run.intervals) >= seconds), None)

        return self.process.until(find, "a new run")

    def finished(self, path: Path) -> Run:
        """A run once it has its footer."""
        self.process.until(lambda: read_run(path).finished, "the run to end")
        return read_run(path)


@pytest.fixture(scope="module")
def web(server: PrivateServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Web]:
    with served(server, tmp_path_factory.mktemp("web"), "scenarios/point_select.py") as web:
        yield web


@contextmanager
def served(
    server: PrivateServer, folder: Path, scenario: str | Path, *arguments: object
) -> Iterator[Web]:
    """Locust with its web UI for a scenario."""
    port, results = free_port(), folder / "results"
    address = f"http://127.0.0.1:{port}"
    where = ("--web-port", port, "--results", results)
    command = locust_command("-f", scenario, *where, *arguments)
    environment = {"LOADTEST_DATABASE_URL": server.url.render_as_string(hide_password=False)}
    with running(folder / "log", *command, env=environment) as process:
        process.until(lambda: fetch(address), "the web UI")
        yield Web(process, address, results, server.password)


@pytest.fixture
def page(web: Web, browser: Browser) -> Iterator[Page]:
    with opened(web, browser) as page:
        yield page


@contextmanager
def opened(web: Web, browser: Browser) -> Iterator[Page]:
    """Locust's UI in a browser."""
    page = browser.new_page()
    page.set_default_timeout(PATIENCE_SECONDS * 1000)
    expect.set_options(timeout=PATIENCE_SECONDS * 1000)
    page.goto(web.address)
    yield page
    page.close()


def pool_settings() -> dict[str, Any]:
    """The pool's options as argparse has them, by the labels that Locust makes of their names."""
    groups = get_parser(default_config_files=[])._action_groups
    (pool,) = [group for group in groups if str(group.title).startswith("Connection pool")]
    return {action.dest.replace("_", " ").title(): action for action in pool._group_actions}


def open_form(page: Page) -> None:
    """The start form with the section of the pool's settings open."""
    start = page.get_by_role("button", name="Start", exact=True)
    again = page.get_by_role("button", name="New", exact=True)
    expect(start.or_(again)).to_be_visible()
    if again.is_visible():
        again.click()
    page.get_by_role("button", name="Custom parameters").click()
    expect(page.get_by_label("Pool Size")).to_be_visible()


def start(page: Page, *, pre_ping: bool = False, **settings: str) -> None:
    """Fill the form and start."""
    open_form(page)
    ping = page.get_by_label("Pool Pre Ping")
    if ping.is_checked() != pre_ping:
        ping.press("Space")  # a click may miss what is still moving
        expect(ping).to_be_checked(checked=pre_ping)
    page.get_by_label("Number of users").fill("4")
    page.get_by_label("Ramp up").fill("4")
    for label, value in settings.items():
        page.get_by_label(label.replace("_", " ")).fill(value)
    page.get_by_role("button", name="Start", exact=True).click()


def see(page: Page, name: str) -> Locator:
    """A button of the page's state. A late answer from before a start or stop can hide it."""
    button = page.get_by_role("button", name=name, exact=True)
    deadline = time.monotonic() + PATIENCE_SECONDS
    while time.monotonic() < deadline:
        try:
            expect(button).to_be_visible(timeout=5000)
            return button
        except AssertionError:
            page.reload()
    raise AssertionError(f"the page never shows its button {name}")


def stop(page: Page) -> None:
    see(page, "Stop").click()
    see(page, "New")


def test_the_form_shows_the_pools_settings_with_their_help_and_choices(page: Page) -> None:
    open_form(page)

    offered = pool_settings()
    assert {"Pool Size", "Max Overflow", "Pool Timeout", "Pool Pre Ping"} <= set(offered)
    for label, action in offered.items():
        field = page.get_by_label(f"{label} ({action.help})", exact=True)
        expect(field).to_be_visible()
        if action.choices:
            assert field.locator("option").all_inner_texts() == list(action.choices)
    expect(page.get_by_label("Point Rows (rows in the table)")).to_be_visible()
    assert page.get_by_label("Pool Size").input_value() == "5"
    assert page.get_by_label("Max Overflow").input_value() == "10"
    assert float(page.get_by_label("Pool Timeout").input_value()) == 30
    assert not page.get_by_label("Pool Pre Ping").is_checked()
    names = form_fields(page)
    assert {"seed", "warmup"} <= set(names)
    assert not {"databaseUrl", "results", "metricsPort", "round", "runName"} & set(names)


@pytest.mark.parametrize("width", [390, 1280])
def test_no_help_text_of_the_form_is_cut_off(web: Web, page: Page, width: int) -> None:
    page.set_viewport_size({"width": width, "height": 900})
    open_form(page)
    texts = page.get_by_role("region").locator("label:visible")
    expect(texts.filter(has_text="Pool Recycle (replace connections older")).to_be_visible()
    cut = texts.evaluate_all(
        "all => all.filter(l => l.scrollWidth > l.clientWidth + 1).map(l => l.textContent)"
    )
    assert texts.count() > 15
    assert cut == []
    keep_screenshot(page, f"locust-form-{width}")


def test_the_pools_settings_are_a_group_of_their_own(page: Page) -> None:
    open_form(page)

    names, pool = form_fields(page), [camel(a.dest) for a in pool_settings().values()]
    first = names.index("poolclass")
    assert names[first : first + len(pool)] == pool
    assert heading_above(page, "poolclass") == '"Connection pool (SQLAlchemy\'s own names)"'
    assert heading_above(page, names[first + len(pool)]) == '"Load test"'
    assert heading_above(page, "pointRows") == '"Scenario PointSelect"'
    assert heading_above(page, "poolSize") == "none"
    assert page.get_by_label("Host").input_value().startswith("127.0.0.1:")
    expect(page.get_by_text("no host attribute")).to_be_hidden()


def form_fields(page: Page) -> list[str]:
    """The names of the form's fields, from top to bottom."""
    fields = page.locator("form [name]").evaluate_all("all => all.map(field => field.name)")
    return [str(name) for name in fields]


def camel(name: str) -> str:
    start, *words = name.split("_")
    return start + "".join(word.title() for word in words)


def heading_above(page: Page, name: str) -> str:
    """What stands above a field, as CSS has it."""
    field = page.locator(f"form [name='{name}']")
    script = """field => getComputedStyle(
        field.closest(".MuiFormControl-root, .MuiFormControlLabel-root"), "::before").content"""
    return str(field.evaluate(script))


def test_a_changed_pool_runs_at_the_next_start_without_a_restart(web: Web, page: Page) -> None:
    known = set(web.runs())
    start(page, pre_ping=True, Pool_Size="1", Max_Overflow="1")
    first = web.next_run(known)
    see(page, "Stop")
    expect(page.get_by_role("cell", name="select", exact=True)).to_be_visible()
    keep_screenshot(page, "locust-running")
    metrics = samples(fetch(f"{web.address}/metrics"))
    stop(page)
    one = web.finished(first)

    start(page, Pool_Size="3", Max_Overflow="0", Pool_Timeout="0.5", Pool_Name="larger")
    second = web.next_run({*known, first})
    stop(page)
    two = web.finished(second)

    assert first.parent.parent != second.parent.parent
    assert (one.pool_name, two.pool_name) == ("1+1", "larger")
    assert [one.told["pool"][key] for key in ("pool_size", "max_overflow")] == [1, 1]
    assert [two.told["pool"][key] for key in ("pool_size", "max_overflow")] == [3, 0]
    assert [run.header.pool.pool_pre_ping for run in (one, two)] == [True, False]
    assert two.header.pool.pool_timeout == 0.5
    assert one.header.load.users == two.header.load.users == 4
    whole, other = total(one.intervals), total(two.intervals)
    assert (whole.gauges["open"].max, other.gauges["open"].max) == (2, 3)
    assert "ping" in whole.histograms
    assert "ping" not in other.histograms
    for run in (one, two):
        assert list(run.problems) == []
        assert run.footer is not None
        assert str(run.footer.end) == "stopped"
        report = run.path.parent.parent / "report.html"
        web.process.until(report.exists, "the report")
    pool = (("db_client_connection_pool_name", "1+1"),)
    assert metrics["db_client_connection_max", pool] == 2
    assert metrics["db_client_connection_wait_time_seconds_count", pool] > 0
    later = samples(fetch(f"{web.address}/metrics"))
    assert later["db_client_connection_wait_time_seconds_count", pool] == (
        whole.histograms["wait"].count
    )


SLOW_TO_STOP = """
import gevent
from scenarios.point_select import PointSelect


class SlowToStop(PointSelect):
    def on_stop(self):
        gevent.sleep(5)
"""


@pytest.mark.long
def test_a_stop_that_lasts_longer_than_the_pages_next_question_is_seen_to_end(
    server: PrivateServer, browser: Browser, tmp_path: Path
) -> None:
    scenario = tmp_path / "slow_to_stop.py"
    scenario.write_text(SLOW_TO_STOP)
    with served(server, tmp_path, scenario) as web, opened(web, browser) as page:
        start(page)
        web.next_run(set())
        see(page, "Stop")
        expect(page.get_by_role("cell", name="select", exact=True)).to_be_visible()
        stop(page)


@pytest.mark.long
def test_workers_are_there_for_the_next_run_as_soon_as_one_was_stopped(
    server: PrivateServer, browser: Browser, tmp_path: Path
) -> None:
    port = free_port()
    arguments = ["--processes", "2", "--master-bind-port", port, "--master-port", port]
    with (
        served(server, tmp_path, "scenarios/point_select.py", *arguments) as web,
        opened(web, browser) as page,
    ):
        known: set[Path] = set()
        for size in ("1", "2"):
            start(page, Pool_Size=size, Max_Overflow="0")
            path = web.next_run(known, seconds=1)
            stop(page)
            known.add(path)
            run = web.finished(path)
            assert list(run.problems) == []
            assert total(run.intervals).gauges["open"].max == int(size)
            assert len({interval.process for interval in run.intervals}) == 2


def test_a_pool_that_cannot_be_is_refused_with_the_reason_and_the_next_one_runs(
    web: Web, page: Page
) -> None:
    known = set(web.runs())
    start(page, Pool_Size="5", Max_Overflow="-7", Pool_Name="wrong")
    expect(page.get_by_text("max_overflow: must be at least -1")).to_be_visible()
    keep_screenshot(page, "locust-refused")
    page.get_by_label("Max Overflow").fill("ten")
    page.get_by_label("Pool Timeout").fill("2 s")
    page.get_by_role("button", name="Start", exact=True).click()
    expect(page.get_by_text("max_overflow: 'ten' is not a whole number")).to_be_visible()
    expect(page.get_by_text("pool_timeout: '2 s' is not a number")).to_be_visible()
    statistics = json.loads(fetch(f"{web.address}/stats/requests"))
    assert statistics["user_count"] == 0
    assert set(web.runs()) == known

    page.reload()
    start(page, Max_Overflow="0", Pool_Name="right")
    path = web.next_run(known)
    stop(page)

    run = web.finished(path)
    assert run.pool_name == "right"
    assert total(run.intervals).counters["checkouts"] > 0


def test_a_change_during_a_run_waits_for_the_next_one(web: Web, page: Page) -> None:
    known = set(web.runs())
    start(page, Pool_Size="2", Max_Overflow="0", Pool_Name="as-started")
    path = web.next_run(known, seconds=1)
    edited: dict[str, Any] = {"user_count": 3, "spawn_rate": 6, "pool_size": 9, "pool_name": "edit"}
    assert page.request.post(f"{web.address}/swarm", form=edited).json()["success"]
    refused = page.request.post(f"{web.address}/swarm", form=edited | {"user_count": 6}).json()
    assert not refused["success"]
    assert refused["message"] == (
        "6 users, but 4 were announced: stop this run and start one with more users"
    )
    seen = len(read_run(path).intervals)
    web.process.until(lambda: len(read_run(path).intervals) >= seen + 2, "two seconds more")
    stop(page)

    run = web.finished(path)
    assert run.pool_name == "as-started"
    whole = total(run.intervals)
    assert whole.gauges["users"].max == 4
    assert 3 in {interval.gauges["users"].last for interval in run.intervals}
    assert whole.gauges["open"].max == 2
    assert set(web.runs()) == {*known, path}


def test_the_next_start_begins_from_the_last_and_may_be_longer_and_another_loop(
    web: Web, page: Page
) -> None:
    def post(**form: str) -> dict[str, Any]:
        all_of_it = {"user_count": 5, "spawn_rate": 5, **form}
        return dict(page.request.post(f"{web.address}/swarm", form=all_of_it).json())

    def run(**form: str) -> Run:
        known = set(web.runs())
        assert post(**form)["success"]
        path = web.next_run(known)
        page.request.post(f"{web.address}/stop")
        return web.finished(path)

    refused = post(arrival_rate="many")
    assert not refused["success"]
    assert "arrival_rate: 'many' is not a number" in json.dumps(refused)
    arrivals = {"arrival_rate": "30", "arrivals": "even", "drop_after": "2"}
    opened = run(run_time="1m", pool_size="7", **arrivals)
    closed = run(run_time="2m", pool_size="8", arrival_rate="0")

    load = opened.told["load"]
    assert (load["arrival_rate"], load["arrivals"], load["drop_after"]) == (30, "even", 2)
    assert (load["users"], load["processes"]) == (5, 1)
    assert total(opened.intervals).counters["arrivals"] > 0
    assert closed.header.load.arrival_rate is None
    assert total(closed.intervals).counters["arrivals"] == 0
    assert total(closed.intervals).counters["requests"] > 0
    assert [one.header.pool.pool_size for one in (opened, closed)] == [7, 8]
    page.reload()
    open_form(page)
    assert page.get_by_label("Pool Size").input_value() == "8"


def test_the_database_and_its_password_are_nowhere_to_be_seen(web: Web, page: Page) -> None:
    expect(page.get_by_role("button", name="Start", exact=True)).to_be_hidden()
    seen = page.content()
    for path in ("/", "/metrics", "/logs", "/tasks", "/stats/requests", "/exceptions"):
        body = fetch(web.address + path)
        assert body, path
        seen += body
    seen += fetch(f"{web.address}/stats/report?theme=light")
    for results in web.results.rglob("*.*"):
        seen += results.read_text(errors="replace") if results.is_file() else ""

    assert web.password not in seen
    assert "mysql+pymysql://" not in seen
    assert web.password not in web.process.output
    assert "Traceback" not in web.process.output


@pytest.mark.long
def test_a_signal_ends_a_run_of_the_web_ui_in_good_order(
    tmp_path: Path, server: PrivateServer, page: Page
) -> None:
    port, results = free_port(), tmp_path / "results"
    command = locust_command(
        *("-f", "scenarios/point_select.py", "--web-port", port, "--results", results)
    )
    environment = {"LOADTEST_DATABASE_URL": server.url.render_as_string(hide_password=False)}
    with running(tmp_path / "log", *command, env=environment) as process:
        web = Web(process, f"http://127.0.0.1:{port}", results, server.password)
        process.until(lambda: fetch(web.address), "the web UI")
        form = {"user_count": 2, "spawn_rate": 2}
        assert page.request.post(f"{web.address}/swarm", form=form).ok
        path = web.next_run(set())
        assert stop_with(process, signal.SIGINT) == 0

    run = read_run(path)
    assert list(run.problems) == []
    assert run.footer is not None
    assert str(run.footer.end) == "interrupted"
    assert (path.parent.parent / "report.html").exists()
    assert "Traceback" not in process.output
