"""The table at the end of a command."""

import io
import re
from dataclasses import replace
from pathlib import Path

import pytest
from rich.console import Console

from loadtest.analysis.summarize import summarize
from loadtest.model.summary import Comparison, Summary
from loadtest.report.render import read_measurements
from loadtest.report.terminal import print_comparisons, print_summary
from tests.analysis.builders import SECOND, change_header, experiment, interval, run, steady
from tests.analysis.test_fault_effects import CALM, broken


def summarized(folder: Path) -> Summary:
    """The summary of the runs in a folder, without a page or figures."""
    return summarize(read_measurements([folder]))


@pytest.fixture(scope="module")
def summary(tmp_path_factory: pytest.TempPathFactory) -> Summary:
    folder = experiment(tmp_path_factory.mktemp("results"))
    return summarized(folder)


def _printed(summary: Summary, **how: object) -> str:
    file = how.pop("file", io.StringIO())
    print_summary(summary, Console(file=file, width=80, **how))  # type: ignore[arg-type]
    return file.getvalue()  # type: ignore[attr-defined, no-any-return]


def test_in_a_pipe_it_is_plain_text(summary: Summary) -> None:
    text = _printed(summary)
    lines = text.splitlines()
    heading = "pool ok/s 95 % interval wait p95 request p95 conns errors CPU"
    headings = [" ".join(line.split()) for line in lines].index(heading)
    assert lines[headings + 2].startswith("20+0 ")
    assert lines[0].startswith("Set pool_size=20, max_overflow=0:")
    assert "\x1b" not in text
    assert not set(text) & set("─│┃━")
    assert max(map(len, lines)) <= 80


def test_the_line_to_paste_follows_the_headline(summary: Summary) -> None:
    lines = _printed(summary).splitlines()
    paste = lines.index("    engine = create_engine(url, pool_size=20, max_overflow=0)")
    assert [line for line in lines[:paste] if line.startswith("Set pool_size=20, max_overflow=0:")]
    none = summary.verdict.model_copy(update={"recommended": None})
    assert "create_engine" not in _printed(summary.model_copy(update={"verdict": none}))


def test_on_a_terminal_the_recommended_pool_stands_out(summary: Summary) -> None:
    text = _printed(summary, force_terminal=True, color_system="standard")
    assert "\x1b[1m20+0" in text.replace(" ", "")
    assert "\x1b[1;32mSet pool_size=20" in text


def test_where_most_requests_failed_that_comes_before_other_errors(tmp_path: Path) -> None:
    few = {"requests": 100, "failures": 20, "errors.deadlock": 20}
    run(tmp_path, [interval(counters=few)], "5+10", started=1)
    most = {"requests": 100, "failures": 94, "errors.write_conflict": 94, "cpu": SECOND}
    part = replace(interval(counters=most), examples={"write_conflict": "(1020, 'changed')"})
    run(tmp_path, [part], "20+0", started=2)
    text = _printed(summarized(tmp_path))
    assert text.splitlines()[2].startswith("20+0 ")
    assert "(failing)" in text
    assert "(invalid)" not in text
    found = re.findall(r"^- (\S+: \d+ %)", text, re.MULTILINE)
    assert found == ["20+0: 94 %", "5+10: 20 %", "20+0: 94 %"]
    words = " ".join(text.split())
    assert words.count("(1020, 'changed')") == 1
    assert "20+0 is not recommended: 94 %" in words


def test_the_pools_of_several_processes_are_multiplied(tmp_path: Path) -> None:
    parts = [interval(0, process=name, counters={"requests": 9}) for name in "abcd"]
    run(tmp_path, parts, "20+10")
    text = _printed(summarized(tmp_path))
    assert "\n20+10: 4 processes × (20 + 10) = up to 120 connections\n\n" in text


def test_where_only_ascii_can_be_written_nothing_else_is(summary: Summary) -> None:
    raw = io.BytesIO()
    file = io.TextIOWrapper(raw, encoding="ascii")
    print_summary(summary, Console(file=file, width=80))
    file.flush()
    assert b" us " in raw.getvalue()


def test_in_a_pipe_no_line_ends_in_blanks_or_is_broken(summary: Summary) -> None:
    file = io.StringIO()
    print_summary(summary, Console(file=file, width=1000))
    lines = file.getvalue().splitlines()
    assert [line for line in lines if line != line.rstrip()] == []
    assert [line for line in summary.verdict.text.splitlines() if line not in lines] == []


