"""The live page and the tab in Locust's web UI, watched by a real browser through real runs."""

import json
import re
import urllib.request
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect
from sqlalchemy import URL

from loadtest.live.second import Point
from loadtest.model.distribution import Distribution
from loadtest.runfile.reader import Run
from tests.accessibility import barriers, faint
from tests.live.test_web_ui import Web
from tests.pictures import NOTE_WHAT_IS_WRITTEN, VIEWS, Scheme, keep_picture, keep_views
from tests.processes import (
    PATIENCE_SECONDS,
    fetch,
    free_port,
    locust_command,
    running,
    until,
)

pytestmark = [pytest.mark.browser, pytest.mark.server]


@contextmanager
def locust(folder: Path, url: URL, *more: Any, files: str = "scenarios/point_select.py") -> Any:
    """Locust with its web UI on the database of the tests."""
    port, results = free_port(), folder / "results"
    address = f"http://127.0.0.1:{port}"
    command = locust_command("-f", files, "--web-port", port, "--results", results, *more)
    environment = {"LOADTEST_DATABASE_URL": url.render_as_string(hide_password=False)}
    with running(folder / "log", *command, env=environment) as process:
        process.until(lambda: answers(address), "the web UI")
        yield Web(process, address, results, str(url.password))


def answers(address: str) -> bool:
    try:
        with urllib.request.urlopen(address, timeout=10):
            return True
    except urllib.error.HTTPError:
        return True
    except OSError:
        return False


class Watched:
    """A page, all that it asked for and all that its console said."""

    def __init__(self, page: Page, address: str) -> None:
        self.page, self.address = page, address
        self.requests: list[str] = []
        self.complaints: list[str] = []
        page.set_default_timeout(PATIENCE_SECONDS * 1000)
        page.on("request", lambda request: self.requests.append(request.url))
        page.on("console", lambda message: self.complaints.append(message.text))
        page.on("pageerror", lambda error: self.complaints.append(str(error)))
        page.goto(address)

    def strangers(self) -> list[str]:
        """Requests to anybody but the server of the page."""
        ours = (self.address.removesuffix("/pool") + "/", "data:")
        return [url for url in self.requests if not url.startswith(ours)]

    def figure(self, label: str) -> str:
        """One of the numbers at the top."""
        box = self.page.locator("#figures div", has=self.page.get_by_text(label, exact=True))
        return box.locator("dd").evaluate("told => told.firstChild.data")

    def chart(self, title: str) -> str:
        """What a chart shows, in words."""
        chart = self.page.get_by_role("img", name=re.compile(f"^{title}, newest second"))
        return str(chart.get_attribute("aria-label"))

    def picture(self, number: int) -> str:
        """The pixels of a chart."""
        canvas = self.page.locator("canvas").nth(number)
        return str(canvas.evaluate("canvas => canvas.toDataURL()"))


@pytest.fixture(scope="module", autouse=True)
def patience() -> None:
    expect.set_options(timeout=PATIENCE_SECONDS * 1000)


@pytest.fixture(scope="module")
def web(server: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Web]:
    with locust(tmp_path_factory.mktemp("live"), server.url) as web:
        yield web


def swarm(web: Web, page: Page, base: str = "", **settings: Any) -> None:
    form = {"user_count": 6, "spawn_rate": 6, **settings}
    answer = page.request.post(f"{web.address}{base}/swarm", form=form)
    assert answer.json()["success"]


def stop(web: Web, page: Page, base: str = "") -> None:
    assert page.request.post(f"{web.address}{base}/stop").ok


def points_of(answer: str) -> list[Point]:
    return [Point(*values) for values in json.loads(answer)["points"]]


def seen(watched: Watched, number: int, look: Any) -> set[Any]:
    """This number of different results of a look."""
    found: set[Any] = set()
    while len(found) < number:
        found.add(look())
        watched.page.wait_for_timeout(200)
    return found


