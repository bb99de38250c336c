"""The table with a row a pool: what it says, what it sorts by, and sorting in a browser."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from loadtest.analysis.summarize import summarize
from loadtest.report.overview import OVERVIEW_HEADINGS, overview_rows
from loadtest.report.render import read_measurements
from tests.analysis.builders import SECOND, interval, run, steady
from tests.report.pages import figureless


def result(folder: Path) -> Path:
    """Three pools: 9+0 is slow, 100+0 quick, and 20+0 has measured nothing sound."""
    steady(folder, "9+0", [90, 91, 92, 93, 94], wait=300, peak=9, started=1)
    steady(folder, "100+0", [700, 701, 702, 703, 704], wait=2, peak=100, started=2)
    run(folder, [interval(counters={"requests": 9000, "cpu": SECOND})], "20+0", started=3)
    return folder


def test_a_row_has_what_is_read_and_what_it_sorts_by(tmp_path: Path) -> None:
    summary = summarize(read_measurements([result(tmp_path)]))
    table = {
        pool.name: dict(zip(OVERVIEW_HEADINGS[1:], cells, strict=True))
        for pool, cells in overview_rows(summary)
    }
    assert list(table) == ["9+0", "100+0", "20+0"]
    quick, busy = table["100+0"], table["20+0"]
    assert (quick["ok/s"].text, quick["ok/s"].number) == ("702", 702)
    assert quick["ok/s"].note.startswith("700 – ")
    assert (quick["wait p99"].text, quick["wait p99"].number) == ("2.00 ms", pytest.approx(2e-3))
    assert quick["request p95"].number == pytest.approx(4e-3, rel=0.01)
    assert (quick["peak connections"].number, quick["errors"].number) == (100, 0)
    assert (quick["valid"].text, busy["valid"].text) == ("yes", "no")
    assert (busy["wait p95"].text, busy["wait p95"].number) == ("–", None)


def test_one_pool_alone_needs_no_overview(tmp_path: Path) -> None:
    steady(tmp_path, "20+0", [700])
    assert overview_rows(figureless(tmp_path, out=tmp_path)) == []
    assert 'class="overview' not in (tmp_path / "report.html").read_text()


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Where the report of three pools is."""
    folder = result(tmp_path_factory.mktemp("pools"))
    figureless(folder, out=folder)
    return (folder / "report.html").as_uri()


@pytest.fixture
def page(browser: Browser, address: str) -> Iterator[Page]:
    page = browser.new_page()
    page.goto(address)
    yield page
    page.close()


def order(page: Page) -> list[str]:
    names = page.locator(".overview tbody th").all_inner_texts()
    return [name.split("\n")[0].strip() for name in names]


@pytest.mark.browser
def test_each_heading_sorts_up_then_down_and_what_has_no_value_stays_last(page: Page) -> None:
    assert order(page) == ["9+0", "100+0", "20+0"]
    heading = page.get_by_role("columnheader", name="wait p95")
    heading.get_by_role("button").click()
    assert order(page) == ["100+0", "9+0", "20+0"]
    expect(heading).to_have_attribute("aria-sort", "ascending")
    heading.get_by_role("button").click()
    assert order(page) == ["9+0", "100+0", "20+0"]
    expect(heading).to_have_attribute("aria-sort", "descending")
    page.get_by_role("button", name="valid").click()
    assert order(page)[0] == "20+0"
    assert page.locator(".overview [aria-sort]").all_inner_texts() == ["valid"]
    assert page.get_by_role("row", name="100+0").first.locator("td").first.inner_text() != ""


@pytest.mark.browser
def test_it_sorts_with_the_keyboard_and_names_by_their_numbers(page: Page) -> None:
    page.get_by_role("button", name="pool", exact=True).focus()
    page.keyboard.press("Enter")
    assert order(page) == ["9+0", "20+0", "100+0"]
    page.keyboard.press("Space")
    assert order(page) == ["100+0", "20+0", "9+0"]
    page.keyboard.press("Tab")
    expect(page.get_by_role("button", name="ok/s")).to_be_focused()


@pytest.mark.browser
def test_without_scripts_it_is_a_table_with_nothing_to_press(
    browser: Browser, address: str
) -> None:
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(address)
    assert order(page) == ["9+0", "100+0", "20+0"]
    assert page.get_by_role("button").count() == 0
    context.close()