def test_findings_are_of_a_pool_and_look_like_no_failure_of_the_tool(tmp_path: Path) -> None:
    one = interval(
        counters={"requests": 100, "failures": 5, "errors.other": 5, "errors.deadlock": 1}
    )
    one.examples |= {"other": '(1146, "no table\nof that name")', "deadlock": "(1213, 'x')"}
    run(tmp_path, [one], "20+0")
    many = interval(counters={"requests": 100, "failures": 50, "errors.deadlock": 50})
    run(tmp_path, [many], "5+10", started=2_000_000_000)
    file = io.StringIO()
    print_summary(summarized(tmp_path), Console(file=file, width=1000))
    text = file.getvalue()
    serious, notable = text.index("- 5+10: 50 % of requests failed"), text.index("- 20+0: 5.0 % of")
    assert text.index("\nFindings\n") < serious < notable
    assert 'For example: (1146, "no table of that name") [errors_other]\n' in text
    assert "1213" not in text
    assert "error: " not in text
    assert "warning: " not in text


def test_brackets_in_names_are_no_markup(tmp_path: Path) -> None:
    one = run(tmp_path, [interval(counters={"requests": 9, "cpu": SECOND})])
    change_header(one, lambda header: header["pool"].update(name="[red]a[/x]"))
    text = _printed(summarized(tmp_path))
    assert "[red]a[/x]" in text
    assert "(invalid)" in text


@pytest.mark.parametrize("terminal", [True, False])
def test_long_names_and_big_numbers_leave_all_columns_in_eighty(
    tmp_path: Path, terminal: bool
) -> None:
    name = "a-long-name-that-somebody-chose"
    busy = {"failures": 9, "peak": 3000, "wait": 30_000}
    steady(tmp_path, f"{name}:3000+inf", [12_345, 12_999, 12_340, 12_500, 12_222], **busy)  # type: ignore[arg-type]
    text = _printed(summarized(tmp_path), force_terminal=terminal, no_color=True)
    table = re.sub(r"\x1b\[[\d;]*m", "", text).split("\n\n")[1].splitlines()
    assert max(map(len, table)) <= 80
    assert table[0].split()[-3:] == ["conns", "errors", "CPU"]
    row = r"12,481 +12,\d{3} – 12,\d{3} +30\.0 s +60\.0 s +3,000 +< 0\.1 % +50 %"
    assert len([line for line in table if re.search(row, line)]) == 1
    assert "".join(line.split()[0] for line in table[1:] if line[0] != "─") == name


def test_what_faults_did_fits_a_terminal(tmp_path: Path) -> None:
    made = broken(tmp_path, [*CALM, (0, 9), (100, 0), (100, 0)], (4.0, 4.5))
    change_header(made, lambda header: header["pool"].update(name="lifo-and-pre-ping"))
    text = _printed(summarized(tmp_path), force_terminal=True, no_color=True)
    lines = [line.strip() for line in re.sub(r"\x1b\[[\d;]*m", "", text).splitlines()]
    above = lines.index("restart@4s+1s")
    headings, _, row = (" ".join(line.split()) for line in lines[above + 1 : above + 4])
    assert headings == "pool lasted first error errors recovered > pool_timeout lost doubled"
    assert row.endswith(" 500 ms 250 ms 9 500 ms 0 – –")  # its name goes on below
    assert max(map(len, lines[above : above + 4])) <= 80
    piped = _printed(summarized(tmp_path))
    assert re.search(
        r"^pool +lasted  first error  errors  recovered  > pool_timeout  lost", piped, re.M
    )


def test_comparisons_fit_a_terminal_with_every_word_and_number() -> None:
    one = Comparison(
        pool="a-pool",
        baseline="a-pool before",
        metric="throughput.per_second",
        rounds=5,
        ratio=1.02,
        ci95=(0.98, 1.07),
        decision="undecided",
        further_rounds=12,
    )
    console = Console(file=io.StringIO(), width=80, force_terminal=True, no_color=True)
    print_comparisons([one], [], console)
    lines = console.file.getvalue().splitlines()  # type: ignore[attr-defined]
    plain = [re.sub(r"\x1b\[[\d;]*m", "", line) for line in lines]
    assert max(map(len, plain)) <= 80
    told = " ".join(" ".join(plain[2:]).split())
    for word in ("a-pool before", "1.02", "0.98 to 1.07", "(primary)", "12", "rounds", "decide"):
        assert word in told