def test_it_moves_every_second_through_run_after_run(web: Web, browser: Browser) -> None:
    watched = Watched(
        browser.new_page(viewport={"width": 1280, "height": 900}), f"{web.address}/pool"
    )
    page = watched.page
    expect(page.get_by_role("heading", level=1)).to_have_text("No run yet")
    expect(page.get_by_role("status")).to_have_text("Start a run in Locust.")
    expect(page.get_by_role("link", name="Report of the last")).to_be_hidden()

    swarm(web, page, pool_size=1, max_overflow=1, warmup=2, pool_name="")
    expect(page.get_by_role("heading", level=1)).to_have_text("1+1")
    expect(page.get_by_role("status")).to_have_text("Run 1: measuring, 6 users")
    assert len(seen(watched, 2, lambda: watched.chart("Throughput"))) == 2
    assert len(seen(watched, 2, lambda: watched.picture(4))) == 2
    assert float(watched.figure("In use")) <= 2
    assert float(watched.figure("Waiting")) <= 4  # on a quick machine they hardly wait
    assert "limit 2" in watched.chart("Connections")
    assert re.search(r"p95 [\d.]+ (µs|ms|s)", watched.chart("Checkout"))
    keep_views(page, "live-running")

    stop(web, page)
    expect(page.get_by_role("status")).to_have_text("Run 1: stopped")
    periods = [point.period for point in points_of(fetch(f"{web.address}/pool/data"))]
    assert periods == sorted(periods, key=["warmup", "measured", "drain"].index)
    assert {"warmup", "measured"} <= set(periods)
    assert any(point.waiting_most for point in points_of(fetch(f"{web.address}/pool/data")))
    expect(page.get_by_role("link", name="report of run 1, 1+1")).to_be_visible()

    swarm(web, page, pool_size=3, max_overflow=0, warmup=0, pool_name="larger")
    expect(page.get_by_role("heading", level=1)).to_have_text("larger")
    until(lambda: page.evaluate("charts[0].plot.data[4].includes(3)"), "a point of the new run")
    shown = page.evaluate("charts[0].plot.data[4]")
    limits = [limit for limit in shown if limit is not None]
    assert limits == sorted(limits)
    assert set(limits) == {2, 3}  # one stretch after the other
    assert shown.index(3) - shown.index(2) > limits.count(2)  # and a hole between them
    expect(page.locator("#runs tbody tr")).to_have_count(2)
    stop(web, page)
    expect(page.get_by_role("link", name="report of run 2, larger")).to_be_visible()
    assert watched.complaints == []
    assert watched.strangers() == []

    page.get_by_role("link", name="Report of the last finished run").click()
    expect(page.locator("table.pools, .pools").first).to_contain_text("larger")
    page.go_back()
    page.get_by_role("link", name="report of run 1, 1+1").click()
    expect(page.locator("table.pools, .pools").first).to_contain_text("1+1")
    assert watched.complaints == []
    assert watched.strangers() == []
    page.close()


def have_two_runs(web: Web, browser: Browser) -> None:
    """Two runs that have ended, if they are not there already."""
    page = browser.new_page()
    stop(web, page)  # one that a failed test left
    while len(runs := json.loads(fetch(f"{web.address}/pool/data"))["runs"]) < 2:
        known = set(web.runs())
        swarm(web, page, pool_name=f"run-{len(runs)}", warmup=0)
        web.next_run(known, seconds=3)
        stop(web, page)
    page.close()


