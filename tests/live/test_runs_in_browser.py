"""The live page's table of runs in a real browser: ticked, drawn over each other, compared.

The browser asks the pages in this process, so no server and no Locust is needed.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, Route, expect

from loadtest.live import page as live_page
from loadtest.live.comparing.request_guard import TOKEN_HEADER
from loadtest.live.ended_runs import EndedRun
from loadtest.live.run_comparison import ComparisonReports
from loadtest.model.pool import parse_pool
from loadtest.report.render import render
from tests.accessibility import barriers, faint
from tests.analysis.builders import START, interval, steady
from tests.live.measured_runs import result, three_runs, web_app
from tests.pictures import keep_picture
from tests.undisturbed import without_figures

pytestmark = pytest.mark.browser
ADDRESS = "http://locust.test"


def made_here(runs: Sequence[EndedRun], out: Path) -> None:
    """The report of some runs, made in this process."""
    with without_figures():
        render([run.file for run in runs], out)


class Visited:
    """The live page for the results in a folder, with a run in progress."""

    def __init__(self, browser: Browser, results: Path, **look: Any) -> None:
        self.app, self.live = web_app(results)
        self.live.begin(parse_pool("7+0"))
        for second in range(3):
            counters = {"requests": 50, "failures": 5, "timeouts": 1}
            self.live.add(interval(second, counters=counters, wait=[30] * 100))
        self.complaints: list[str] = []
        self.page = browser.new_page(**look)
        self.page.on("console", lambda message: self.complaints.append(message.text))
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))
        self.page.route("**/*", self._answer)
        self.page.goto(f"{ADDRESS}/pool")

    def _answer(self, route: Route) -> None:
        asked = route.request
        path = asked.url.removeprefix(ADDRESS)
        sent = {TOKEN_HEADER.lower(), "content-type"}
        with self.app.test_client() as client:
            answer = client.open(
                path,
                method=asked.method,
                data=asked.post_data_buffer,
                headers={name: text for name, text in asked.headers.items() if name in sent},
                buffered=True,
            )
        headers = dict(answer.headers)
        route.fulfill(status=answer.status_code, headers=headers, body=answer.data)

    def rows(self) -> list[list[str]]:
        """The texts of the table's rows."""
        script = "rows => rows.map(row => [...row.cells].map(cell => cell.innerText.trim()))"
        return list(self.page.locator("#runs tbody tr").evaluate_all(script))


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("results")
    three_runs(folder)
    return folder


@pytest.fixture(autouse=True)
def _reports_here(monkeypatch: pytest.MonkeyPatch) -> None:
    def reports(results: Any) -> ComparisonReports:
        return ComparisonReports(results, made_here)

    monkeypatch.setattr(live_page, "ComparisonReports", reports)


@pytest.fixture
def visited(browser: Browser, results: Path) -> Iterator[Visited]:
    one = Visited(browser, results, viewport={"width": 1440, "height": 900})
    expect(one.page.locator("#runs tbody tr")).to_have_count(4)
    yield one
    assert one.complaints == []
    one.page.close()


def box(page: Page, pool: str) -> Any:
    return page.get_by_role("checkbox", name=re.compile(rf"^compare {re.escape(pool)}, began "))


def test_runs_are_listed_with_their_numbers_and_why_they_are_not_valid(visited: Visited) -> None:
    page = visited.page
    current, third, second, first = visited.rows()
    assert [row[2] for row in (current, third, second, first)] == ["7+0", "9+0", "20+0", "5+10"]
    assert current[:2] == ["", "1"]
    assert current[4:] == ["3 s", "45", "30 ms", "10 %", "running", "–"]
    assert first[4:9] == ["12 s", "100", "40 ms", "0 %", "yes"]
    assert second[4:9] == ["15 s", "700", "10 ms", "0 %", "yes"]
    said = "no: The load generator used 90 % of its core or more in 100 % of the measured time."
    assert third[8] == said
    assert re.fullmatch(r"\d+ \w+, \d\d:\d\d:\d\d", first[3])  # of another day
    expect(page.get_by_role("link", name=re.compile(r"^report of 5\+10, began "))).to_be_visible()


