"""The report of a recording as a person sees it."""

from __future__ import annotations

from pathlib import Path

import pytest
from playwright.sync_api import Browser

from loadtest.analysis.recordings.part_of_recording import ReportedTime
from loadtest.report.recorded.render_recording import render_recording
from tests.accessibility import barriers, faint
from tests.analysis.recorded_shop import paying_shop
from tests.conftest import screenshots

PHONE = 380


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The address of the report."""
    folder: Path = paying_shop(tmp_path_factory.mktemp("recording"))
    render_recording([folder], folder, ReportedTime())
    return (folder / "report.html").as_uri()


@pytest.mark.browser
@pytest.mark.parametrize(("width", "scheme"), [(PHONE, "dark"), (1300, "light")])
def test_it_fits_and_asks_for_nothing(
    browser: Browser, report: str, width: int, scheme: str
) -> None:
    page = browser.new_page(viewport={"width": width, "height": 900}, color_scheme=scheme)  # type: ignore[arg-type]
    requests: list[str] = []
    complaints: list[str] = []
    page.on("request", lambda request: requests.append(request.url))
    page.on("console", lambda message: complaints.append(message.text))
    page.goto(report)
    page.screenshot(path=screenshots() / f"recording-{width}.png", full_page=True)
    assert (requests, complaints) == ([report], [])
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    page.close()


@pytest.mark.browser
def test_it_has_no_barriers(browser: Browser, report: str) -> None:
    page = browser.new_page(viewport={"width": 1300, "height": 900})
    page.goto(report)
    assert barriers(page) == []
    assert faint(page) == []
    page.close()