@pytest.mark.parametrize(("width", "scheme"), VIEWS)
def test_it_shows_the_last_minutes_when_it_is_opened_late(
    web: Web, browser: Browser, width: int, scheme: Scheme
) -> None:
    have_two_runs(web, browser)
    known = points_of(fetch(f"{web.address}/pool/data"))
    page = browser.new_page(viewport={"width": width, "height": 900}, color_scheme=scheme)
    watched = Watched(page, f"{web.address}/pool")
    until(lambda: page.evaluate("state.points.size"), "points")

    assert page.evaluate("state.points.size") == len(known) >= 4
    expect(page.locator("#runs tbody tr")).to_have_count(len({point.run for point in known}))
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    for figure in page.locator("figure").all():
        box = figure.bounding_box()
        assert box is not None
        assert 300 < box["width"] <= width
        drawn = figure.locator("canvas").bounding_box()
        assert drawn is not None
        assert drawn["width"] <= box["width"]
    for title in page.locator("figure h3").all_inner_texts():
        assert page.get_by_role("img", name=title.split("\n")[0].split(" ")[0]).count()
    rows = page.locator("#runs tbody tr")
    assert max(rows.evaluate_all("all => all.map(row => row.offsetHeight)")) < 120
    assert faint(page) == []
    assert barriers(page) == []
    keep_picture(page, "live")
    page.set_viewport_size({"width": 700, "height": 900})
    fits = "charts.every(({box, plot}) => plot.width === box.clientWidth)"
    until(lambda: page.evaluate(fits), "charts of another size")
    assert page.evaluate("document.documentElement.scrollWidth") <= 700
    assert watched.complaints == []
    assert watched.strangers() == []
    page.close()


def test_arrow_keys_move_the_cursor_of_all_charts(web: Web, browser: Browser) -> None:
    have_two_runs(web, browser)
    page = browser.new_page()
    watched = Watched(page, f"{web.address}/pool")
    until(lambda: page.evaluate("charts[0].plot.data[0].length > 1"), "points")
    shown = "charts.map(({plot}) => plot.cursor.left >= 0)"
    page.locator("figure [role=img]").first.focus()
    page.keyboard.press("ArrowLeft")
    assert set(page.evaluate(shown)) == {True}
    page.keyboard.press("Escape")
    assert set(page.evaluate(shown)) == {False}
    assert watched.complaints == []
    page.close()


def test_the_page_says_so_when_locust_does_not_answer_and_goes_on_when_it_does(
    web: Web, browser: Browser
) -> None:
    page = browser.new_page()
    page.goto(f"{web.address}/pool")
    page.route("**/pool/data*", lambda route: route.fulfill(status=503))
    expect(page.get_by_role("status")).to_have_text(
        "Locust does not answer (HTTP status 503). Retrying."
    )
    page.unroute("**/pool/data*")
    expect(page.get_by_role("status")).not_to_contain_text("does not answer")
    page.close()


def test_names_and_reasons_are_text_whatever_they_hold(web: Web, browser: Browser) -> None:
    page = browser.new_page()
    watched = Watched(page, f"{web.address}/pool")
    evil = "<img src=x onerror=alert(1)>"

    def answer(route: Any) -> None:
        run = {"number": 1, "pool": evil, "begun": 0, "reason": f"failed: {evil}", "timeouts": 0}
        facts = {"server": 1, "version": 1, "now": 100, "kept": 900, "fields": Point._fields}
        route.fulfill(json={**facts, "points": [], "runs": [{**run, "report": True}]})

    page.route("**/pool/data*", answer)
    page.route("**/pool/runs", lambda route: route.fulfill(json={"runs": []}))
    page.goto(f"{web.address}/pool")
    expect(page.get_by_role("heading", level=1)).to_have_text(evil)
    expect(page.get_by_role("status")).to_have_text(f"Run 1: failed: {evil}")
    expect(page.locator("#runs tbody th")).to_have_text(evil)
    expect(page.get_by_role("cell", name=f"failed: {evil}")).to_be_visible()
    assert page.locator("img[src]").count() == 0
    assert watched.complaints == []
    page.close()


