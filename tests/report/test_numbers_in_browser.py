"""The figures and the numbers behind them, as a person sees them."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page

from loadtest.model.interval import SERVER
from loadtest.report.render import render
from tests.analysis.builders import SECOND, interval, run
from tests.report.test_figures import eventful


def alone(folder: Path) -> None:
    """One pool, whose labels are long."""
    parts = [*eventful(folder, "20+0").intervals]
    asked = {"threads_running": 295, "threads_connected": 301}
    locks = {"cpu": SECOND, "row_lock_time": 290 * SECOND}
    parts += [interval(n, process=SERVER, gauges=asked, counters=locks) for n in range(2)]
    run(folder, parts, "20+0")


@pytest.fixture(scope="module", params=["experiment", "alone"])
def report(request: Any, tmp_path_factory: pytest.TempPathFactory, experiment_report: Path) -> str:
    folder = experiment_report
    if request.param == "alone":
        folder = tmp_path_factory.mktemp("results")
        alone(folder)
        render([folder], folder)
    return (folder / "report.html").as_uri()


@pytest.fixture
def phone(browser: Browser, report: str) -> Iterator[Page]:
    page = browser.new_page(viewport={"width": 380, "height": 800})
    page.goto(report)
    yield page
    page.close()


@pytest.mark.browser
def test_the_numbers_open_under_their_figure_and_stay_within_it(phone: Page) -> None:
    for figure in phone.locator("figure").all():
        numbers = figure.locator(".numbers table")
        assert not numbers.is_visible()
        figure.get_by_text("The numbers", exact=True).click()
        assert numbers.is_visible()
        inside, around = figure.locator(".numbers .scroll").bounding_box(), figure.bounding_box()
        assert inside
        assert around
        assert inside["x"] + inside["width"] <= around["x"] + around["width"]
    assert phone.evaluate("document.documentElement.scrollWidth") <= 380


@pytest.mark.browser
def test_on_a_telephone_the_text_in_figures_can_be_read_and_is_not_cut_off(
    browser: Browser, report: str
) -> None:
    context = browser.new_context(java_script_enabled=False, viewport={"width": 390, "height": 800})
    page = context.new_page()
    page.goto(report)
    texts = page.evaluate(
        """() => [...document.querySelectorAll('figure svg')].flatMap(svg => {
        const frame = svg.getBoundingClientRect();
        const scale = frame.width / svg.viewBox.baseVal.width;
        return [...svg.querySelectorAll('text')].map(text => {
            const box = text.getBoundingClientRect();
            const size = parseFloat(getComputedStyle(text).fontSize) * scale;
            return {said: text.textContent, size,
                    beyond: Math.max(frame.left - box.left, box.right - frame.right)};
        }); })"""
    )
    assert len(texts) > 50
    assert [text for text in texts if text["size"] < 10.99] == []
    assert [text for text in texts if text["beyond"] > 2] == []
    context.close()


@pytest.mark.browser
def test_on_paper_there_are_only_the_figures(phone: Page) -> None:
    phone.emulate_media(media="print")
    assert phone.locator("figure svg").first.is_visible()
    assert not phone.locator("figure summary").first.is_visible()
