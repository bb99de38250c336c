"""The requests to an application in the report, the terminal, Markdown and the exports."""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Sequence
from pathlib import Path
from xml.etree import ElementTree as XML

import pytest
from playwright.sync_api import Browser
from rich.console import Console

from loadtest.analysis.summarize import summarize_runs
from loadtest.model.summary import Summary
from loadtest.report.comparison_rows import metric_name
from loadtest.report.driven.request_rows import (
    FEW_HEADINGS,
    MOST_IN_TERMINAL,
    MOST_SHOWN,
    REQUEST_HEADINGS,
    explanations,
    not_shown,
    request_rows,
)
from loadtest.report.export import exported
from loadtest.report.markdown import markdown
from loadtest.report.terminal import print_summary
from tests.analysis.builders import steady
from tests.analysis.driven_requests import ORDERS, PAY, driven_run, load_second, requested
from tests.report.pages import figureless

LONG_NAME = "GET /customers/{customer}/orders/{order}/products/{product}/reviews"


def shop(folder: Path, names: Sequence[str] = ()) -> Path:
    """The run of a load of orders that wait, payments that do not tell, and other names."""
    load = [load_second(number) for number in range(5)]
    for second in load:
        requested(second, ORDERS, [240] * 19, failed=[900], waited=[170] * 19)
        requested(second, PAY, [20] * 5)
        for name in names:
            requested(second, name, [20])
    return driven_run(folder, load).path


def summarized(folder: Path, names: Sequence[str] = ()) -> Summary:
    """The summary of such a run."""
    (folder / "one").mkdir()
    return figureless(shop(folder / "one", names), out=folder / "one")


def printed(summary: Summary) -> str:
    """What a command prints at its end."""
    file = io.StringIO()
    print_summary(summary, Console(file=file, width=80))
    return file.getvalue()


def test_a_row_for_each_name(tmp_path: Path) -> None:
    orders, pay = request_rows(summarized(tmp_path))
    assert len(orders) == len(REQUEST_HEADINGS)
    assert orders[:4] == (ORDERS, "as-is", "100", "5.0 %")
    assert orders[5] == "240 ms"
    assert orders[-2:] == ("≥ 170 ms", "200: 95, 500: 5")
    assert (pay[0], pay[3], pay[-2], pay[-1]) == (PAY, "0 %", "–", "200: 25")


def test_a_slow_request_is_explained(tmp_path: Path) -> None:
    assert explanations(summarized(tmp_path)) == [
        "With as-is, the p95 of GET /orders is 240 ms. At least 170 ms of it are waiting for a "
        "connection (mean of 95 requests of about this time)."
    ]


def test_little_waiting_explains_nothing(tmp_path: Path) -> None:
    load = [requested(load_second(n), ORDERS, [240] * 9, waited=[20] * 9) for n in range(5)]
    summary = summarize_runs([driven_run(tmp_path, load)])
    assert explanations(summary) == []
    assert request_rows(summary)[0][-2] == "≥ 20.0 ms"


def test_no_known_wait_is_no_lower_bound(tmp_path: Path) -> None:
    load = [requested(load_second(n), ORDERS, [240] * 9, waited=[0] * 9) for n in range(5)]
    summary = summarize_runs([driven_run(tmp_path, load)])
    assert request_rows(summary)[0][-2] == "–"


def test_the_page_has_them(tmp_path: Path) -> None:
    summarized(tmp_path)
    page = (tmp_path / "one" / "report.html").read_text()
    assert ">Request by request</h2>" in page
    assert '<th scope="row">GET /orders</th><td class="text">as-is</td><td>100</td>' in page
    assert re.search(r"At least 170.ms of it are waiting for a", page)
    assert "less frequent names" not in page


def test_the_terminal_has_them(tmp_path: Path) -> None:
    text = printed(summarized(tmp_path, [LONG_NAME]))
    heading = next(line for line in text.splitlines() if line.startswith("request "))
    assert heading.split() == " ".join(FEW_HEADINGS).split()
    assert re.search(r"^GET /orders +as-is +100 +5\.0 % .*≥ 170 ms$", text, flags=re.MULTILINE)
    assert "the p95 of GET /orders is 240 ms. At least" in text
    assert max(map(len, text.splitlines())) <= 80