def test_the_name_of_the_newest_pool_stands_over_every_chart(web: Web, browser: Browser) -> None:
    page = browser.new_page(viewport={"width": 390, "height": 900})
    page.add_init_script(NOTE_WHAT_IS_WRITTEN)
    blank = Point._make([0] * len(Point._fields))._replace(period="measured", health="fine")
    points = [blank._replace(second=second, run=run) for second, run in ((60, 1), (98, 2))]
    run = {"reason": "", "timeouts": 0, "report": False}
    runs = [
        {**run, "number": 1, "pool": "small", "begun": 60},
        {**run, "number": 2, "pool": "a-larger-pool", "begun": 97},
    ]
    facts = {"server": 1, "version": 1, "now": 100, "kept": 900, "fields": Point._fields}
    page.route(
        "**/pool/data*",
        lambda route: route.fulfill(json={**facts, "points": points, "runs": runs}),
    )
    page.goto(f"{web.address}/pool")
    for name in ("small", "a-larger-pool"):
        mine = f"written.filter(([text]) => text === '{name}').map(([, end]) => end)"
        until(lambda mine=mine: len(page.evaluate(mine)) >= 8, f"{name} over eight charts")
        assert max(page.evaluate(mine)) <= 1
    page.close()


def test_the_tab_in_locust_shows_figures_and_leads_on(web: Web, browser: Browser) -> None:
    page = browser.new_page(viewport={"width": 1280, "height": 900})
    watched = Watched(page, f"{web.address}/")
    known = set(web.runs())
    swarm(web, page, pool_size=1, max_overflow=1, pool_name="", warmup=0)
    web.next_run(known, seconds=3)  # Locust tells a state that is up to two seconds old
    page.reload()
    links = page.get_by_role("navigation", name="Connection pool")

    def show_tab() -> None:
        page.reload()
        page.get_by_role("tab", name="Connection pool").click()
        expect(page.get_by_role("row", name="Pool 1+1 measuring")).to_be_visible()

    expect(page.get_by_role("tab", name="Statistics")).to_be_visible()
    expect(links).to_be_hidden()
    show_tab()
    expect(
        page.get_by_role("row", name=re.compile(r"In use [\d.]+ of 2 maximum [12]"))
    ).to_be_visible()
    row = page.get_by_role("row", name=re.compile("^Checkout p95"))
    before = row.inner_text()
    expect(row).not_to_have_text(before)
    for figure in ("Overflow", "Waiting", "Timeouts", "Load generator"):
        expect(page.get_by_role("row", name=re.compile(f"^{figure}"))).to_be_visible()
    keep_views(page, "locust-tab", again=show_tab)
    assert barriers(page, "main") == [], "the rest of the page is Locust's"
    below = page.get_by_role("table").bounding_box()
    shown = links.bounding_box()
    assert below is not None
    assert shown is not None
    assert 0 <= shown["y"] - (below["y"] + below["height"]) < 50

    page.get_by_role("tab", name="Statistics").click()
    expect(links).to_be_hidden()
    page.get_by_role("tab", name="Connection pool").click()
    with page.expect_popup() as opened:
        links.get_by_role("link", name="Live page with charts").press("Enter")
    expect(opened.value.get_by_role("heading", level=1)).to_have_text("1+1")
    opened.value.close()
    stop(web, page)
    web.process.until(lambda: fetch(f"{web.address}/pool/report"), "a report")
    with page.expect_popup() as opened:
        links.get_by_role("link", name="Report of the last finished run").click()
    expect(opened.value.locator("h1")).to_be_visible()
    page.get_by_role("tab", name="Download data").click()
    expect(page.get_by_role("link", name="Report of the connection pool")).to_be_visible()
    assert watched.complaints == []
    page.close()


def test_nothing_but_its_own_files_and_reports_is_served(web: Web) -> None:
    for path in (
        "files/page.py",
        "files/uPlot.LICENSE",
        "files/..%2fpage.py",
        "files/%2e%2e/page.py",
        "files/",
        "report/999",
        "report/-1",
        "report/..%2f..%2fetc%2fpasswd",
        "report/1/../../../etc/passwd",
        "runs/missing",
        "results/latest/report.html",
        "results/..%2f..%2fetc/passwd",
    ):
        assert fetch(f"{web.address}/pool/{path}") == "", path
    for number in ("x", "-5", "99999999", "1e9"):
        assert json.loads(fetch(f"{web.address}/pool/data?since={number}"))["kept"] == 900


