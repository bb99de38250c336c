"""The charts of a report, explored with a pointer, a finger and keys in a real browser."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Locator, Page, expect

from loadtest.experiment.conduct import add_to_plan
from loadtest.report.render import render
from tests.accessibility import barriers, faint
from tests.analysis.builders import experiment
from tests.pictures import NOTE_WHAT_IS_WRITTEN, VIEWS, Scheme, keep_picture
from tests.report.pages import figureless
from tests.report.test_figures import eventful

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The address of the report of two pools."""
    folder = tmp_path_factory.mktemp("results")
    for number, pool in enumerate(("5+10", "20+0"), start=1):
        for round_ in (1, 2, 3):
            eventful(folder, pool, round_, started=number, seconds=20)
    render([folder], folder)
    return (folder / "report.html").as_uri()


@pytest.fixture
def page(browser: Browser, report: str) -> Iterator[Page]:
    opened = browser.new_page(viewport={"width": 1440, "height": 900})
    complaints: list[str] = []
    opened.on("console", lambda message: complaints.append(message.text))
    opened.on("pageerror", lambda error: complaints.append(str(error)))
    opened.goto(report)
    yield opened
    assert complaints == []
    opened.close()


def values(page: Page, figure: str) -> dict[str, dict[str, str]]:
    """The table below a chart: the cells of each row by the names of their columns."""
    rows = page.locator(f"#{figure} .values tr").evaluate_all(
        "rows => rows.map(row => [...row.cells].map(cell => cell.innerText.trim()))"
    )
    return {row[0]: dict(zip(rows[0][1:], row[1:], strict=True)) for row in rows[1:]}


def when(page: Page, figure: str) -> str:
    """What moment the table below a chart is about."""
    return page.locator(f"#{figure} .values td").first.inner_text()


def plot(page: Page, figure: str) -> Locator:
    return page.locator(f"#{figure} .u-over").first


def hover(page: Page, figure: str, share: float) -> None:
    """Put the pointer on a share of the width of a chart's first panel."""
    over = plot(page, figure)
    over.scroll_into_view_if_needed()
    box = over.bounding_box()
    assert box
    over.hover(position={"x": share * box["width"], "y": box["height"] / 2})


def seconds(page: Page, figure: str) -> list[str]:
    """The seconds that the cursor finds at both ends of a chart."""
    ends = []
    for share in (0.002, 0.998):
        hover(page, figure, share)
        ends.append(when(page, figure))
    page.mouse.move(0, 0)
    return ends


def test_the_values_under_the_pointer_are_told_for_all_charts_over_time(page: Page) -> None:
    assert when(page, "connections") == "mean"
    assert values(page, "connections")["5+10"]["users waiting"] == "40"
    hover(page, "connections", 0.5)
    told = when(page, "connections")
    assert told in ("9 s", "10 s")
    assert (when(page, "server"), when(page, "generator")) == (told, told)
    assert when(page, "waits") == "p95"  # percentiles are no time
    assert values(page, "connections") == {
        "5+10": {"users waiting": "40", "in use": "14", "idle": "1", "overflow": "9"},
        "20+0": {"users waiting": "40", "in use": "14", "idle": "1", "overflow": "9"},
    }
    assert values(page, "generator")["CPU, share of a core"] == {"5+10": "50 %", "20+0": "50 %"}
    cursors = page.locator("#server .u-cursor-x").evaluate_all(
        "all => all.map(one => one.getBoundingClientRect().left)"
    )
    assert len(set(cursors)) == 1
    page.mouse.move(0, 0)
    assert when(page, "connections") == "mean"


def test_a_percentile_curve_tells_any_percentile(page: Page) -> None:
    for share, percentile in ((0.16, "p5"), (0.5, "p"), (0.99, "p98.")):
        hover(page, "waits", share)
        assert when(page, "waits").startswith(percentile)
        assert values(page, "waits")["wait"] == {"5+10": "100 ms", "20+0": "100 ms"}


def test_dragging_enlarges_a_time_in_all_charts_and_a_double_click_shows_all(page: Page) -> None:
    whole = seconds(page, "server")
    everything = page.locator("#connections").get_by_role("button", name="Show all")
    expect(everything).to_be_disabled()
    hover(page, "connections", 0.25)
    page.mouse.down()
    hover(page, "connections", 0.5)
    page.mouse.up()
    expect(everything).to_be_enabled()
    low, high = (int(end.removesuffix(" s")) for end in seconds(page, "server"))
    assert 3 <= low < high <= 11
    assert page.locator("#server canvas").first.is_visible()
    keep_picture(page, "report-zoomed")
    plot(page, "server").dblclick()
    page.mouse.move(0, 0)
    expect(everything).to_be_disabled()
    assert seconds(page, "server") == whole


