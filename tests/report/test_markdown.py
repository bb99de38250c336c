"""The answer as Markdown."""

from pathlib import Path

import pytest

from loadtest.analysis.summarize import summarize_runs
from loadtest.model.errors import UsageError
from loadtest.report.markdown import markdown, write_markdown
from tests.analysis.builders import interval, run, steady

FAST, SLOW = [700, 705, 690, 702, 699], [300, 301, 299, 302, 298]


def test_the_verdict_its_line_and_the_tables(tmp_path: Path) -> None:
    runs = steady(tmp_path, "20+0", FAST) + steady(tmp_path, "5+10", SLOW)
    text = markdown(summarize_runs(runs, {"objective": "errors.rate <= 1%"}))
    assert text.startswith("## hot-row\n\n**Keep 20+0 (pool_size=20, max_overflow=0): 699 requests")
    assert "```python\nengine = create_engine(url, pool_size=20, max_overflow=0)\n```" in text
    assert "| 20+0 | errors.rate &lt;= 1% | 0 %, 95 % interval 0 % to 0 % | met |" in text
    assert "| 5+10 | 20+0 | throughput | 0.43 |" in text
    assert "| 5+10 | 20+0 | failed requests (primary) | 1.00 |" in text
    tables = [line for line in text.splitlines() if line.startswith("|")]
    assert {line.count("|") for line in tables} == {5, 7, 9}


def test_text_from_files_is_no_markup(tmp_path: Path) -> None:
    one = interval(counters={"requests": 9, "failures": 9, "errors.other": 9})
    one.examples |= {"other": "<script>alert(1)</script> | `x`\n# y **b** [c](d) \\|"}
    text = markdown(summarize_runs([run(tmp_path, [one])]))
    assert "&lt;script>alert(1)&lt;/script> \\| 'x' # y \\*\\*b\\*\\* \\[c\\](d) \\\\\\|" in text
    assert "<script>" not in text


def test_a_file_that_cannot_be_written_is_said(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="cannot write"):
        write_markdown(tmp_path / "nowhere" / "x.md", "text")
