"""The page: self-contained, escaped, complete."""

import html
import json
import re
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import pytest

from loadtest.analysis.findings.rules import DOUBTS
from loadtest.analysis.findings.trust_gate import INVALID_CODES
from loadtest.report.render import render
from tests.analysis.builders import SECOND, change_header, interval, run, steady
from tests.findings.runs import RECORDED
from tests.report.pages import page_of

VOID = {"meta", "link", "br", "img", "hr", "input", "wbr", "source"}


class _Page(HTMLParser):
    """Collects tags and texts, and complains of tags that are not closed in order."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []
        self.feed(text)
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


@pytest.fixture(scope="module")
def text(experiment_report: Path) -> str:
    return (experiment_report / "report.html").read_text()


def test_nothing_comes_from_elsewhere(text: str) -> None:
    """Every reference is into the page itself; namespaces are names, no addresses."""
    page = _Page(text)
    for _, attributes in page.tags:
        for name in ("src", "href", "xlink:href", "action", "srcset", "poster", "data"):
            value = attributes.get(name)
            inside = value is None or value.startswith("#") or value == "data:,"
            assert inside or not re.match(r"[a-z]+:|/", value or "")  # a file beside it
    assert [given for tag, given in page.tags if tag == "script"] == [{}]
    assert not {tag for tag, _ in page.tags} & {"iframe", "object", "embed", "base"}
    assert not re.search(r"@import|url\((?!#)", text)
    addresses = set(re.findall(r"https?://[^\s\"'<>)]+", text))
    names = {"http://www.w3.org/2000/svg", "http://www.w3.org/1999/xlink"}
    assert addresses <= {*names, "https://github.com/leeoniya/uPlot"}  # in a comment
    assert "Copyright (c) 2022 Leon Sorokin" in text


def test_identifiers_occur_once(text: str) -> None:
    identifiers = [value for _, attributes in _Page(text).tags if (value := attributes.get("id"))]
    assert len(identifiers) == len(set(identifiers))


def test_what_is_recommended_can_be_pasted(text: str) -> None:
    assert "<code>engine = create_engine(url, pool_size=20, max_overflow=0)</code>" in text
    assert '<h1 id="hot-row">hot-row</h1>' in text
    assert "300 users · 5 rounds of 5 s each · MariaDB 10.11.6 · 15 June 2025" in text


def test_every_figure_has_a_text_in_its_place(text: str) -> None:
    labels = [attributes for _, attributes in _Page(text).tags if attributes.get("role") == "img"]
    assert len(labels) == 6
    assert all(len(label["aria-label"] or "") > 40 for label in labels)


def test_the_figure_of_sizes_leaves_ratios_to_the_verdict(text: str) -> None:
    (title,) = re.findall(r'<h3 id="sizes-title">(.*?)</h3>', text, flags=re.S)
    said = r"The biggest pool is not the best: 20\+0 does \d+ requests per second, seed [\d.]+"
    assert re.fullmatch(said, title)


def test_behind_every_figure_is_a_table(text: str) -> None:
    figures = re.findall(r"<figure.*?</figure>", text, flags=re.S)
    assert len(figures) == 6
    for figure in figures:
        _, found, numbers = figure.partition("<summary>The numbers</summary>")
        assert found
        assert len(re.findall(r'<th scope="row">(?:default|20\+0|seed)</th><td>', numbers)) >= 3


def test_errors_and_findings_are_shown(text: str) -> None:
    assert re.search(r'<th scope="row">deadlocks</th><td>\d+</td><td class="chosen">\d+</td>', text)
    assert "of requests failed with deadlocks" in text
    assert "<code>errors_deadlock</code>\n" in text
    assert 'role="alert"' not in text


def test_several_processes_are_in_the_head_the_table_and_the_findings(
    tmp_path: Path, text: str
) -> None:
    parts = [interval(0, process=name, counters={"requests": 9}) for name in "abcd"]
    run(tmp_path, parts, "20+10")
    several = page_of(tmp_path)
    assert "300 users · 4 processes · 1 round" in several
    assert "4 processes × (20 + 10) = up to 120 connections: each" in several
    assert re.search(r"connections allowed in total</th>\s*<td[^>]*>120</td>", several)
    assert "allowed in total" not in text
    assert "process" not in text.split("<main>", maxsplit=1)[0]


def test_names_are_text_and_no_markup(tmp_path: Path) -> None:
    evil = "<script>alert('x')</script>$\\frac{"
    counters = {"requests": 9, "failures": 3, "errors.<b>": 3}
    parts = [interval(counters=counters, wait=[3], gauges={"open": 3})]
    settings = {"name": evil, "poolclass": "<i>", "pool_size": 3, "max_overflow": 0}
    more = {"name": evil, "command": evil, "versions": {evil: evil}, "host": {"platform": evil}}
    one = run(tmp_path, parts)
    change_header(one, lambda header: header.update(more, pool=settings))
    render([tmp_path], tmp_path)
    text = (tmp_path / "report.html").read_text()
    assert json.dumps(evil)[1:-1] in one.path.read_text()
    assert text.count("<script") == 1  # the page's own
    assert "<b></b>" not in text
    assert text.count("&lt;script&gt;") > 5
    _Page(text)


def test_where_most_requests_failed_the_error_is_said_on_top(tmp_path: Path) -> None:
    counters = {"requests": 100, "failures": 94, "errors.write_conflict": 94, "cpu": SECOND}
    part = replace(interval(counters=counters), examples={"write_conflict": "(1020, 'changed')"})
    run(tmp_path, [part], "5+10")
    text = page_of(tmp_path)
    banner = text[text.index('role="alert"') : text.index('class="verdict')]
    assert ">Most requests failed</h2>" in banner
    assert (
        "<b>5+10:</b> 94\xa0% of requests failed (94 of 100), most with write conflicts" in banner
    )
    assert "not valid" not in banner
    assert '<p class="headline">94\xa0% of 100 requests failed with 5+10' in text
    assert "5+10<small>failing</small></th>" in text


def test_a_failing_pool_beside_a_recommended_one_is_no_alarm(text: str) -> None:
    assert 'role="alert"' not in text
    # That most requests failed with it is the first finding all the same.
    findings = text[text.index(">Findings</h2>") :]
    assert (
        findings.index("63\xa0% of requests failed") == findings.index("% of requests failed") - 3
    )


@pytest.mark.parametrize(
    ("key", "said"),
    [
        ("busy", "of the measured time. The results show its limit, not the pool"),
        ("blocking", "event loop was late by"),
    ],
)
def test_a_real_run_that_is_not_valid_is_said_on_top(tmp_path: Path, key: str, said: str) -> None:
    text = page_of(tmp_path, RECORDED / key / "run.jsonl")
    banner = text[text.index('role="alert"') : text.index('class="verdict')]
    assert "This measurement is not valid" in banner
    assert said in banner


def test_a_real_run_that_is_valid_needs_no_banner(tmp_path: Path) -> None:
    assert 'role="alert"' not in page_of(tmp_path, RECORDED / "yielding" / "run.jsonl")


def test_an_invalid_pool_is_said_on_top(tmp_path: Path) -> None:
    steady(tmp_path, "5+10", [700, 701])
    busy = [interval(counters={"requests": 9000, "cpu": SECOND})]
    run(tmp_path, busy, "20+0")
    render([tmp_path], tmp_path)
    text = (tmp_path / "report.html").read_text()
    banner = text[text.index('role="alert"') : text.index('class="verdict')]
    assert "Part of this measurement is not valid" in banner
    used = "<b>20+0:</b> The load generator used 90\xa0% of its core or more in 100\xa0%"
    assert used in banner
    assert "create_engine" not in text
    assert "20+0<small>not valid</small></th>" in text
    assert ">5+10 does 700 requests per second</h3>" in text


def test_the_banner_has_why_a_pool_is_not_valid_and_nothing_else(tmp_path: Path) -> None:
    counters = {"requests": 9000, "failures": 4000, "errors.deadlock": 4000, "cpu": SECOND}
    run(tmp_path, [interval(counters=counters)], "20+0")
    text = page_of(tmp_path)
    banner = text[text.index('role="alert"') : text.index('class="verdict')]
    assert banner.count("<li>") == 1
    assert "The load generator used" in banner
    assert "of requests failed with deadlocks" in text
    # Pools that mostly fail have a banner of their own.
    assert {rule.__name__ for rule in DOUBTS} == {*INVALID_CODES, "overloaded_by_failures"}


def test_lower_bounds_are_marked(tmp_path: Path) -> None:
    parts = [interval(counters={"requests": 50}, wait=[2] * 50, unfinished=[1900] * 50)]
    run(tmp_path, parts)
    assert "<td>≥ 1.90 s</td>" in page_of(tmp_path)


def test_a_number_is_not_torn_from_its_unit_in_a_sentence(text: str) -> None:
    prose = re.findall(
        r"<(?:p|li|h3|figcaption)\b(?! class=.subtitle).*?</(?:p|li|h3|figcaption)>",
        text,
        flags=re.S,
    )
    assert sum("\xa0%" in sentence for sentence in prose) > 2
    torn = r"\d (%|m?s\b|µs)|(<|&lt;|≥) \d"
    assert [sentence for sentence in prose if re.search(torn, html.unescape(sentence))] == []


def test_one_round_has_no_interval_to_explain(tmp_path: Path, text: str) -> None:
    steady(tmp_path, "20+0", [700], seconds=5, load={"users": 300, "duration": 5.0})
    render([tmp_path], tmp_path)
    one = (tmp_path / "report.html").read_text()
    assert "300 users · 1 round of 5 s · " in one
    assert "Small numbers" not in one
    assert "95 % interval" not in one.replace("\xa0", " ")
    assert "Small numbers are 95" in text


def test_what_the_server_and_the_load_were_told_has_units(tmp_path: Path) -> None:
    variables = {
        "innodb_buffer_pool_size": "134217728",
        "innodb_lock_wait_timeout": "50",
        "thread_cache_size": "151",
        "max_connections": "4000",
    }
    server = {"version": "11", "private": True, "variables": variables}
    load = {"users": 3, "duration": 5.0, "warmup": 1.0}
    run(tmp_path, [interval(counters={"requests": 9})], server=server, load=load)
    page = page_of(tmp_path)
    facts = dict(re.findall(r"<dt>(.*?)</dt><dd>(.*?)</dd>", page))
    assert facts["innodb_buffer_pool_size"] == "128 MiB"
    assert facts["innodb_lock_wait_timeout"] == "50 s"
    assert (facts["duration"], facts["warmup"]) == ("5 s", "1 s")
    assert (facts["thread_cache_size"], facts["max_connections"]) == ("151", "4000")


def test_stages_and_what_broke_are_told_as_the_command_line_has_them(tmp_path: Path) -> None:
    rising = {"name": "rush", "duration": 5.0, "arrival_rate": 50.0, "to": 300.0, "at_once": 9}
    faults = [
        {"kind": "freeze", "at": 4.0, "length": 2.0, "delay": None},
        {"kind": "connect-delay", "at": 0.0, "length": None, "delay": 0.15},
    ]
    run(tmp_path, [interval()], load={"duration": 5.0, "stages": [rising], "faults": faults})
    page = page_of(tmp_path)
    facts = dict(re.findall(r"<dt>(.*?)</dt><dd>(.*?)</dd>", page))
    assert facts["stages"] == "rush=5s:50-300/s+9"
    assert facts["faults"] == "freeze@4s+2s, connect-delay:0.15s"
    assert " · freeze@4s+2s · connect-delay:0.15s · 1 round of 5 s · " in page
    assert "<code>--fault</code>: freeze@4s+2s, connect-delay:0.15s." in page


def test_what_a_load_does_without_is_not_told(text: str) -> None:
    assert "300 users · 5 rounds of 5 s each · MariaDB 10.11" in text
    assert not {"stage", "stages", "faults"} & set(re.findall(r"<dt>(.*?)</dt>", text))


def test_settings_beyond_the_sizes_are_shown_where_they_differ(tmp_path: Path) -> None:
    steady(tmp_path, "a:pool_size=20,pool_timeout=2", [700], started=1)
    steady(tmp_path, "b:20+10", [701], started=2)
    text = re.sub(r">\s+<", "><", page_of(tmp_path))
    assert '<th scope="row">pool_timeout</th><td>2</td><td>30</td>' in text
    assert "pool_pre_ping" not in text


def test_each_run_has_a_line_that_repeats_it(text: str) -> None:
    (block,) = re.findall(r'<pre class="runs"[^>]*><code>(.*?)</code></pre>', text, re.DOTALL)
    pools = [line.partition(" --pool ")[2] for line in html.unescape(block).splitlines()]
    assert len(pools) > 1
    assert {"default", "20+0"} & {*pools}
    assert "leave out the faults" not in text
