"""Locust's web UI with the pool's settings in it, used by a real browser."""

from locust.argument_parser import get_parser

import json
import re
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
from tests.accessibility import barriers
from tests.pictures import keep_picture
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
    """The pool's options as argparse has them, by name."""
    groups = get_parser(default_config_files=[])._action_groups
    (pool,) = [group for group in groups if str(group.title).startswith("Connection pool")]
    return {action.dest: action for action in pool._group_actions}


def field(page: Page, name: str) -> Locator:
    """A field of the start form."""
    return page.get_by_label(name, exact=True)


def open_form(page: Page) -> None:
    """The start form, at the start or in its dialog."""
    start = page.get_by_role("button", name="Start", exact=True)
    again = page.get_by_role("button", name="New", exact=True)
    expect(start.or_(again)).to_be_visible()
    if again.is_visible():
        again.click()
    expect(field(page, "pool_size")).to_be_visible()


def start(page: Page, *, pre_ping: bool = False, **settings: str) -> None:
    """Fill the form and start."""
    open_form(page)
    ping = field(page, "pool_pre_ping")
    if ping.is_checked() != pre_ping:
        ping.press("Space")  # a click may miss what is still moving
        expect(ping).to_be_checked(checked=pre_ping)
    page.get_by_label("Number of users").fill("4")
    page.get_by_label("Ramp up").fill("4")
    for name, value in settings.items():
        field(page, name).fill(value)
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


def test_the_form_begins_with_the_pool_and_each_field_has_its_help(page: Page) -> None:
    open_form(page)

    names, pool = form_fields(page), pool_settings()
    assert names[: len(pool)] == [camel(name) for name in pool]
    assert names.index("userCount") > names.index("poolName")
    assert {"seed", "warmup", "pointRows"} <= set(names)
    assert not {"databaseUrl", "results", "metricsPort", "round", "runName"} & set(names)
    for name, action in pool.items():
        expect(field(page, name)).to_be_visible()
        told = action.help.partition("; as-is")[0]  # which needs an application
        expect(field(page, name)).to_have_accessible_description(told)
        if action.choices:
            choices = [choice for choice in action.choices if choice != "as-is"]
            assert field(page, name).locator("option").all_inner_texts() == choices
    values = {name: field(page, name).input_value() for name in ("pool_size", "max_overflow")}
    assert values == {"pool_size": "5", "max_overflow": "10"}
    assert float(field(page, "pool_timeout").input_value()) == 30
    assert not field(page, "pool_pre_ping").is_checked()
    assert field(page, "warmup").input_value() == "2s"
    assert page.get_by_label("Number of users").input_value() == "50"
    assert page.get_by_label("Ramp up").input_value() == "50"
    expect(page.get_by_role("button", name="Custom parameters")).to_be_hidden()
    expect(page.get_by_role("link", name="Live page with charts")).to_be_visible()
    expect(page.get_by_role("link", name="Report of the last")).to_be_hidden()
    assert page.get_by_label("Host").input_value().startswith("127.0.0.1:")
    assert not page.get_by_label("Host").is_editable()
    expect(page.get_by_text("no host attribute")).to_be_hidden()


def test_the_form_fits_every_width_and_has_no_barriers(web: Web, page: Page) -> None:
    for width, scheme in ((390, "light"), (820, "dark"), (1440, "light")):
        page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]
        page.set_viewport_size({"width": width, "height": 900})
        page.reload()
        open_form(page)
        keep_picture(page, "locust-form")
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        assert barriers(page, "main") == []
    load = page.get_by_role("button", name="Load test")
    expect(load).to_have_attribute("aria-expanded", "false")
    load.press("Enter")
    expect(load).to_have_attribute("aria-expanded", "true")
    texts = page.locator("form label:visible, form small:visible")
    cut = texts.evaluate_all(
        "all => all.filter(l => l.scrollWidth > l.clientWidth + 1).map(l => l.textContent)"
    )
    assert texts.count() > 30
    assert cut == []
    assert barriers(page, "main") == []
    keep_picture(page, "locust-form-open")
    load.press("Space")
    expect(field(page, "seed")).to_be_hidden()


