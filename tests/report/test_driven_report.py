"""The report of runs that drove an application: what happened inside of it."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from playwright.sync_api import Browser

from loadtest.analysis.summarize import summarize
from loadtest.model.interval import SECOND
from loadtest.model.pool import PoolSettings
from loadtest.model.task_use import TaskUse
from loadtest.report.driven.application_rows import absent_server
from loadtest.report.render import read_measurements, render
from loadtest.runfile.merged_recording import RECORDINGS, merge
from tests.accessibility import barriers, faint
from tests.analysis.builders import run
from tests.analysis.driven_pools import load, web
from tests.analysis.recorded_shop import CALL, LIST, PAY, place, quick, shortage
from tests.pictures import VIEWS, Scheme, keep_picture
from tests.report.pages import figureless
from tests.report.test_text_sizes import PAPER, odd
from tests.runfile.driven_runs import part

SIZES = (2, 5)
ROUNDS = 3


def drive(folder: Path, size: int, round_: int) -> None:
    """A round of a pool: two processes, a place that holds, and the log of the application."""
    seconds = range(100 * round_ + 20 * size, 100 * round_ + 20 * size + 10)
    path = run(folder, load(seconds), f"{size}+0", round_).path
    recordings = path.with_suffix(RECORDINGS)
    settings = PoolSettings(name="shop", pool_size=size, max_overflow=0)
    for number in range(2):
        rows = web(
            10 * round_ + number,
            seconds,
            gauges={"in_use": 2, "open": size, "waiting": 3},
            places={PAY: place(210, 8, 12), LIST: quick()},
            loop_lag=[3] * 9,
        )
        for one in rows:
            one.places[PAY].idle_at[CALL] = 2
            one.tasks = {"GET /orders/{id}": TaskUse(10, SECOND // 10, 20, SECOND // 20)}
        rows[3].shortages = [shortage(seconds[3], 40 + number)]
        part(recordings, rows, process=rows[0].process, pool=settings)
    merge(path, recordings, {"command": "gunicorn --threads 4 shop:app", "place": "shop/db.py:9"})
    path.with_suffix(".app.log").write_text("listening\n")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The report of two pools of an application."""
    found = tmp_path_factory.mktemp("driven")
    for round_ in range(1, ROUNDS + 1):
        for size in SIZES:
            drive(found, size, round_)
    render([found], found)
    return found


@pytest.fixture(scope="module")
def page(folder: Path) -> str:
    text = (folder / "report.html").read_text()
    # Long names may break in some places, numbers and their units may not.
    return text.replace("<wbr>", "").replace("\N{NO-BREAK SPACE}", " ")


def test_the_page_shows_the_application(page: str) -> None:
    assert ">Inside the application</h2>" in page
    for size in SIZES:
        assert f">The application with {size}+0</h2>" in page
    assert "shop (shop/db.py:9)" in page
    assert "gunicorn --threads" in page
    assert page.count("GET /orders/{id}") >= len(SIZES)
    assert f"without a query at {CALL} (100 %)" in page
    assert f"{PAY} × 2 (oldest 800 ms)" in page
    assert page.count(">web-10<") == len(SIZES)


def test_all_processes_together_have_a_row(page: str) -> None:
    table = page.partition('aria-label="The application&#39;s processes')[2].partition("</table>")[
        0
    ]
    rows = [re.findall(r"<t[hd][^>]*>([^<]*)", row) for row in table.split("<tr>")[2:]]
    known = ["1.00 ms", "4"]
    assert rows == [
        ["2+0", "2", "4", "600", "0", *known, "4", "4", "30 %", "3.00 ms"],
        ["5+0", "2", "4", "600", "0", *known, "10", "10", "30 %", "3.00 ms"],
    ]