@pytest.mark.long
def test_in_a_distributed_run_a_point_is_what_all_workers_wrote_into_the_result_file(
    tmp_path: Path, server: Any, browser: Browser
) -> None:
    port = free_port()
    ports = ["--master-bind-port", port, "--master-port", port]
    with locust(tmp_path, server.url, "--processes", "2", *ports) as web:
        page = browser.new_page()
        workers = f"{web.address}/worker-count"
        web.process.until(lambda: json.loads(fetch(workers))["worker_count"] == 2, "the workers")
        swarm(web, page, pool_size=1, max_overflow=0)
        path = web.next_run(set(), seconds=8)
        stop(web, page)
        run = web.finished(path)
        points = points_of(fetch(f"{web.address}/pool/data"))
        page.close()

    # One begins and ends a little before the other.
    assert sum(point.processes == 2 for point in points) >= 3
    for point in points:
        compare(point, run)


def compare(point: Point, run: Run) -> None:
    """A point with the intervals of its second, with one connection allowed to each process."""
    intervals = [interval for interval in run.intervals if interval.second == point.second]
    lengths: Counter[str] = Counter()
    checkouts, counts = Distribution(), Counter[str]()
    for interval in intervals:
        lengths[interval.process] += interval.length
        counts.update(interval.counters)
        checkouts.add(interval.histograms.get("checkout", Distribution()))
    length = max(lengths.values()) / 1e9
    assert point.processes == point.limit == len(lengths)
    assert point.ok == pytest.approx((counts["requests"] - counts["failures"]) / length, abs=0.01)
    used = sum(interval.gauges["in_use"].integral for interval in intervals)
    assert point.in_use == pytest.approx(used / 1e9 / length, abs=0.01)
    assert point.checkout_p95 == checkouts.percentile_seconds(95)


@pytest.mark.long
def test_behind_a_login_nothing_is_told_without_a_session(
    tmp_path: Path, server: Any, browser: Browser
) -> None:
    files = "scenarios/point_select.py,tests/live/launchers/login.py"
    with locust(tmp_path, server.url, "--web-login", "--web-base-path", "/lt", files=files) as web:
        page = browser.new_page()
        for path in ("", "/data", "/files/pool.js", "/report", "/report/1"):
            answer = page.request.get(f"{web.address}/lt/pool{path}", max_redirects=0)
            assert answer.status == 302, path
            assert answer.headers["location"].startswith("/lt/login"), path
        assert page.request.get(f"{web.address}/metrics", max_redirects=0).status == 302

        assert page.request.post(f"{web.address}/sign-in").ok
        watched = Watched(page, f"{web.address}/lt/pool")
        swarm(web, page, "/lt")
        expect(page.get_by_role("heading", level=1)).to_have_text("5+10")
        expect(page.get_by_role("status")).to_have_text("Run 1: measuring, 6 users")
        stop(web, page, "/lt")
        expect(page.get_by_role("link", name="report of run 1, 5+10")).to_be_visible()
        page.get_by_role("link", name="report of run 1, 5+10").click()
        expect(page.locator("h1")).to_be_visible()
        page.go_back()
        expect(page.get_by_role("status")).to_have_text("Run 1: stopped")
        page.get_by_role("link", name="Locust").click()
        expect(page.get_by_role("tab", name="Connection pool")).to_be_visible()
        page.go_back()
        assert watched.complaints == []

        def logged_out() -> bool:
            page.context.clear_cookies()  # an answer on its way brings one back
            return "You are logged out" in page.get_by_role("status").inner_text()

        until(logged_out, "the page to say so")
        page.close()
