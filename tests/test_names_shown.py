"""Names and errors come from files, tables and servers: shown everywhere, markup nowhere."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page
from rich.console import Console
from sqlalchemy import URL

from loadtest.analysis.summarize import summarize
from loadtest.model.errors import UsageError
from loadtest.model.pool import parse_pool
from loadtest.report.render import read_measurements, render
from loadtest.report.terminal import print_summary
from tests.conftest import without_database
from tests.processes import (
    PATIENCE_SECONDS,
    fetch,
    free_port,
    loadtest_command,
    locust_command,
    running,
    samples,
)

Loadtest = Callable[..., "subprocess.CompletedProcess[str]"]
SCRIPT = "<script>document.title = 'owned'</script>"
IMAGE = "<img src=x onerror=\"document.title = 'owned'\">"
TASK = f"{SCRIPT} [bold red]a|b[/] `c`"
WORDS = f"{IMAGE} [link=http://x]d[/link] [/] | e\nf \x1b]0;owned\x07\x1b[31m 'g' \"h\" **i** [j](http://k)"
SCENARIO = f"""
from locust import constant, task
from sqlalchemy import Column, Integer, MetaData, Table, text
from loadtest.load import PoolUser

class Hostile(PoolUser):
    wait_time = constant(0.05)
    metadata = MetaData()
    table = Table("loadtest_[bold]{SCRIPT[:8]}", metadata, Column("id", Integer, primary_key=True))

    @classmethod
    def add_options(cls, group):
        group.add_argument("--greeting", default={TASK!r})

    @task
    def works(self):
        with self.session({TASK!r}) as session:
            session.execute(text("SELECT 1"))

    @task
    def fails(self):
        with self.session({TASK!r}) as session:
            session.execute(text("SELECT 1"))
            raise RuntimeError({WORDS!r})
"""


@dataclass
class Shown:
    """All that one run of a hostile scenario left behind."""

    folder: Path
    out: str
    err: str
    markdown: str
    page: str


class Tags(HTMLParser):
    """The tags of a page, each with what it does when something happens; and all its text."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.text += data