def test_ticked_runs_lie_over_each_other_and_are_left_again(visited: Visited) -> None:
    page = visited.page
    kept = page.locator("#runs tbody tr").last.element_handle()
    page.get_by_role("link", name="Runs").press("Enter")
    page.keyboard.press("Tab")
    expect(page.get_by_role("button", name="Compare runs")).to_be_focused()
    page.keyboard.press("Tab")
    page.keyboard.press("Tab")
    expect(box(page, "9+0")).to_be_focused()
    box(page, "5+10").focus()
    page.keyboard.press("Space")
    expect(page.locator("#overlay")).to_be_hidden()
    page.keyboard.press("Shift+Tab")  # the report of the run above
    page.keyboard.press("Shift+Tab")
    expect(box(page, "20+0")).to_be_focused()
    page.keyboard.press("Space")
    expect(page.get_by_role("heading", name="2 runs from their beginning")).to_be_visible()
    expect(page.locator("#live")).to_be_hidden()
    expect(page.get_by_role("button", name="Compare 2 runs")).to_be_visible()
    expect(box(page, "20+0")).to_be_focused()
    assert kept is not None
    assert kept.evaluate("row => row.isConnected")  # only what changes is replaced

    explore(page)

    page.get_by_role("button", name="Back to the live charts").focus()
    page.keyboard.press("Enter")
    expect(page.locator("#live")).to_be_visible()
    expect(page.locator("#overlay")).to_be_hidden()
    expect(page.get_by_role("heading", name="Charts")).to_be_focused()
    assert page.get_by_role("checkbox", checked=True).count() == 0
    expect(page.get_by_role("button", name="Compare runs")).to_be_visible()


def explore(page: Page) -> None:
    """Point at the charts of two runs, and switch one off."""
    charts = page.locator("#overlaid figure")
    expect(charts).to_have_count(9)
    throughput = charts.filter(has=page.get_by_role("heading", name="Throughput: succeeded"))
    over = throughput.locator(".u-over")
    over.scroll_into_view_if_needed()
    room = over.bounding_box()
    assert room
    over.hover(position={"x": room["width"] / 2, "y": 20})
    assert values(throughput) == ["5+10 100", "20+0 700", "7 s"]
    waits = charts.filter(has=page.get_by_role("heading", name="Wait: p95"))
    assert values(waits)[-1] == "7 s"  # one cursor for all
    over.hover(position={"x": room["width"] - 1, "y": 20})
    assert values(throughput) == ["5+10 –", "20+0 700", "14 s"]  # the other had ended
    page.mouse.move(0, 0)
    colours = "lines => lines.map(line => getComputedStyle(line).color)"
    first_, second_ = throughput.locator(".sample").evaluate_all(colours)
    assert (first_, second_) == ("rgb(0, 114, 178)", "rgb(213, 94, 0)")

    canvas = throughput.locator("canvas")
    before = canvas.evaluate("canvas => canvas.toDataURL()")
    switch = throughput.get_by_role("button", name="20+0")
    switch.focus()
    page.keyboard.press("Enter")
    expect(switch).to_have_attribute("aria-pressed", "false")
    changed = "([canvas, before]) => canvas.toDataURL() !== before"
    page.wait_for_function(changed, arg=[canvas.element_handle(), before])
    throughput.get_by_role("img").focus()
    page.keyboard.press("Home")
    assert values(waits)[-1] == "0 s"
    page.keyboard.press("Escape")


def values(chart: Any) -> list[str]:
    """The values below a chart."""
    texts: Sequence[str] = chart.locator(".values li").all_inner_texts()
    return [" ".join(text.split()) for text in texts]


def test_series_of_the_live_charts_are_switched_with_keys(visited: Visited) -> None:
    page = visited.page
    figure = page.locator("#charts figure").filter(has=page.get_by_text("Throughput"))
    switch = figure.get_by_role("button", name="failed")
    expect(switch).to_have_attribute("aria-pressed", "true")
    switch.focus()
    page.keyboard.press("Space")
    expect(switch).to_have_attribute("aria-pressed", "false")
    assert page.evaluate("charts[4].plot.series.map(one => one.show)") == [True, True, False, True]
    page.keyboard.press("Space")
    assert page.evaluate("charts[4].plot.series[2].show")


