"""Whether a conclusion that was drawn with one application holds for the others."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from loadtest.analysis.comparison.result_diff import compare_results, unmatched_pools
from loadtest.analysis.comparison.variants import of_application
from loadtest.analysis.comparison.verdict import verdict_exit_code
from loadtest.analysis.pool_runs import gather
from loadtest.analysis.summarize import summarize, summarize_runs
from loadtest.model.errors import UsageError
from loadtest.model.server_name import server_title
from loadtest.report.figures import size_curve
from loadtest.report.html import report_page
from tests.analysis.driven_variants import LARGE, POOLS, SMALL, in_applications, planned

NAMES = ["5+10.threads", "5+10.loop", "20+0.threads", "20+0.loop"]


def test_the_same_recommendation_carries_over(tmp_path: Path) -> None:
    runs = in_applications(tmp_path, threads=SMALL, loop=SMALL)
    summary = summarize_runs(runs, planned())

    assert [(pool.name, pool.given, pool.application_name) for pool in summary.pools] == [
        (name, *name.split(".")) for name in NAMES
    ]
    decisive = [c for c in summary.comparisons if c.role == "primary"]
    assert [(c.pool, c.baseline, c.decision) for c in decisive] == [
        ("20+0.threads", "5+10.threads", "better"),
        ("20+0.loop", "5+10.loop", "better"),
    ]
    lines = summary.verdict.text.splitlines()
    assert lines[1].startswith("With threads: Set pool_size=20, max_overflow=0: 760 requests")
    assert any(line.startswith("With loop: Set pool_size=20") for line in lines)
    assert lines[0] == "The conclusion carries over: both recommend 20+0."
    assert summary.verdict.recommended == "20+0.threads"
    assert verdict_exit_code(summary) == 0


def test_another_recommendation_does_not(tmp_path: Path) -> None:
    runs = in_applications(tmp_path, threads=SMALL, loop=LARGE)
    for experiment in (planned(), planned(baseline="20+0"), None):
        summary = summarize_runs(runs, experiment)
        first = summary.verdict.text.splitlines()[0]
        assert first == "The conclusion does not carry over: threads 20+0, loop 5+10."
        assert verdict_exit_code(summary) == 5


def test_a_baseline_is_that_of_each_application(tmp_path: Path) -> None:
    runs = in_applications(tmp_path, threads=SMALL, loop=SMALL)
    summary = summarize_runs(runs, planned(baseline="20+0"))
    decisive = [c for c in summary.comparisons if c.role == "primary"]
    assert [(c.pool, c.baseline) for c in decisive] == [
        ("5+10.threads", "20+0.threads"),
        ("5+10.loop", "20+0.loop"),
    ]


def test_pools_that_never_ran_belong_to_their_application(tmp_path: Path) -> None:
    ran = in_applications(tmp_path, threads=SMALL, loop=SMALL)
    summary = summarize_runs([run for run in ran if run.pool_name != "20+0.loop"], planned())
    assert [(pool.name, pool.given) for pool in summary.pools] == [
        (name, name.partition(".")[0]) for name in NAMES
    ]
    unknown = "there is no recommendation with loop."
    assert summary.verdict.text.splitlines()[0].endswith(unknown)
    assert not any(c.baseline != "5+10.threads" for c in summary.comparisons)


def test_one_application_is_no_variant(tmp_path: Path) -> None:
    summary = summarize_runs(in_applications(tmp_path, named=False, threads=SMALL))
    assert [pool.given for pool in summary.pools] == [*POOLS]
    assert {pool.application_name for pool in summary.pools} == {"threads"}
    assert "carries over" not in summary.verdict.text
    assert "With threads" not in summary.verdict.text


def test_one_name_of_a_pool_is_one_application(tmp_path: Path) -> None:
    one = in_applications(tmp_path / "a", named=False, threads=SMALL)
    other = in_applications(tmp_path / "b", named=False, loop=SMALL)
    with pytest.raises(UsageError, match="cannot be compared: application is threads in"):
        gather([*one, *other])


def test_results_are_compared_application_by_application(tmp_path: Path) -> None:
    before = gather(in_applications(tmp_path / "a", threads=SMALL, loop=SMALL))
    after = gather(in_applications(tmp_path / "b", loop=LARGE, threads=SMALL))
    compared = {c.pool: c.decision for c in compare_results(before, after) if c.role == "primary"}
    assert compared == {
        "5+10.threads": "equivalent",
        "20+0.threads": "equivalent",
        "5+10.loop": "better",
        "20+0.loop": "worse",
    }
    alone = gather(in_applications(tmp_path / "c", loop=SMALL))
    assert unmatched_pools(before, alone) == [
        f"{pool}.threads is only in the result before, so it is not compared" for pool in POOLS
    ]


def test_a_prediction_is_for_one_application(tmp_path: Path) -> None:
    both = gather(in_applications(tmp_path / "both", threads=SMALL, loop=LARGE))
    chosen = of_application(both, "loop")
    assert [pool.name for pool in chosen.pools] == ["5+10.loop", "20+0.loop"]
    assert chosen.baseline == "5+10.loop"
    with pytest.raises(UsageError, match="the applications threads and loop; choose one: --app"):
        of_application(both, "")
    with pytest.raises(UsageError, match="--application lop: the result has no such application"):
        of_application(both, "lop")
    alone = gather(in_applications(tmp_path / "alone", named=False, threads=SMALL))
    assert of_application(alone, "") is of_application(alone, "threads") is alone


def test_the_report_names_the_applications(tmp_path: Path) -> None:
    summary = summarize_runs(in_applications(tmp_path, threads=SMALL, loop=SMALL), planned())
    page = report_page(summary, [])
    assert "applications threads and loop" in page
    assert server_title("10.11.6-MariaDB") in page
    for name in NAMES:
        assert f">{name}" in page
    headings = re.findall("<h2[^>]*>Against ([^<]*)</h2>", page)
    assert headings == ["5+10.threads", "5+10.loop"]
    one, other = (part.partition("</table>")[0] for part in page.split(">Against ")[-2:])
    assert ("20+0.threads" in one, "20+0.loop" in one) == (True, False)
    assert ("20+0.threads" in other, "20+0.loop" in other) == (False, True)


def test_bigger_is_not_said_to_be_better_across_applications(tmp_path: Path) -> None:
    both = gather(in_applications(tmp_path / "both", threads=SMALL, loop=LARGE))
    drawing = size_curve.draw(both, summarize(both))
    assert drawing
    assert drawing.title == "5+10.loop does 760 requests per second, 5+10.threads 646"
    alone = gather(in_applications(tmp_path / "alone", named=False, threads=SMALL))
    drawing = size_curve.draw(alone, summarize(alone))
    assert drawing
    assert drawing.title.startswith("A bigger pool helps: ")