@pytest.fixture(scope="module")
def scenario(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("hostile") / "hostile.py"
    path.write_text(SCENARIO)
    return path


@pytest.fixture(scope="module")
def shown(scenario: Path, server: Any, tmp_path_factory: pytest.TempPathFactory) -> Shown:
    folder = tmp_path_factory.mktemp("results [bold]")
    address = {"LOADTEST_DATABASE_URL": server.url.render_as_string(False)}
    pools = ("--pool", "3+0", "-u", "6", "-t", "4s", "--warmup", "0s", "--no-try")
    where = ("--results", str(folder), "--markdown", str(folder / "x.md"))
    ended = subprocess.run(
        loadtest_command("run", scenario, *pools, *where),
        env={**without_database(), **address},
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.returncode in (0, 4), ended.stderr
    result = folder / "latest"
    render([result], result)  # with figures
    page, words = (result / "report.html").read_text(), (folder / "x.md").read_text()
    return Shown(result, ended.stdout, ended.stderr, words, page)


@pytest.mark.parametrize(
    "name", [SCRIPT, "[bold]", "a|b", "a\nb", "'", '"', "\u0308", " ", "\u200d"]
)
def test_a_pools_name_is_made_of_letters_and_digits(name: str) -> None:
    with pytest.raises(UsageError):
        parse_pool(f"{name}:5+0")


@pytest.mark.server
def test_a_page_has_our_tags_and_their_text(shown: Shown) -> None:
    page = Tags(shown.page)
    active = [tag for tag, _ in page.tags if tag in ("script", "img", "iframe", "object")]
    assert active == ["script"]  # the page's own; its policy lets no other run
    links = re.findall(r'<a href="([^"]*)"', shown.page)
    assert links
    assert [link for link in links if re.match(r"/|[a-z]+:", link)] == []  # sections and files
    assert not [name for _, names in page.tags for name in names if name.startswith("on")]
    assert "[bold red]a|b[/]" in page.text
    assert IMAGE in page.text


@pytest.mark.server
@pytest.mark.browser
def test_a_browser_shows_it_and_does_nothing(shown: Shown, browser: Browser) -> None:
    page = browser.new_page()
    page.goto((shown.folder / "report.html").resolve().as_uri())
    assert "owned" not in page.title()
    assert page.get_by_text("onerror=").count() >= 1
    page.close()


@pytest.mark.server
def test_a_terminal_shows_it_as_it_is_and_obeys_nothing(shown: Shown) -> None:
    assert "[link=http://x]d[/link] [/] | e f" in shown.out
    assert "\\x1b]0;owned\\x07\\x1b[31m" in shown.out
    assert f"the tables loadtest_[bold]{SCRIPT[:8]}, and drop" in shown.err
    assert "Report: " in shown.out
    assert "[bold]" in shown.out.splitlines()[-1]
    assert "\x1b" not in shown.out + shown.err
    assert "\x07" not in shown.out + shown.err


@pytest.mark.server
def test_a_coloured_terminal_obeys_nothing_either(shown: Shown) -> None:
    console = Console(force_terminal=True, width=80, record=True, color_system="standard")
    with console.capture() as printed:
        print_summary(summarize(read_measurements([shown.folder])), console)
    assert "\x1b]" not in printed.get()
    assert "\x07" not in printed.get()


@pytest.mark.server
def test_markdown_has_no_tags_links_or_further_columns(shown: Shown) -> None:
    assert "<" not in shown.markdown.replace("&lt;", "")
    assert "\x1b" not in shown.markdown
    rows = [line for line in shown.markdown.splitlines() if line.startswith("|")]
    assert len({len(re.findall(r"(?<!\\)\|", row)) for row in rows}) == 1


@pytest.mark.server
def test_json_has_it_word_for_word(shown: Shown) -> None:
    summary = json.loads((shown.folder / "summary.json").read_text())
    (pool,) = summary["pools"]
    assert pool["errors"]["kinds"]["other"]["example"] == WORDS
    assert summary["experiment"]["options"] in ({}, {"greeting": TASK})


def failed(metrics: str) -> bool:
    """Whether a page of metrics has errors."""
    found = samples(metrics)
    return any(value for (name, _), value in found.items() if name == "loadtest_errors_total")


def shows_statistics(page: Page, address: str) -> bool:
    """Whether Locust's page shows the tasks' names.

    A page may have been told what was true before the start, and has to be loaded again.
    """
    page.goto(address)
    page.wait_for_timeout(3000)
    return page.get_by_text("document.title").first.is_visible()


@pytest.mark.server
@pytest.mark.browser
def test_the_web_pages_and_the_metrics_show_it_as_text(
    scenario: Path, tmp_path: Path, url: URL, browser: Browser
) -> None:
    port = free_port()
    address = f"http://127.0.0.1:{port}"
    environment = {"LOADTEST_DATABASE_URL": url.render_as_string(False)}
    command = locust_command("-f", scenario, "--web-port", port, "--results", tmp_path / "results")
    with running(tmp_path / "log", *command, env=environment) as process:
        process.until(lambda: fetch(address), "the web UI")
        page = browser.new_page()
        page.set_default_timeout(PATIENCE_SECONDS * 1000)
        page.goto(address)
        form = {"user_count": 3, "spawn_rate": 3}
        assert page.request.post(f"{address}/swarm", form=form).json()["success"]
        process.until(lambda: failed(fetch(f"{address}/metrics")), "errors")
        process.until(lambda: shows_statistics(page, address), "Locust's statistics")
        assert "owned" not in page.title()
        page.goto(f"{address}/pool")
        page.wait_for_timeout(1000)
        assert "owned" not in page.title()
        labels = {label for _, own in samples(fetch(f"{address}/metrics")) for label in own}
        page.request.post(f"{address}/stop")
        page.close()

    texts = {value for name, value in labels if name != "le"}
    assert "3+0" not in texts
    assert not [value for value in texts if not re.fullmatch(r"[a-z0-9_.+-]+", value)]
