"""The page about a fleet's capacity, and the figure in it."""

from __future__ import annotations

import re
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser
from rich.console import Console

from loadtest.analysis.fleet.capacity import Capacity, Fleet, ServerLimits
from loadtest.analysis.fleet.capacity_findings import fleet_capacity
from loadtest.report.capacity_table import page, print_capacity, write_page
from loadtest.report.figures.capacity_steps import draw


def answer(pool_size: int = 20, max_overflow: int = 10, **server: Any) -> Capacity:
    """A fleet that has no place on its server."""
    pool = {"pool_size": pool_size, "max_overflow": max_overflow}
    said = {"max_connections": 2000, "max_user_connections": 1900, "others": 40}
    fleet = Fleet(processes=12, replicas=5, surge=1, pool=pool)
    return fleet_capacity(fleet, ServerLimits(**(said | server)))


@pytest.mark.parametrize(
    ("found", "said"),
    [
        (answer(), "The fleet can open 2,160 connections; there is room for 1,900"),
        (answer(20, -1), "The fleet can open any number of connections; there is room for"),
        (answer(1, 0), "The fleet can open 72 connections"),
        (answer(files=30, open_files_limit=90), "there is room for 0"),
        (answer(5, 1, max_user_connections=0, others=0, reserve=0), "there is room for 2,000"),
    ],
)
def test_every_kind_of_answer_has_its_figure(found: Capacity, said: str) -> None:
    drawing = draw(found)
    assert said in drawing.title
    shown = re.findall(r"<text[^>]*>\s*([^<]*?)\s*</text>", drawing.svg)
    assert {step.name for step in found.steps} <= set(shown)
    for limit in found.limits:
        name = "open files" if limit.setting == "open_files_limit" else limit.setting
        assert f"{name} {limit.value:,}" in shown
    totals = ["any" if s.connections is None else s.connections for s in found.steps]
    others = found.server.others
    assert {t if t == "any" else f"{int(t) + others:,}" for t in totals} <= set(shown)
    parts = {"fleet", "surge", "others", "reserve"}
    absent = {name for name in ("others", "reserve") if not getattr(found.server, name)}
    assert parts & set(shown) == parts - absent


@pytest.mark.parametrize("terminal", [True, False])
@pytest.mark.parametrize(
    ("size", "overflow", "server", "rows"),
    [
        (
            20,
            10,
            {},
            ["running 60 1,200 1,240 700", "deploy, all full 72 2,160 2,200 -260 refused"],
        ),
        (20, 10, {"max_connections": 2205}, ["deploy, all full 72 2,160 2,200 -260 refused"]),
        (20, 5, {"max_connections": 1845}, ["deploy, all full 72 1,800 1,840 -5 reserve"]),
        (20, -1, {}, ["all pools full 60 any number – – refused"]),
        (3000, 3000, {}, ["deploy, all full 72 432,000 432,040 -430,100 refused"]),
    ],
)
def test_tables_fit_a_terminal_a_row_a_line(
    size: int, overflow: int, server: dict[str, int], rows: list[str], terminal: bool
) -> None:
    console = Console(file=StringIO(), force_terminal=terminal, width=80, no_color=True)
    found = answer(size, overflow, **server)
    print_capacity(found, console)
    printed = re.sub(r"\x1b\[[\d;]*m", "", console.file.getvalue())  # type: ignore[attr-defined]
    lines = [" ".join(line.split()) for line in printed.splitlines()]
    for row in rows:
        assert row in lines
    limit = found.limits[0]
    assert f"max_connections {limit.value:,} 40 10 {limit.room:,}" in lines
    assert max(map(len, printed.splitlines())) <= 80


def test_the_page_fetches_nothing_and_says_everything() -> None:
    found = answer(wait_timeout=28_800, version="10.11 <b>&")
    text = page(found)
    assert not re.search(r'(?:src|href)="(?!data:|#)', text)
    assert "10.11 &lt;b&gt;&amp;" in text
    for finding in found.findings:
        assert finding.message.split(" =")[0] in text


@pytest.mark.browser
@pytest.mark.parametrize(("width", "scheme"), [(390, "dark"), (1280, "light")])
def test_it_fits_a_screen_asks_for_nothing_and_complains_of_nothing(
    browser: Browser, tmp_path: Path, width: int, scheme: str
) -> None:
    address = write_page(answer(wait_timeout=28_800), tmp_path).as_uri()
    shown = browser.new_page(viewport={"width": width, "height": 900}, color_scheme=scheme)  # type: ignore[arg-type]
    requests, complaints = [], []
    shown.on("request", lambda request: requests.append(request.url))
    shown.on("console", lambda message: complaints.append(message.text))
    shown.on("pageerror", lambda error: complaints.append(str(error)))
    shown.goto(address)
    assert shown.locator(".headline").inner_text().startswith("It does not fit")
    assert shown.locator(".decision.worse").count() == 1
    assert requests == [address]
    assert complaints == []
    assert shown.evaluate("document.documentElement.scrollWidth") <= width
    box = shown.locator("figure svg").bounding_box()
    assert box is not None
    assert box["width"] > 280
    labels = shown.locator("figure svg text")
    for label in labels.all():
        inside = label.bounding_box()
        assert inside is not None
        assert inside["x"] >= box["x"] - 1
        assert inside["x"] + inside["width"] <= box["x"] + box["width"] + 1
    shown.close()
