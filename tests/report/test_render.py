"""From run files to a report."""

import json
import os
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree

import pytest

from benchmarks.report import _example
from loadtest.model.errors import UsageError
from loadtest.model.summary import Summary
from loadtest.report.render import render
from tests.analysis.builders import experiment, interval, run, steady
from tests.conftest import ROOT
from tests.report.pages import figureless

FIGURES = {
    *("sizes.svg", "waits.svg", "phases.svg", "connections.svg", "errors.svg", "generator.svg"),
}


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path, Summary]:
    """The folders of an experiment and of its report, and the summary."""
    folder = tmp_path_factory.mktemp("whole")
    runs, out = experiment(folder / "in"), folder / "out"
    return runs, out, render([runs], out)


def test_a_whole_experiment_leaves_all_it_should(whole: tuple[Path, Path, Summary]) -> None:
    _, out, summary = whole
    assert {path.name for path in out.iterdir()} == {"summary.json", "report.html", "figures"}
    assert {path.name for path in (out / "figures").iterdir()} == FIGURES
    assert json.loads((out / "summary.json").read_text()) == summary.to_json()
    assert [pool.name for pool in summary.pools] == ["default", "20+0", "seed"]
    assert summary.pool("20+0").throughput.per_second == pytest.approx(689, rel=0.05)
    assert summary.pool("seed").errors.rate == pytest.approx(142 / 224, rel=0.1)
    assert summary.verdict.recommended == "20+0"


def test_figures_are_sound_svg_with_a_title(whole: tuple[Path, Path, Summary]) -> None:
    _, out, _ = whole
    for path in (out / "figures").iterdir():
        root = ElementTree.parse(path).getroot()
        assert root.tag == "{http://www.w3.org/2000/svg}svg"
        first = root.find("{http://www.w3.org/2000/svg}text")
        assert first is not None
        assert len(first.text or "") > 20


def test_rendering_again_is_the_same_and_leaves_no_old_figures(
    whole: tuple[Path, Path, Summary],
) -> None:
    runs, out, _ = whole
    before = (out / "report.html").read_bytes()
    (out / "figures" / "old.svg").write_text("<svg/>")
    render([runs], out)
    assert (out / "report.html").read_bytes() == before
    assert {path.name for path in (out / "figures").iterdir()} == FIGURES


def test_a_run_cut_off_in_the_middle_of_a_line_is_read_as_far_as_it_is_sound(
    tmp_path: Path,
) -> None:
    [one] = steady(tmp_path, "20+0", [700], seconds=4)
    lines = one.path.read_bytes().splitlines(keepends=True)
    one.path.write_bytes(b"".join(lines[:3]) + lines[3][:200])
    summary = figureless(tmp_path, out=tmp_path)
    pool = summary.pool("20+0")
    assert (pool.seconds, pool.throughput.per_second) == (2.0, 700.0)
    assert {finding.evidence["problem"].split(" (")[0] for finding in pool.findings} == {
        "line 4 is damaged",
        "interrupted: the file has no footer",
    }
    assert "20+0-1.jsonl: line 4 is damaged" in (tmp_path / "report.html").read_text()


def test_a_file_that_is_no_run_is_named_and_left_out(tmp_path: Path) -> None:
    steady(tmp_path, "20+0", [700])
    (tmp_path / "runs" / "broken.jsonl").write_text("nonsense\n")
    (tmp_path / "experiment.json").write_text("{")
    summary = figureless(tmp_path, out=tmp_path)
    first, second = summary.experiment["problems"]
    assert first.endswith("broken.jsonl is not a run file: the first line is not a header")
    assert "experiment.json cannot be read" in second
    assert "broken.jsonl is not a run file" in (tmp_path / "report.html").read_text()


def test_no_readable_run_at_all_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "runs").mkdir()
    (tmp_path / "runs" / "broken.jsonl").write_text("nonsense\n")
    with pytest.raises(UsageError, match="is not a run file"):
        render([tmp_path], tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_a_place_that_cannot_be_written_is_an_error(tmp_path: Path) -> None:
    steady(tmp_path, "20+0", [700])
    (tmp_path / "out").write_text("a file")
    with pytest.raises(UsageError, match="cannot write the report"):
        render([tmp_path], tmp_path / "out")


@pytest.mark.parametrize("parts", [[], [interval(period="warmup")], [interval(unfinished=[5])]])
def test_runs_that_say_next_to_nothing_still_have_a_report(
    tmp_path: Path, parts: list[object]
) -> None:
    run(tmp_path, parts, reason=None)  # type: ignore[arg-type]
    summary = render([tmp_path], tmp_path)
    assert not summary.pools[0].valid
    assert "not valid" in (tmp_path / "report.html").read_text()


def test_single_runs_of_several_folders_are_read_together(tmp_path: Path) -> None:
    steady(tmp_path / "a", "20+0", [700], started=1)
    [other] = steady(tmp_path / "b", "5+10", [300], started=2)
    summary = figureless(tmp_path / "a", other.path, out=tmp_path / "out")
    assert [pool.name for pool in summary.pools] == ["20+0", "5+10"]
    assert summary.verdict.recommended is None


def test_a_reader_never_sees_half_a_summary(tmp_path: Path) -> None:
    """It is written beside and moved: a reader that has it open keeps the whole old one."""
    steady(tmp_path, "20+0", [700])
    (tmp_path / "summary.json").write_text("the old one")
    with (tmp_path / "summary.json").open() as old:
        figureless(tmp_path, out=tmp_path)
        assert old.read() == "the old one"


def test_the_report_loads_nothing_of_the_measuring_half() -> None:
    code = (
        "import pkgutil, sys, loadtest.analysis, loadtest.report\n"
        "for package in (loadtest.analysis, loadtest.report):\n"
        "    for module in pkgutil.walk_packages(package.__path__, package.__name__ + '.'):\n"
        "        __import__(module.name)\n"
        "assert 'loadtest.report.figures.wait_percentiles' in sys.modules\n"
        "found = {name.split('.')[0] for name in sys.modules}\n"
        "found |= {'.'.join(name.split('.')[:2]) for name in sys.modules}\n"
        "measuring = {f'loadtest.{room}' for room in ('pool', 'load', 'database', 'live')}\n"
        "print(*sorted(found & ({'locust', 'gevent', 'sqlalchemy', 'matplotlib'} | measuring)))\n"
    )
    root = Path(__file__).parents[2]
    result = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "PYTHONPATH": str(root)},
    )
    assert result.stdout.strip() == ""


def test_three_rounds_of_a_minute_for_three_pools_make_no_large_page(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(ROOT)  # the benchmark reads the example from there
    assert _example(tmp_path, rounds=3, seconds=60) == 9
    render([tmp_path], tmp_path)
    assert 100_000 < (tmp_path / "report.html").stat().st_size < 2_000_000
