"""The report as a person sees it."""

from pathlib import Path

import pytest
from playwright.sync_api import Browser

from loadtest.report.render import render
from tests.accessibility import barriers
from tests.analysis.builders import experiment

PAPER = 718  # CSS pixels: A4 without its margins


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> str:
    folder = experiment(tmp_path_factory.mktemp("results"), rounds=5)
    render([folder], folder)
    return (folder / "report.html").as_uri()


@pytest.mark.browser
@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [380, 768, 1600])
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
    assert page.locator(".headline").inner_text().startswith("Set pool_size=20, max_overflow=0:")
    assert requests == [report]
    assert complaints == []
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    for command in page.locator(".small pre").all():
        assert command.evaluate("box => box.scrollWidth <= box.clientWidth")
    for figure in page.locator("figure svg").all():
        box = figure.bounding_box()
        assert box is not None
        assert box["width"] > 280
        assert 80 < box["height"] < 1200
    page.close()


@pytest.mark.browser
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_texts_stand_out_from_their_ground(browser: Browser, report: str, scheme: str) -> None:
    """Contrast of at least 4.5 (WCAG 2.2, 1.4.3) for every text, in figures too."""
    page = browser.new_page(color_scheme=scheme)  # type: ignore[arg-type]
    page.goto(report)
    faint = page.evaluate(
        """() => {
        const part = v => (v /= 255) <= .04045 ? v / 12.92 : ((v + .055) / 1.055) ** 2.4;
        const light = c => .2126 * part(c[0]) + .7152 * part(c[1]) + .0722 * part(c[2]);
        const rgb = text => text.match(/[\\d.]+/g).map(Number);
        const ground = e => { for (; e; e = e.parentElement) {
            const c = rgb(getComputedStyle(e).backgroundColor);
            if (c.length < 4 || c[3] > 0) return c; } };
        const faint = [];
        for (const e of document.querySelectorAll('body *')) {
            if (![...e.childNodes].some(n => n.nodeType === 3 && n.data.trim())) continue;
            const style = getComputedStyle(e);
            const ink = rgb(e.namespaceURI.endsWith('svg') ? style.fill : style.color);
            const pair = [light(ink), light(ground(e))].sort((a, b) => b - a);
            const contrast = (pair[0] + .05) / (pair[1] + .05);
            if (contrast < 4.5) faint.push([e.textContent.trim(), contrast]);
        }
        return faint; }"""
    )
    assert faint == []
    page.close()


@pytest.mark.browser
def test_on_paper_it_is_black_on_white_whatever_the_screen(browser: Browser, report: str) -> None:
    page = browser.new_page(color_scheme="dark")
    page.goto(report)
    page.emulate_media(media="print")
    colours = page.evaluate(
        """() => { const style = getComputedStyle(document.documentElement);
        return [style.backgroundColor, style.color, style.colorScheme]; }"""
    )
    assert colours == ["rgb(255, 255, 255)", "rgb(29, 34, 38)", "light"]
    page.close()


@pytest.mark.browser
def test_on_paper_nothing_is_cut_off_or_torn(browser: Browser, report: str) -> None:
    page = browser.new_page(viewport={"width": PAPER, "height": 1016})
    page.goto(report)
    page.emulate_media(media="print")
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
    page = browser.new_page(color_scheme=scheme)  # type: ignore[arg-type]
    page.goto(report)
    assert barriers(page) == []
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