def test_keys_move_the_cursor_zoom_and_tell_the_values(page: Page) -> None:
    chart = page.get_by_role("group", name="Chart: What happens over time?")
    chart.focus()
    page.keyboard.press("ArrowRight")
    first = when(page, "connections")
    page.keyboard.press("ArrowRight")
    page.keyboard.press("Shift+ArrowRight")
    assert (first, when(page, "server")) == ("0 s", "11 s")
    said = page.locator("#connections").get_by_role("status")
    assert said.inner_text() == (
        "11 s. 5+10: users waiting 40, in use 14, idle 1, overflow 9; "
        "20+0: users waiting 40, in use 14, idle 1, overflow 9"
    )
    page.keyboard.press("+")
    page.keyboard.press("+")
    page.keyboard.press("Home")
    assert int(when(page, "connections").removesuffix(" s")) >= 8
    page.keyboard.press("-")
    page.keyboard.press("Escape")
    assert when(page, "connections") == "mean"
    page.keyboard.press("End")
    assert when(page, "connections") == "19 s"


def test_the_headings_of_the_table_switch_lines(page: Page) -> None:
    button = page.locator("#connections").get_by_role("button", name="in use")
    pixels = "canvas => canvas.toDataURL()"
    canvas = page.locator("#connections canvas").first
    before = canvas.evaluate(pixels)
    button.focus()
    page.keyboard.press("Enter")
    expect(button).to_have_attribute("aria-pressed", "false")
    page.wait_for_function(
        "args => document.querySelector('#connections canvas').toDataURL() !== args", arg=before
    )
    button.click()
    expect(button).to_have_attribute("aria-pressed", "true")
    page.wait_for_function(
        "args => document.querySelector('#connections canvas').toDataURL() === args", arg=before
    )


def test_a_finger_moves_the_cursor(browser: Browser, report: str) -> None:
    page = browser.new_page(viewport={"width": 390, "height": 800}, has_touch=True)
    page.goto(report)
    over = plot(page, "connections")
    over.scroll_into_view_if_needed()
    box = over.bounding_box()
    assert box
    slide = """(over, x) => over.dispatchEvent(new PointerEvent('pointermove',
        {pointerType: 'touch', clientX: x, clientY: over.getBoundingClientRect().top + 9}))"""
    over.evaluate(slide, box["x"] + 0.75 * box["width"])
    assert when(page, "connections") in ("14 s", "15 s")
    assert when(page, "server") == when(page, "connections")
    sizes = page.locator(".tools button:visible").evaluate_all(
        "all => all.map(one => Math.min(one.offsetWidth, one.offsetHeight))"
    )
    assert sizes
    assert min(sizes) >= 44
    page.close()


@pytest.mark.parametrize(("width", "scheme"), VIEWS)
def test_it_fits_and_has_no_barriers(
    browser: Browser, report: str, width: int, scheme: Scheme
) -> None:
    page = browser.new_page(viewport={"width": width, "height": 900}, color_scheme=scheme)
    page.add_init_script(NOTE_WHAT_IS_WRITTEN)
    page.goto(report)
    hover(page, "connections", 0.5)
    ends = dict(page.evaluate("written"))
    assert "p99" in ends
    assert max(ends.values()) <= 1
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    for canvas in page.locator("figure canvas").all():
        inside, around = (
            canvas.bounding_box(),
            canvas.locator("xpath=ancestor::figure").bounding_box(),
        )
        assert inside
        assert around
        assert inside["x"] + inside["width"] <= around["x"] + around["width"]
    assert barriers(page, every=True) == []
    assert faint(page) == []
    keep_picture(page, "report")
    page.close()


def test_without_scripts_and_on_paper_the_figures_remain(browser: Browser, report: str) -> None:
    page = browser.new_page()
    page.goto(report)
    assert not page.locator("#connections svg").is_visible()
    page.emulate_media(media="print")
    assert page.locator("#connections svg").is_visible()
    assert not page.locator("#connections canvas").first.is_visible()
    page.close()
    context = browser.new_context(java_script_enabled=False)
    plain = context.new_page()
    plain.goto(report)
    assert plain.locator("#connections svg").is_visible()
    assert plain.locator("#connections .chart").is_hidden()
    context.close()


def test_the_figures_are_files(report: str) -> None:
    folder = Path(report.removeprefix("file://")).parent / "figures"
    assert {"connections.svg", "waits.svg", "generator.svg"} <= {
        one.name for one in folder.iterdir()
    }


def test_what_repeats_the_whole_is_copied(browser: Browser, tmp_path: Path) -> None:
    folder = experiment(tmp_path, rounds=5)
    add_to_plan(folder, command="loadtest compare scenarios/hot_row.toml")
    figureless(folder, out=folder)
    page = browser.new_page()
    page.goto((folder / "report.html").as_uri())
    line, command = page.locator("pre.copied").all_inner_texts()
    assert line == "engine = create_engine(url, pool_size=20, max_overflow=0)"
    assert command == "loadtest compare scenarios/hot_row.toml"
    page.get_by_role("button", name="Copy").last.click()
    expect(page.get_by_role("button", name="Copied")).to_be_visible()
    assert page.evaluate("getSelection().toString()").strip() == command
    page.close()
