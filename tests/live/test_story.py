"""The whole story in a browser: start, watch, stop, change the pool, read the report."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect

from loadtest.model.interval import total
from tests.live.test_live_page import locust
from tests.live.test_web_ui import Web, start, stop
from tests.processes import PATIENCE_SECONDS

pytestmark = [pytest.mark.browser, pytest.mark.server, pytest.mark.long]
WIDTHS = (380, 768, 1600)


def pictures(web: Web, page: Page, name: str) -> None:
    """A picture of the whole page at each width."""
    for width in WIDTHS:
        page.set_viewport_size({"width": width, "height": 900})
        page.screenshot(path=web.screenshots / f"{name}-{width}.png", full_page=True)


def limits(live: Page) -> set[int]:
    """The limits of connections that the live page's first chart has drawn."""
    return {limit for limit in live.evaluate("charts[0].plot.data[4]") if limit is not None}


def test_two_pools_one_after_the_other(tmp_path: Path, server: Any, browser: Browser) -> None:
    expect.set_options(timeout=PATIENCE_SECONDS * 1000)
    with locust(tmp_path, server.url) as web:
        page = browser.new_page(viewport={"width": 1600, "height": 900})
        page.set_default_timeout(PATIENCE_SECONDS * 1000)
        page.goto(web.address)
        start(page, pool_size="1", max_overflow="0", pool_name="small")
        first = web.next_run(set())
        page.get_by_role("tab", name="Connection pool").click()
        expect(page.get_by_role("row", name="Pool small measuring")).to_be_visible()
        pictures(web, page, "story-1-tab")
        page.set_viewport_size({"width": 1600, "height": 900})

        links = page.get_by_role("navigation", name="Connection pool")
        with page.expect_popup() as opened:
            links.get_by_role("link", name="Live page with charts").click()
        live = opened.value
        live.set_default_timeout(PATIENCE_SECONDS * 1000)
        expect(live.get_by_role("status")).to_have_text("Run 1: measuring, 4 users")
        newest = live.get_by_role("img", name=re.compile("^Throughput, newest second"))
        before = str(newest.get_attribute("aria-label"))
        expect(newest).not_to_have_attribute("aria-label", before)
        stop(page)
        expect(live.get_by_role("status")).to_have_text("Run 1: stopped")

        start(page, pool_size="4", max_overflow="0", pool_name="larger")
        second = web.next_run({first}, seconds=4)
        expect(live.get_by_role("heading", level=1)).to_have_text("larger")
        pictures(web, live, "story-2-live")
        stop(page)
        expect(live.get_by_role("status")).to_have_text("Run 2: stopped")
        assert limits(live) == {1, 4}

        live.get_by_role("link", name="report of run 2, larger").click()
        expect(live.locator("table.pools thead")).to_contain_text("larger")
        expect(live.get_by_role("row", name="pool_size 4")).to_be_visible()
        pictures(web, live, "story-3-report")
        small, larger = web.finished(first), web.finished(second)
        page.close()
    assert (small.pool_name, larger.pool_name) == ("small", "larger")
    assert total(small.intervals).gauges["open"].max == 1
    assert 1 < total(larger.intervals).gauges["open"].max <= 4
