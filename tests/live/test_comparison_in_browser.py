"""Comparisons that a browser starts on the live page of a real Locust, on a real server."""

from __future__ import annotations

import re
import signal
from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser, Locator, Page, expect

from tests.accessibility import barriers, faint
from tests.live.test_live_page import locust
from tests.live.test_web_ui import Web
from tests.pictures import keep_picture
from tests.processes import PATIENCE_SECONDS, stop_with, until

pytestmark = [pytest.mark.browser, pytest.mark.server]
FILES = "scenarios/point_select.py,tests/live/launchers/quick_comparisons.py"
# Around a run: a private process, its tables, the trial and the report.
SLOW = 2 * PATIENCE_SECONDS * 1000


@pytest.fixture(scope="module")
def web(server: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Web]:
    folder = tmp_path_factory.mktemp("comparing")
    with locust(folder, server.url, "-u", 4, "--warmup", "1s", files=FILES) as web:
        yield web


@pytest.fixture
def page(web: Web, browser: Browser) -> Iterator[Page]:
    page = browser.new_page(viewport={"width": 1440, "height": 900})
    page.set_default_timeout(PATIENCE_SECONDS * 1000)
    expect.set_options(timeout=PATIENCE_SECONDS * 1000)
    page.goto(f"{web.address}/pool")
    expect(field(page, "Pools")).to_have_value(re.compile("0"))  # filled by the script
    yield page
    page.close()


def field(page: Page, label: str) -> Locator:
    """A field of the form."""
    return page.get_by_label(label, exact=True)


def start(page: Page, **fields: str) -> None:
    """Fill the form with the keyboard alone, and send it."""
    for label, text in fields.items():
        field(page, label).focus()
        page.keyboard.press("Control+a")
        page.keyboard.type(text)
    page.keyboard.press("Enter")


def state(page: Page, words: str | re.Pattern[str]) -> None:
    """Wait until the comparison has this state."""
    expect(page.locator("#comparison-state")).to_have_text(words, timeout=SLOW)


def look(page: Page, name: str) -> None:
    """Check the page for barriers, and keep pictures of it."""
    assert barriers(page) == []
    assert faint(page) == []
    for width, scheme in ((390, "light"), (820, "dark"), (1440, "light")):
        page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]
        page.set_viewport_size({"width": width, "height": 900})
        fits = f"document.documentElement.scrollWidth <= {width}"
        until(lambda fits=fits: page.evaluate(fits), f"a page of {width} pixels")
        keep_picture(page, f"live-comparison-{name}")


def test_a_mistake_is_shown_at_its_field(web: Web, page: Page) -> None:
    expect(field(page, "Pools")).to_have_value("5+10 20+0")
    expect(field(page, "Users")).to_have_value("4")
    start(page, Pools="5+10 5+10", Rounds="0", Duration="soon")
    expect(page.locator("#comparison-pools-wrong")).to_contain_text("5+10 is given twice")
    expect(page.locator("#comparison-rounds-wrong")).to_contain_text("not a number of rounds")
    expect(page.locator("#comparison-duration-wrong")).to_contain_text("write 30s")
    expect(field(page, "Pools")).to_be_focused()
    expect(field(page, "Rounds")).to_have_attribute("aria-invalid", "true")
    expect(field(page, "Users")).not_to_have_attribute("aria-invalid", "true")
    look(page, "mistakes")
    expect(page.locator("#comparison-shown")).to_be_hidden()


def test_beside_a_load_test_none_starts(web: Web, page: Page) -> None:
    form = {"user_count": 2, "spawn_rate": 2}
    assert page.request.post(f"{web.address}/swarm", form=form).json()["success"]
    web.next_run(set(), seconds=1)
    start(page, Rounds="1")
    expect(page.get_by_role("alert")).to_contain_text("A load test of this Locust is running")
    assert page.request.post(f"{web.address}/stop").ok
    expect(page.get_by_role("status")).to_have_text("Run 1: stopped")


@pytest.mark.long
def test_a_comparison_shows_its_progress_its_verdict_and_its_report(web: Web, page: Page) -> None:
    start(page, Pools="1+0 5+0", Rounds="1", Duration="2s")
    expect(page.get_by_role("button", name="Cancel comparison")).to_be_focused()
    state(page, "Comparison 1 has ended.")
    lines = page.get_by_role("region", name="Output of loadtest compare")
    for line in (
        "on a server that this tool did not start, loadtest will",
        r"- open at most \d connections at once",
        r"1/2 [15]\+0: ",
        r"2/2 [15]\+0: ",
    ):
        expect(lines).to_contain_text(re.compile(line))
    expect(page.locator("#comparison-verdict")).not_to_be_empty()
    expect(page.locator("#comparison-state")).to_be_focused()
    expect(field(page, "Pools")).to_be_enabled()
    assert web.password not in page.content()
    look(page, "ended")
    page.get_by_role("link", name="Report of comparison 1").click()
    expect(page.locator("table.pools, .pools").first).to_contain_text("1+0")


@pytest.mark.long
def test_a_cancelled_comparison_keeps_a_report_and_a_killed_locust_leaves_nothing(
    web: Web, page: Page
) -> None:
    endless = {"Pools": "2+0 4+0", "Rounds": "50", "Duration": "2s"}
    start(page, **endless)
    state(page, re.compile("[1-9] of 100 runs done"))
    page.reload()
    expect(field(page, "Pools")).to_have_value("2+0 4+0")
    expect(field(page, "Pools")).to_be_disabled()
    answer = page.request.post(f"{web.address}/swarm", form={"user_count": 2, "spawn_rate": 2})
    assert not answer.json()["success"]
    assert "The live page (/pool) is running a comparison" in answer.json()["message"]
    look(page, "running")
    page.get_by_role("button", name="Cancel comparison").press("Enter")
    expect(page.locator("#comparison-state")).to_be_focused()
    state(page, re.compile("was cancelled; its report covers the runs until then"))
    page.get_by_role("link", name="Report of comparison").click()
    expect(page.locator("table.pools, .pools").first).to_contain_text("2+0")

    page.goto(f"{web.address}/pool")
    start(page, **endless)
    state(page, re.compile("[1-9] of 100 runs done"))
    stop_with(web.process, signal.SIGKILL)
