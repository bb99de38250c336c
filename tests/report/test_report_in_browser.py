"""The report as a person sees it."""

from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page

from loadtest.report.render import render
from tests.accessibility import barriers, faint
from tests.pictures import keep_picture
from tests.report.troubled import troubled

PHONE = 380
PAPER = 718  # CSS pixels: A4 without its margins


@pytest.fixture(scope="module", params=["sound", "troubled"])
def report(request: Any, tmp_path_factory: pytest.TempPathFactory, experiment_report: Path) -> str:
    folder = experiment_report
    if request.param == "troubled":
        folder = tmp_path_factory.mktemp("troubled")
        troubled(folder)
        render([folder], folder)
    return (folder / "report.html").as_uri()


def opened(browser: Browser, report: str, **how: Any) -> Page:
    """The report with all its numbers shown."""
    page = browser.new_page(**how)
    page.goto(report)
    page.locator("details").evaluate_all("all => all.forEach(one => { one.open = true; })")
    return page


def artefact(report: str) -> str:
    """The name under which pictures of a report are kept."""
    return "report-troubled" if "troubled" in report else "report-sound"


@pytest.mark.browser
@pytest.mark.parametrize(("width", "scheme"), [(PHONE, "dark"), (768, "light"), (1600, "light")])
def test_it_fits_asks_for_nothing_and_complains_of_nothing(
    browser: Browser, report: str, width: int, scheme: str
) -> None:
    page = browser.new_page(viewport={"width": width, "height": 900}, color_scheme=scheme)  # type: ignore[arg-type]
    requests, complaints = [], []
    page.on("request", lambda request: requests.append(request.url))
    page.on("console", lambda message: complaints.append(message.text))
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.goto(report)
    page.get_by_role("button", name="ok/s").click()
    sound = page.locator(".headline").inner_text().startswith("Set pool_size=20, max_overflow=0:")
    assert sound == ("sound" in report)
    assert page.get_by_role("alert").count() == (not sound)
    assert requests == [report]
    assert complaints == []
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    for table in page.locator("main > section > .scroll").all() if width > PHONE else ():
        assert table.evaluate("box => box.scrollWidth <= box.clientWidth")
    if width == PHONE:
        more = page.get_by_role("region", name="The pools, a row each")
        assert more.evaluate("box => box.scrollWidth > box.clientWidth")
        shadow = "box => getComputedStyle(box).backgroundAttachment"
        assert more.evaluate(shadow) == "local, scroll, scroll"
    page.get_by_text("Single runs, with Locust").click()
    commands = page.get_by_role("region", name="A command for each run")
    assert commands.evaluate("box => [getComputedStyle(box).overflowX, box.tabIndex]") == [
        "auto",
        0,
    ]
    for figure in page.locator("figure svg:visible").all():
        box = figure.bounding_box()
        assert box is not None
        assert box["width"] > 280
        assert 80 < box["height"] < 1200
    keep_picture(page, artefact(report))
    page.close()


@pytest.mark.browser
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_it_has_no_barriers_and_texts_stand_out_from_their_ground(
    browser: Browser, report: str, scheme: str
) -> None:
    page = opened(browser, report, color_scheme=scheme)
    assert faint(page) == []
    assert barriers(page) == []
    page.close()


@pytest.mark.browser
def test_on_paper_it_is_black_on_white_and_nothing_is_cut_off_or_torn(
    browser: Browser, report: str
) -> None:
    page = browser.new_page(color_scheme="dark", viewport={"width": PAPER, "height": 1016})
    page.goto(report)
    page.emulate_media(media="print")
    colours = page.evaluate(
        """() => { const style = getComputedStyle(document.documentElement);
        return [style.backgroundColor, style.color, style.colorScheme]; }"""
    )
    assert colours == ["rgb(255, 255, 255)", "rgb(29, 34, 38)", "light"]
    assert page.evaluate("document.documentElement.scrollWidth") <= PAPER
    for table in page.locator(".scroll:visible").all():
        assert table.evaluate("box => box.scrollWidth <= box.clientWidth")
        assert table.evaluate("box => getComputedStyle(box).overflowX") == "visible"
    for figure in page.locator("figure").all():
        assert figure.evaluate("figure => getComputedStyle(figure).breakInside") == "avoid"
        box = figure.bounding_box()
        assert box is not None
        assert box["height"] < 1016
    page.close()


@pytest.mark.browser
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_no_barrier(browser: Browser, report: str, scheme: str) -> None:
    page = opened(browser, report, color_scheme=scheme)
    assert barriers(page, every=True) == []
    page.close()


@pytest.mark.browser
def test_whatever_a_page_holds_its_own_script_alone_runs_and_asks_nobody(
    browser: Browser, report: str, tmp_path: Path
) -> None:
    text = Path(report.removeprefix("file://")).read_text()
    evil = "<script>document.title = 'ran'</script><img src='http://127.0.0.1:9/x'>"
    (tmp_path / "evil.html").write_text(text.replace("</main>", f"{evil}</main>"))
    page = browser.new_page()
    complaints: list[str] = []
    page.on("console", lambda message: complaints.append(message.text))
    page.goto((tmp_path / "evil.html").as_uri())
    assert page.title() != "ran"
    assert page.get_by_role("button", name="ok/s").count() == 1
    assert len([said for said in complaints if "Content Security Policy" in said]) == 2
    page.close()
