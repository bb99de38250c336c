"""The size of text in figures on screens, and of everything on paper."""

import re

import pytest
from playwright.sync_api import Browser, Page

from loadtest.report.render import render
from tests.conftest import ROOT

pytestmark = pytest.mark.browser

# CSS pixels: A4 without its margins.
PAPER = 688
SIZES = """within => [...document.querySelectorAll(within)].filter(one => one.checkVisibility() &&
    [...one.childNodes].some(node => node.nodeType === Node.TEXT_NODE && node.data.trim())
).map(one => {
    const svg = one.closest('svg');
    const scale = svg ? svg.getBoundingClientRect().width / svg.viewBox.baseVal.width : 1;
    return [one.textContent.trim(), scale * parseFloat(getComputedStyle(one).fontSize)];
})"""


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The address of the report of a real run of the demo, rendered again."""
    folder = tmp_path_factory.mktemp("demo")
    render([ROOT / "reports" / "example"], folder)
    return (folder / "report.html").as_uri()


def odd(page: Page, within: str, least: float, most: float) -> list[object]:
    """The visible texts that are smaller or larger; fails if there is no text at all."""
    found = page.evaluate(SIZES, within)
    assert len(found) > 20
    return [text for text in found if not least <= text[1] <= most]


def test_text_in_figures_measures_11_to_14_pixels(browser: Browser, demo: str) -> None:
    context = browser.new_context(java_script_enabled=False)
    context.set_default_timeout(60_000)
    page = context.new_page()
    page.goto(demo)
    for width in (390, 600, 820, 832, 991, 992, 1200, 1440):
        page.set_viewport_size({"width": width, "height": 900})
        assert (width, odd(page, "figure svg text", 10.99, 14.01)) == (width, [])
    context.close()


def test_the_demo_prints_on_five_pages_with_text_of_8_points(browser: Browser, demo: str) -> None:
    page = browser.new_page(viewport={"width": PAPER, "height": 1016})
    page.goto(demo)
    page.emulate_media(media="print")
    points = 96 / 72
    assert odd(page, "body *", 8 * points - 0.01, 40) == []
    assert page.evaluate("document.documentElement.scrollWidth") <= PAPER
    data = page.pdf(format="A4", prefer_css_page_size=True)
    assert 2 <= len(re.findall(rb"/Type\s*/Page\b(?!s)", data)) <= 5
    page.close()
