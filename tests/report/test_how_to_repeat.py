"""The command line that measured a result: what it leaves out, and where it is kept and shown."""

import json
from pathlib import Path

from loadtest.analysis.summarize import summarize
from loadtest.cli.output import command_line
from loadtest.experiment.conduct import add_to_plan
from loadtest.report.html import report_page
from loadtest.report.render import read_measurements
from tests.analysis.builders import experiment

WORDS = ["compare", "a b.py", "--pool", "5+10"]


def test_the_databases_url_is_left_out() -> None:
    url = "mysql+pymysql://me:s3cr3t@db/shop"
    line = "loadtest compare 'a b.py' --pool 5+10"
    assert command_line([*WORDS, "--database-url", url]) == line
    assert command_line([f"--database-url={url}", *WORDS]) == line
    assert command_line(WORDS) == line


def test_other_passwords_are_hidden() -> None:
    line = command_line(["run", "x.py", "--app", "env PASSWORD=s3cr3t serve mysql://me:pw@db/x"])
    assert "s3cr3t" not in line
    assert ":pw@" not in line


def test_the_report_begins_with_it_and_folds_the_single_runs(tmp_path: Path) -> None:
    folder = experiment(tmp_path, rounds=2)
    before = json.loads((folder / "experiment.json").read_text())
    unknown = report_page(summarize(read_measurements([folder])), [])
    assert 'class="copied"' not in unknown
    assert "<summary>Single runs, with Locust</summary>" in unknown

    add_to_plan(folder, command=command_line(WORDS))
    after = json.loads((folder / "experiment.json").read_text())
    assert after == {**before, "command": "loadtest compare 'a b.py' --pool 5+10"}
    page = report_page(summarize(read_measurements([folder])), [])
    repeat = page.partition(">How to repeat it</h2>")[2]
    first, _, folded = repeat.partition("<details>")
    assert '<pre class="copied"><code>loadtest compare &#39;a b.py&#39; --pool 5+10</code>' in first
    assert "locust -f scenarios/hot_row.py" in folded.partition("</details>")[0]
