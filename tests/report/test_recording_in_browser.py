"""The report of a recording as a person sees it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser

from loadtest.analysis.recordings.part_of_recording import ReportedTime
from loadtest.report.recorded.render_recording import render_recording
from tests.accessibility import barriers, faint
from tests.analysis.recorded_shop import CALL, PAY, paying_shop
from tests.pictures import VIEWS, Scheme, keep_picture

PHONE = 390
# The smallest letters (CSS pixels); the text of a figure is scaled with it.
SMALLEST = """() => Math.min(...[...document.querySelectorAll('body *')].filter(one =>
    one.checkVisibility() && [...one.childNodes].some(node =>
        node.nodeType === Node.TEXT_NODE && node.data.trim())
).map(one => {
    const svg = one.closest('svg');
    const scale = svg ? svg.getBoundingClientRect().width / svg.viewBox.baseVal.width : 1;
    return scale * parseFloat(getComputedStyle(one).fontSize);
}))"""
NAMES = {
    PAY: "order_worker/mistakes/forgotten_session.py:15 fulfil",
    CALL: "order_worker/partner_with_a_long_name.py:130 pay_for_an_order",
}


@pytest.fixture(scope="module")
def page_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The page of a recording; the names of places are short."""
    folder: Path = paying_shop(tmp_path_factory.mktemp("short"))
    render_recording([folder], folder, ReportedTime())
    return folder / "report.html"


@pytest.fixture(scope="module", params=["short", "long"])
def report(request: Any, tmp_path_factory: pytest.TempPathFactory, page_file: Path) -> str:
    """The address of the report; the names of places are short or long."""
    if request.param == "short":
        return page_file.as_uri()
    text = page_file.read_text()
    for short, name in NAMES.items():
        text = text.replace(broken(short), broken(name))
    assert text.count(broken(NAMES[PAY])) > 2
    longer: Path = tmp_path_factory.mktemp("long") / "report.html"
    longer.write_text(text)
    return longer.as_uri()


def broken(name: str) -> str:
    """A name as the tables have it."""
    return name.replace("/", "/<wbr>")


@pytest.mark.browser
@pytest.mark.parametrize(("width", "scheme"), [*VIEWS, (1280, "light")])
def test_it_fits_and_asks_for_nothing(
    browser: Browser, report: str, width: int, scheme: Scheme
) -> None:
    page = browser.new_page(viewport={"width": width, "height": 900}, color_scheme=scheme)
    requests: list[str] = []
    complaints: list[str] = []
    page.on("request", lambda request: requests.append(request.url))
    page.on("console", lambda message: complaints.append(message.text))
    page.goto(report)
    keep_picture(page, "recording-long" if "long" in report else "recording")
    assert (requests, complaints) == ([report], [])
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    for table in page.locator("main > section > .scroll").all() if width > PHONE else ():
        assert table.evaluate("box => box.scrollWidth <= box.clientWidth")
    assert page.evaluate(SMALLEST) >= 11
    page.close()


@pytest.mark.browser
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_it_has_no_barriers(browser: Browser, report: str, scheme: Scheme) -> None:
    page = browser.new_page(viewport={"width": 1300, "height": 900}, color_scheme=scheme)
    page.goto(report)
    assert barriers(page, every=True) == []
    assert faint(page) == []
    page.close()
