"""The report of a recording: page, figures, terminal, Markdown and summary.json."""

from __future__ import annotations

import io
import json
import re
from pathlib import Path

import pytest
from rich.console import Console
from rich.text import Text

from loadtest.analysis.recordings.clock_time import clock_time
from loadtest.analysis.recordings.part_of_recording import ReportedTime, read_reported_time
from loadtest.analysis.recordings.read_recording import read_recording
from loadtest.analysis.recordings.summarize_recording import summarize_recording
from loadtest.model.errors import UsageError
from loadtest.model.recording_summary import RecordingSummary
from loadtest.report.recorded.recording_markdown import recording_markdown
from loadtest.report.recorded.recording_origin import recording_origin
from loadtest.report.recorded.recording_rows import PLACE_COLUMNS, RECORDED_COLUMNS
from loadtest.report.recorded.recording_terminal import print_recording
from loadtest.report.recorded.render_recording import render_recording
from loadtest.report.recorded.time_axis import MOST_TICKS, tick_seconds
from tests.analysis.builders import START
from tests.analysis.recorded_pools import write_recording
from tests.analysis.recorded_shop import CALL, LIST, PAY, clean_shop, paying_shop, quick, second

ALL = ReportedTime()


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The recording of a shop that holds connections during a call, with its report."""
    found = paying_shop(tmp_path_factory.mktemp("recording"))
    render_recording([found], found, ALL)
    return found


@pytest.fixture(scope="module")
def summarized(folder: Path) -> RecordingSummary:
    return summarize_recording(read_recording([folder]))


@pytest.fixture(scope="module")
def page(folder: Path) -> str:
    return (folder / "report.html").read_text()


def printed(found: RecordingSummary) -> str:
    file = io.StringIO()
    print_recording(found, Console(file=file, width=300))
    return file.getvalue()


def test_the_page_has_verdict_figures_places_waits_and_findings(page: str) -> None:
    assert "held a connection" in page
    assert f'<code class="name">{PAY}</code>' in page
    assert re.findall(r'<figure id="(.*?)">', page) == ["connections", "waits"]
    for heading in ("Verdict", "Places that took connections", "The longest waits", "Findings"):
        assert f">{heading}" in page
    assert "held_without_query" in page
    text = page.replace("<wbr>", "").replace("\N{NO-BREAK SPACE}", " ")
    assert f"without a query at {CALL} (67 %)" in text
    assert f"{PAY} × 2 (oldest 800 ms)" in text
    assert "GET /orders" in page
    assert "shop/<wbr>checkout.py:88 pay" in page


def test_the_page_fetches_nothing_and_runs_nothing(page: str) -> None:
    assert "default-src &#39;none&#39;" in page
    assert page.count("<script") == 1  # the page's own
    assert set(re.findall(r'(?:src|href)="(?!data:|#)(.*?)"', page)) == {"summary.json", "."}


def test_the_order_is_that_of_other_reports_and_it_ends_with_files_and_commands(
    folder: Path, page: str
) -> None:
    headings = ("Verdict", "Findings", "The pool", "What happened", "In detail", "Files")
    places = [page.index(f">{heading}</h2>") for heading in (*headings, "How to repeat it")]
    assert places == sorted(places)
    commands = re.findall(r'<pre class="copied"><code>(.*?)</code>', page)
    assert commands == [f"loadtest report {folder}", f"loadtest whatif {folder}"]


def test_the_commands_read_the_same_part_of_the_recording() -> None:
    time = ReportedTime(since="10s", busiest=60.0)
    origin = recording_origin([Path("reports/shop")], Path("out"), time, "shop")
    part = "--since 10s --busiest 60s --application shop"
    assert [command for _, command in origin.commands] == [
        f"loadtest report reports/shop {part} -o out",
        f"loadtest whatif reports/shop {part}",
    ]


def test_the_figures_are_files_too_and_have_numbers(folder: Path, page: str) -> None:
    names = sorted(path.name for path in (folder / "figures").iterdir())
    assert names == ["connections.svg", "waits.svg"]
    assert "At most 3 of 3 connections were in use" in page
    assert "and 30 checkouts timed out" in page
    assert "3 allowed" in page


def test_names_from_the_recording_are_escaped(tmp_path: Path) -> None:
    place = "<b>shop.py:1 $x^2$ `pay`"
    write_recording(tmp_path, [second(0, {place: quick()})], name="<i>shop")
    render_recording([tmp_path], tmp_path, ALL)
    page = (tmp_path / "report.html").read_text()
    assert "<b>" not in page
    assert "<i>shop" not in page
    assert "&lt;b&gt;shop.py:1 $x^2$ `pay`" in page


def test_the_summary_is_written_as_documented(folder: Path, summarized: RecordingSummary) -> None:
    data = json.loads((folder / "summary.json").read_text())
    assert (data["schema"], data["kind"], data["application"]) == (1, "recording", "shop.web")
    (pool,) = data["pools"]
    assert pool["name"] == "shop"
    assert pool["checkout"]["timeouts"] == pool["full_seconds"] == 30
    assert pool["places"][0]["place"] == PAY
    assert pool["fix"]["after"] == 1
    assert [finding["code"] for finding in pool["findings"]] == ["held_without_query", "pool_full"]
    assert data == summarized.to_json()


def test_every_key_of_the_summary_is_documented(folder: Path) -> None:
    text = (Path(__file__).parents[2] / "docs" / "reference" / "results.md").read_text()
    data = json.loads((folder / "summary.json").read_text())
    keys = {*data, *data["pools"][0], *data["pools"][0]["places"][0]}
    assert {key for key in keys if not re.search(rf"`{key}(\[\])?`", text)} == set()


def test_the_terminal_has_places_waits_findings_and_verdict(summarized: RecordingSummary) -> None:
    text = printed(summarized)
    assert "shop.web: 15 June 2025, 15:06:40 to 15:07:40 UTC (60.0 s) · 1 process at once" in text
    assert re.search(rf"{re.escape(PAY)} +600 +0 ", text)
    assert f"{LIST}" in text
    assert "The longest waits of shop" in text
    assert "[held_without_query]" in text
    assert text.splitlines()[-4].startswith("The pool of `shop` was full for 30.0 s")


@pytest.mark.parametrize("width", [80, 100, 120])
def test_a_narrow_terminal_has_fewer_columns_and_cuts_no_word(
    summarized: RecordingSummary, width: int
) -> None:
    file = io.StringIO()
    print_recording(summarized, Console(file=file, width=width, force_terminal=True))
    lines = Text.from_ansi(file.getvalue()).plain.splitlines()
    assert max(map(len, lines)) <= width
    for first, columns in (("pool", RECORDED_COLUMNS), ("place", PLACE_COLUMNS)):
        (headings,) = [line for line in lines if re.match(rf"{first} {{2,}}", line)]
        shown = re.split(" {2,}", headings.strip())
        assert set(shown) <= set(columns)
        assert len(shown) >= 6
    assert PAY in "\n".join(lines)


def test_a_clean_recording_has_no_findings_in_any_form(tmp_path: Path) -> None:
    found = render_recording([clean_shop(tmp_path)], tmp_path, ALL)
    page = (tmp_path / "report.html").read_text()
    assert "Nothing was wrong with the pool of" in page
    for text in (page, printed(found), recording_markdown(found)):
        assert "Findings" not in text
        assert "pool_full" not in text


def test_the_markdown_has_verdict_tables_and_findings(summarized: RecordingSummary) -> None:
    text = recording_markdown(summarized)
    assert text.startswith("## shop.web\n\n**The pool of 'shop' was full for 30.0 s")
    assert f"| {PAY} | 600 |" in text
    assert "- **error**, shop: " in text


def test_only_a_part_of_the_time_is_reported(folder: Path, tmp_path: Path) -> None:
    since = clock_time(START + 45)
    found = render_recording([folder], tmp_path, ReportedTime(since=since))
    assert (found.begin, found.end) == (START + 45, START + 60)
    assert found.pools[0].checkout.timeouts == 0
    until = ReportedTime(since="40s", until="30s ago")
    assert summarize_recording(read_reported_time([folder], until)).begin == START + 20


def test_only_the_busiest_time_is_reported(folder: Path) -> None:
    found = summarize_recording(read_reported_time([folder], ReportedTime(busiest=20.0)))
    assert (found.begin, found.end) == (START + 10, START + 30)
    assert found.pools[0].full_seconds == 20


def test_times_in_the_wrong_order_are_refused(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="--since 10s is not before --until 20s"):
        render_recording([folder], tmp_path, ReportedTime("10s", "20s"))


def test_several_pools_have_figures_of_their_own(tmp_path: Path) -> None:
    rows = [second(n, {LIST: quick()}) for n in range(3)]
    write_recording(tmp_path, rows)
    other = {"name": "audit", "pool_size": 1, "max_overflow": 0}
    write_recording(tmp_path, rows[:1], pool=other)
    render_recording([tmp_path], tmp_path, ALL)
    page = (tmp_path / "report.html").read_text()
    names = ["connections", "waits", "connections-2", "waits-2"]
    assert re.findall(r'<figure id="(.*?)">', page) == names
    assert "What happened in audit" in page


def test_damage_is_shown(tmp_path: Path) -> None:
    path = write_recording(tmp_path, [second(n, {LIST: quick()}) for n in range(30)])
    path.write_bytes(path.read_bytes()[:-500])
    found = render_recording([tmp_path], tmp_path, ALL)
    assert "Part of this recording is missing" in (tmp_path / "report.html").read_text()
    assert "the compressed file is cut off or damaged" in printed(found)


def test_an_unwritable_folder_is_refused(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(UsageError, match="cannot write the report in"):
        render_recording([folder], tmp_path / "file", ALL)


@pytest.mark.parametrize("seconds", [1, 7, 60, 600, 5000, 86_400, 700_000, 90_000_000])
def test_the_time_axis_has_few_ticks(seconds: int) -> None:
    assert seconds / tick_seconds(seconds) <= MOST_TICKS
    assert seconds / tick_seconds(seconds) > 1 or seconds < 2
