"""The recorded runs: sound, small, and from no place in particular."""

from __future__ import annotations

import re

from loadtest.runfile.reader import read_run
from tests.conftest import ROOT
from tests.findings.runs import RECORDED

PLACES = re.compile(rf"{ROOT}|/(?:tmp|root|home|work|var)/|://[^/\s]*@")


def test_every_recorded_run_is_read_without_problems() -> None:
    runs = [read_run(path) for path in RECORDED.rglob("*.jsonl")]
    assert len(runs) > 20
    assert [run.path for run in runs if run.problems or not run.finished] == []


def test_no_recorded_run_tells_where_it_was_made() -> None:
    for path in RECORDED.rglob("*.jsonl"):
        assert PLACES.findall(path.read_text()) == [], path


def test_recorded_runs_are_small() -> None:
    assert sum(path.stat().st_size for path in RECORDED.rglob("*.jsonl")) < 1_500_000
