"""The page of `loadtest whatif` in a browser."""

from __future__ import annotations

from typing import Any

import pytest
from playwright.sync_api import Browser

from loadtest.analysis.pool_runs import gather
from loadtest.analysis.prediction.observed_workload import observe
from loadtest.analysis.prediction.settings_grid import settings_grid
from loadtest.analysis.prediction.whatif import predict
from loadtest.report.prediction_page import write_prediction
from tests.accessibility import barriers
from tests.analysis.test_observed_workload import measured
from tests.conftest import keep_screenshot
from tests.report.test_report_in_browser import PAPER

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Where the page is."""
    folder = tmp_path_factory.mktemp("page")
    observed = observe(gather([measured(folder, "10+0")]))
    predicted = predict(observed, settings_grid(observed, "5,10,20", "0,10", None), workers=1)
    about = {"name": "held-connection", "result": "reports/x", "command": "loadtest whatif x"}
    write_prediction(predicted, about, folder)
    return (folder / "whatif.html").as_uri()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_no_barrier(browser: Browser, address: str, scheme: Any) -> None:
    page = browser.new_page(color_scheme=scheme)
    page.goto(address)
    assert barriers(page) == []
    page.close()


@pytest.mark.parametrize("width", [380, 768, 1600])
def test_the_page_fits_asks_for_nothing_and_complains_of_nothing(
    browser: Browser, address: str, width: int
) -> None:
    page = browser.new_page(viewport={"width": width, "height": 900})
    requests, complaints = [], []
    page.on("request", lambda request: requests.append(request.url))
    page.on("console", lambda message: complaints.append(message.text))
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.goto(address)
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    assert requests == [address]
    assert complaints == []
    keep_screenshot(page, f"whatif-{width}")
    page.close()


def test_on_a_wide_screen_the_figure_fills_most_of_its_card(browser: Browser, address: str) -> None:
    page = browser.new_page(viewport={"width": 1600, "height": 900})
    page.goto(address)
    card, drawn = page.locator("figure").bounding_box(), page.locator("figure svg").bounding_box()
    assert card
    assert drawn
    assert drawn["width"] > 0.7 * card["width"]
    page.close()


def test_on_paper_nothing_is_cut_off(browser: Browser, address: str) -> None:
    page = browser.new_page(viewport={"width": PAPER, "height": 1016})
    page.goto(address)
    page.emulate_media(media="print")
    assert page.evaluate("document.documentElement.scrollWidth") <= PAPER
    for table in page.locator(".scroll").all():
        assert table.evaluate("box => box.scrollWidth <= box.clientWidth")
    page.close()