def test_compared_runs_have_a_report_and_others_a_message_at_the_button(
    visited: Visited, results: Path
) -> None:
    page = visited.page
    said = page.locator("#compared")
    page.get_by_role("button", name="Compare runs").click()
    expect(said).to_have_text("Tick two or more runs of different pools in the table.")
    box(page, "5+10").check()
    expect(said).to_have_text("")
    box(page, "9+0").check()
    page.get_by_role("button", name="Compare 2 runs").click()
    day = r"the run of \d+ \w+, \d\d:\d\d:\d\d"  # what the table shows; it has no folder
    differs = re.compile(
        f"^No report: cannot be compared: load.users is 300 in {day}, 900 in {day}$"
    )
    expect(said).to_have_text(differs)
    assert visited.complaints.pop().startswith("Failed to load resource")  # the answer was 400
    assert not list(results.glob("comparison-*"))

    box(page, "9+0").uncheck()
    box(page, "20+0").check()
    page.get_by_role("button", name="Compare 2 runs").click()
    page.wait_for_url(f"{ADDRESS}/pool/results/comparison-*/report.html")
    expect(page.locator(".verdict")).to_contain_text("a difference may be the machine's")
    expect(page.locator("table.pools")).to_contain_text("20+0")
    with page.expect_response("**/summary.json") as answer:
        page.get_by_role("link", name="summary.json").click()
    assert json.loads(answer.value.text())["pools"][1]["name"] == "20+0"
    page.go_back()
    page.go_back()
    expect(page.locator("#runs tbody tr")).to_have_count(4)


def test_names_of_results_and_their_problems_are_text(browser: Browser, tmp_path: Path) -> None:
    evil = "<img src=x onerror=alert(1)>"
    folder = result(tmp_path, f"{evil[1:4]} & more", "20+0")
    summary = json.loads((folder / "summary.json").read_text())
    (pool,) = summary["pools"]
    pool |= {"name": evil, "valid": False, "findings": [{"message": f"{evil} {evil}"}]}
    (folder / "summary.json").write_text(json.dumps(summary))
    steady(tmp_path / f"killed {evil[1:4]}", "5+10", [100], reason=None, started=START - 9)
    visited = Visited(browser, tmp_path)
    page = visited.page
    expect(page.locator("#runs tbody tr")).to_have_count(3)
    _, named, killed = visited.rows()
    assert (named[2], named[8]) == (evil, f"no: {evil} {evil}")
    assert killed[4:9] == [
        *("2 s", "100", "10 ms", "0 %", "interrupted: its process ended before the run did")
    ]
    assert killed[9] == f"loadtest report '{tmp_path}/killed img'"
    for one in page.get_by_role("checkbox").all():
        one.check()
    expect(page.locator("#overlaid figure")).to_have_count(9)
    page.get_by_role("link", name="report of").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("hot-row")
    assert page.locator("img").count() == 0
    assert visited.complaints == []
    page.close()


@pytest.mark.parametrize(("width", "scheme"), [(390, "light"), (820, "dark"), (1440, "light")])
def test_it_fits_and_has_no_barriers(
    browser: Browser, results: Path, width: int, scheme: str
) -> None:
    visited = Visited(
        browser, results, viewport={"width": width, "height": 900}, color_scheme=scheme
    )
    page = visited.page
    fits = "document.documentElement.scrollWidth"
    assert page.evaluate(fits) <= width
    expect(page.locator("#runs tbody tr")).to_have_count(4)
    assert page.evaluate(fits) <= width
    assert barriers(page) == []
    keep_picture(page, "runs")
    box(page, "5+10").check()
    box(page, "20+0").check()
    expect(page.locator("#overlaid figure")).to_have_count(9)
    page.get_by_role("button", name="Compare 2 runs").hover()
    assert page.evaluate(fits) <= width
    assert barriers(page) == []
    assert faint(page) == []
    keep_picture(page, "overlay")
    assert visited.complaints == []
    page.close()
