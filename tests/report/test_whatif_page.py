"""The page of `loadtest whatif` in a browser."""

from __future__ import annotations

import pytest
from playwright.sync_api import Browser, expect

from loadtest.analysis.pool_runs import gather
from loadtest.analysis.prediction.observed_workload import observe
from loadtest.analysis.prediction.settings_grid import settings_grid
from loadtest.analysis.prediction.whatif import predict
from loadtest.report.prediction_page import write_prediction
from tests.accessibility import barriers, faint
from tests.analysis.test_observed_workload import measured
from tests.pictures import VIEWS, Scheme, keep_picture
from tests.report.test_report_in_browser import PAPER

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Where the page is."""
    folder = tmp_path_factory.mktemp("page")
    observed = observe(gather([measured(folder, "10+0")]))
    predicted = predict(observed, settings_grid(observed, "5,10,20", "0,10", None), workers=1)
    about = {"name": "held-connection", "result": str(folder), "command": "loadtest whatif x"}
    write_prediction(predicted, about, folder)
    return (folder / "whatif.html").as_uri()


@pytest.mark.parametrize(("width", "scheme"), VIEWS)
def test_it_fits_has_no_barriers_and_asks_for_nothing(
    browser: Browser, address: str, width: int, scheme: Scheme
) -> None:
    page = browser.new_page(viewport={"width": width, "height": 900}, color_scheme=scheme)
    requests, complaints = [], []
    page.on("request", lambda request: requests.append(request.url))
    page.on("console", lambda message: complaints.append(message.text))
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.goto(address)
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    assert (requests, complaints) == ([address], [])
    keep_picture(page, "whatif")
    assert barriers(page, every=True) == []
    assert faint(page) == []
    page.close()


def test_keys_tell_the_prediction_of_each_size_and_the_command_is_copied(
    browser: Browser, address: str
) -> None:
    page = browser.new_page(viewport={"width": 1440, "height": 900})
    page.goto(address)
    at = page.locator("#whatif .values td").first
    expect(at).to_have_text("pool_size 10")  # the measured pool
    page.get_by_role("group", name="Chart: What would other settings do?").focus()
    said = page.locator("#whatif").get_by_role("status")
    for key, size in (("ArrowRight", 5), ("End", 20), ("ArrowLeft", 10)):
        page.keyboard.press(key)
        expect(at).to_have_text(f"pool_size {size}")
    expect(said).to_contain_text("10+0, measured 200 ms")
    page.keyboard.press("+")
    page.keyboard.press("Escape")
    expect(page.get_by_role("button", name="Show all")).to_be_disabled()
    page.get_by_role("button", name="Copy").click()
    expect(page.get_by_role("button", name="Copied")).to_be_visible()
    assert page.evaluate("getSelection().toString()").strip() == "loadtest whatif x"
    page.close()


def test_on_paper_and_without_scripts_the_figure_remains(browser: Browser, address: str) -> None:
    page = browser.new_page(viewport={"width": PAPER, "height": 1016})
    page.goto(address)
    page.emulate_media(media="print")
    assert page.locator("#whatif svg").is_visible()
    assert page.evaluate("document.documentElement.scrollWidth") <= PAPER
    for table in page.locator(".scroll:visible").all():
        assert table.evaluate("box => box.scrollWidth <= box.clientWidth")
    page.close()
    context = browser.new_context(
        java_script_enabled=False, viewport={"width": 1600, "height": 900}
    )
    plain = context.new_page()
    plain.goto(address)
    card, drawn = plain.locator("figure").bounding_box(), plain.locator("figure svg").bounding_box()
    assert card
    assert drawn
    assert drawn["width"] > 0.7 * card["width"]
    context.close()
