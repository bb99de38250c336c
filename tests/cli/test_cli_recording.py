"""`loadtest report` of a recording: options, bad input, a recording that is being written."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.analysis.builders import interval, run
from tests.analysis.recorded_pools import write_recording
from tests.analysis.recorded_shop import LIST, paying_shop, quick, second
from tests.cli.test_cli import Loadtest


def test_a_recording_gets_a_report_and_a_verdict(loadtest: Loadtest, tmp_path: Path) -> None:
    folder = tmp_path / "shop-20250615-150640"
    paying_shop(folder / "runs")
    (tmp_path / "latest").symlink_to(folder.name)
    ended = loadtest("report", tmp_path / "latest")
    assert ended.returncode == 0, ended.stderr
    assert "The pool of `shop` was full for 30.0 s from 15:06:50 UTC." in ended.stdout
    assert (folder / "report.html").exists()


def test_the_summary_of_its_busiest_time_for_machines(loadtest: Loadtest, tmp_path: Path) -> None:
    folder = paying_shop(tmp_path / "recordings")
    ended = loadtest("report", folder, "--busiest", "20s", "--json", "-o", tmp_path / "out")
    assert json.loads(ended.stdout)["pools"][0]["full_seconds"] == 20
    assert not (folder / "report.html").exists()


def test_one_of_two_applications_is_chosen(loadtest: Loadtest, tmp_path: Path) -> None:
    rows = [second(0, {LIST: quick()})]
    write_recording(tmp_path, rows)
    write_recording(tmp_path, rows, "mail-1", name="shop.mail")
    ended = loadtest("report", tmp_path)
    assert ended.returncode == 2
    assert "different applications (shop.mail and shop.web)" in ended.stderr
    assert loadtest("report", tmp_path, "--application", "shop.mail").returncode == 0


@pytest.mark.parametrize("option", ["--since", "--until", "--busiest", "--application"])
def test_a_load_test_has_no_part_of_its_time(
    loadtest: Loadtest, tmp_path: Path, option: str
) -> None:
    run(tmp_path, [interval(0)])
    ended = loadtest("report", tmp_path, option, "60s")
    assert ended.returncode == 2
    assert ended.stderr == f"{option} is for recordings; this is a result of a load test\n"


def test_wrong_times_are_refused(loadtest: Loadtest, tmp_path: Path) -> None:
    folder = paying_shop(tmp_path)
    ended = loadtest("report", folder, "--since", "noon")
    assert (ended.returncode, ended.stderr[:22]) == (2, "'noon' is not a time; ")
    ended = loadtest("report", folder, "--busiest", "long")
    assert (ended.returncode, ended.stderr[:24]) == (2, "--busiest: 'long' is not")


def test_a_report_of_nothing_says_what_is_missing(loadtest: Loadtest) -> None:
    ended = loadtest("report")
    assert (ended.returncode, ended.stdout) == (2, "")
    words = " ".join(ended.stderr.replace("│", " ").split())
    assert "Missing argument 'result': run files, recordings, or folders of either." in words


def test_a_recording_without_a_checkout_is_named(loadtest: Loadtest, tmp_path: Path) -> None:
    write_recording(tmp_path, [interval(0)])
    ended = loadtest("report", tmp_path)
    assert ended.returncode == 2
    assert ended.stderr.startswith("the recording of shop has no checkout: the application made")