def test_requests_and_connections_have_one_time_axis(page: str, folder: Path) -> None:
    assert '<figure id="requests">' in page
    assert "Requests per second: 10.0 with both pools" in page
    headings = re.search(r'<figure id="requests">.*?<thead>(.*?)</thead>', page, re.DOTALL)
    assert headings
    for name in ("requests/s", "in use", "waiting"):
        assert f">{name}<" in headings[1]
    assert (folder / "figures" / "requests.svg").exists()


def test_the_log_of_each_run_is_linked(page: str, folder: Path) -> None:
    links = re.findall(r'<a href="(.*?\.app\.log)">(.*?)</a>', page)
    assert [name for _, name in links] == [f"{s}+0-{r}.app.log" for s in SIZES for r in (1, 2, 3)]
    assert links[0][0] == "runs/2%2B0-1.app.log"
    elsewhere = folder / "elsewhere"
    figureless(folder, out=elsewhere)
    assert 'href="../runs/2%2B0-1.app.log"' in (elsewhere / "report.html").read_text()


def test_a_finding_has_its_place_as_code(page: str) -> None:
    assert f'<code class="name">{PAY}</code>' in page
    assert "<code>held_without_query</code>" in page


def test_the_summary_has_processes_places_and_routes(folder: Path) -> None:
    pools = json.loads((folder / "summary.json").read_text())["pools"]
    for pool in pools:
        application = pool["application"]
        assert len(application["processes"]) == 2 * ROUNDS
        assert [one["place"] for one in application["places"]] == [PAY, LIST]
        assert application["concurrency"] == {"requests": 4, "source": "gunicorn --threads"}


def test_a_server_without_figures_is_told(page: str, folder: Path) -> None:
    assert "SQLite has no server, so there are no figures of one." in page
    assert "queries running" not in page
    (pool, _) = summarize(read_measurements([folder])).pools
    assert pool.application
    assert set(pool.server.model_dump().values()) == {None}

    def told(database: str) -> str:
        assert pool.application
        own = pool.application.model_copy(update={"database": database})
        return absent_server(pool.model_copy(update={"application": own}))

    assert told("postgresql+asyncpg").endswith("the status of MariaDB and MySQL only.")
    assert told("mysql+aiomysql").endswith("loadtest did not read its status.")
    known = pool.server.model_copy(update={"running": 1.0})
    assert absent_server(pool.model_copy(update={"server": known})) == ""


def test_a_scenario_has_no_application(tmp_path: Path) -> None:
    run(tmp_path, load())
    render([tmp_path], tmp_path)
    assert "Inside the application" not in (tmp_path / "report.html").read_text()
    assert not (tmp_path / "figures" / "requests.svg").exists()


@pytest.mark.browser
@pytest.mark.parametrize(("width", "scheme"), VIEWS)
def test_it_fits_the_screen(browser: Browser, folder: Path, width: int, scheme: Scheme) -> None:
    shown = browser.new_page(viewport={"width": width, "height": 900}, color_scheme=scheme)
    shown.goto((folder / "report.html").as_uri())
    shown.locator("details").evaluate_all("all => all.forEach(one => { one.open = true; })")
    assert shown.evaluate("document.documentElement.scrollWidth") <= width
    assert barriers(shown, every=True) == []
    assert faint(shown) == []
    keep_picture(shown, "driven")
    shown.close()


@pytest.mark.browser
def test_it_prints_on_few_pages_without_the_same_levels_twice(
    browser: Browser, folder: Path
) -> None:
    page = browser.new_page(viewport={"width": PAPER, "height": 1016})
    page.goto((folder / "report.html").as_uri())
    assert page.locator("#connections").is_visible()
    page.emulate_media(media="print")
    assert page.locator("#requests svg").is_visible()
    assert not page.locator("#connections").is_visible()
    assert page.get_by_text("Small numbers are").locator("visible=true").count() == 1
    assert odd(page, "body *", 8 * 96 / 72 - 0.01, 40) == []
    data = page.pdf(format="A4", prefer_css_page_size=True)
    assert 2 <= len(re.findall(rb"/Type\s*/Page\b(?!s)", data)) <= 5
    page.close()