def test_only_the_most_frequent_names_are_shown(tmp_path: Path) -> None:
    names = [f"GET /{number}" for number in range(MOST_SHOWN)]
    summary = summarized(tmp_path, names)
    assert len(request_rows(summary)) == MOST_SHOWN
    assert request_rows(summary)[0][0] == ORDERS
    assert not_shown(summary) == 2
    assert "2 less frequent names" in (tmp_path / "one" / "report.html").read_text()
    rows = re.findall(r"^(?:GET|POST) /", printed(summary), flags=re.MULTILINE)
    assert len(rows) == MOST_IN_TERMINAL


def test_markdown_has_them(tmp_path: Path) -> None:
    text = markdown(summarized(tmp_path))
    assert f"| {' | '.join(REQUEST_HEADINGS)} |" in text
    assert "| GET /orders | as-is | 100 | 5.0 % | 240 ms |" in text
    assert "- With as-is, the p95 of GET /orders is 240 ms. At least 170 ms" in text


def test_a_scenario_has_no_such_table(tmp_path: Path) -> None:
    summary = summarize_runs(steady(tmp_path, "20+0", [700]))
    assert request_rows(summary) == explanations(summary) == []
    assert "waiting in p95" not in printed(summary) + markdown(summary)


def test_names_are_no_markup(tmp_path: Path) -> None:
    summarized(tmp_path, ["GET /<b>&amp;"])
    page = (tmp_path / "one" / "report.html").read_text()
    assert "GET /&lt;b&gt;&amp;amp;" in page
    assert "GET /<b>" not in page


def test_csv_has_columns_for_each_name(tmp_path: Path) -> None:
    rows = list(csv.DictReader(exported(shop(tmp_path, ["GET /a,b"]), "csv")))
    (first, *_) = [row for row in rows if row[f"requests@{ORDERS}_count"]]
    assert (first[f"requests@{ORDERS}_count"], first[f"failures@{ORDERS}_count"]) == ("20", "1")
    assert first[f"status_500@{ORDERS}_count"] == "1"
    assert first[f"request@{ORDERS}_max_s"] == "0.240000000"
    assert first["requests@GET /a,b_count"] == "1"


def test_a_tag_of_a_histogram_log_has_no_blank_and_no_comma(tmp_path: Path) -> None:
    lines = list(exported(shop(tmp_path, ["GET /a,b"]), "hlog"))
    tags = {line.split(",")[0] for line in lines if line.startswith("Tag=")}
    assert {"Tag=as-is.request@GET_/a_b", "Tag=as-is.request@GET_/orders"} <= tags
    assert all(len(line.split(",")) == 5 for line in lines if line.startswith("Tag="))
    assert not [tag for tag in tags if " " in tag]


def test_junit_has_a_case_for_an_objective_on_a_name(tmp_path: Path) -> None:
    shop(tmp_path)
    objective = 'request["GET /orders"].p95 <= 200ms'
    (tmp_path / "experiment.json").write_text(json.dumps({"objective": objective}))
    (case,) = XML.fromstring("".join(exported(tmp_path, "junit"))).iter("testcase")
    assert (case.get("classname"), case.get("name")) == ("as-is", objective)
    (failure,) = case.iter("failure")
    assert "240 ms" in str(failure.get("message"))


def test_a_comparison_names_the_request() -> None:
    assert metric_name('request["GET /orders"].p95') == "GET /orders, p95"


@pytest.mark.browser
def test_the_table_stays_within_the_page(browser: Browser, tmp_path: Path) -> None:
    summarized(tmp_path, [LONG_NAME, "GET /" + 190 * "x"])
    page = browser.new_page()
    page.goto((tmp_path / "one" / "report.html").as_uri())
    table = page.get_by_role("region", name="Request by request")
    assert table.locator("tbody tr").count() == 4
    # The numbers are beside the names without scrolling.
    name, number = (table.locator(f"tbody tr:first-child > :nth-child({n})") for n in (1, 3))
    for width in (390, 820, 1440):
        page.set_viewport_size({"width": width, "height": 900})
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        shown, inside = table.bounding_box(), number.bounding_box()
        assert shown
        assert inside
        assert inside["x"] + inside["width"] <= shown["x"] + shown["width"]
    assert name.inner_text() == ORDERS
    page.close()