def test_a_field_without_effect_is_greyed_and_says_why(page: Page) -> None:
    open_form(page)
    page.get_by_role("button", name="Load test").click()
    size, overflow = field(page, "pool_size"), field(page, "max_overflow")
    size.fill("20")
    field(page, "poolclass").select_option("NullPool")
    for name in ("pool_size", "max_overflow", "pool_timeout", "pool_recycle", "pool_pre_ping"):
        expect(field(page, name)).to_be_disabled()
    expect(size).to_have_accessible_description("no effect: NullPool keeps no connections")
    assert size.input_value() == "5"
    expect(field(page, "pool_reset_on_return")).to_be_enabled()

    field(page, "poolclass").select_option("QueuePool")
    expect(size).to_be_enabled()
    assert size.input_value() == "20"
    overflow.fill("-1")
    expect(field(page, "pool_timeout")).to_be_disabled()
    size.fill("0")
    expect(overflow).to_be_disabled()
    expect(field(page, "drop_after")).to_be_disabled()
    field(page, "arrival_rate").fill("20")
    expect(field(page, "drop_after")).to_be_enabled()
    field(page, "stages").fill("5s:10/s")
    expect(field(page, "arrival_rate")).to_be_disabled()
    expect(field(page, "arrivals")).to_be_enabled()


def form_fields(page: Page) -> list[str]:
    """The names of the form's fields, from top to bottom."""
    fields = page.locator("form [name]").evaluate_all("all => all.map(field => field.name)")
    return [str(name) for name in fields]


def camel(name: str) -> str:
    start, *words = name.split("_")
    return start + "".join(word.title() for word in words)


def test_a_changed_pool_runs_at_the_next_start_without_a_restart(web: Web, page: Page) -> None:
    known = set(web.runs())
    start(page, pre_ping=True, pool_size="1", max_overflow="1")
    first = web.next_run(known)
    see(page, "Stop")
    expect(page.get_by_role("cell", name="select", exact=True)).to_be_visible()
    keep_picture(page, "locust-running")
    metrics = samples(fetch(f"{web.address}/metrics"))
    stop(page)
    one = web.finished(first)

    start(page, pool_size="3", max_overflow="0", pool_timeout="0.5", pool_name="larger")
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
            start(page, pool_size=size, max_overflow="0")
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
    start(page, pool_size="5", max_overflow="-7", pool_name="wrong")
    expect(page.get_by_text("max_overflow: must be at least -1")).to_be_visible()
    keep_picture(page, "locust-refused")
    overflow, timeout = field(page, "max_overflow"), field(page, "pool_timeout")
    expect(overflow).to_have_accessible_description(re.compile("^must be at least -1"))
    expect(overflow).to_be_focused()
    overflow.fill("ten")
    timeout.fill("2 s")
    page.get_by_role("button", name="Start", exact=True).click()
    mistakes = ((overflow, "'ten' is not a whole number"), (timeout, "'2 s' is not a number"))
    for wrong, said in mistakes:
        expect(wrong).to_have_accessible_description(re.compile(f"^{said}"))
        expect(wrong).to_have_attribute("aria-invalid", "true")
        expect(page.get_by_role("alert")).to_contain_text(said)
    keep_picture(page, "locust-mistakes")
    statistics = json.loads(fetch(f"{web.address}/stats/requests"))
    assert statistics["user_count"] == 0
    assert set(web.runs()) == known

    page.reload()
    start(page, max_overflow="0", pool_name="right")
    path = web.next_run(known)
    stop(page)

    run = web.finished(path)
    assert run.pool_name == "right"
    assert total(run.intervals).counters["checkouts"] > 0


def test_a_change_during_a_run_waits_for_the_next_one(web: Web, page: Page) -> None:
    known = set(web.runs())
    start(page, pool_size="2", max_overflow="0", pool_name="as-started")
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
    assert field(page, "pool_size").input_value() == "8"


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
