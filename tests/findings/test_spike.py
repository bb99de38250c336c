"""Fifty requests at once where a new connection takes long."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from loadtest.analysis.comparison.verdict import verdict_exit_code
from loadtest.analysis.summarize import summarize_runs
from tests.conftest import ROOT
from tests.findings.runs import Provoked

pytestmark = [pytest.mark.provoked, pytest.mark.alone]
Loadtest = Callable[..., subprocess.CompletedProcess[str]]


def _experiment(folder: Path) -> Path:
    """The shipped experiment, one round of it and without its third pool."""
    text = (ROOT / "scenarios" / "spike.toml").read_text()
    text = text.replace("rounds = 5", "rounds = 1").partition('[[pool]]\nname = "ready"')[0]
    path = folder / "spike.toml"
    scenario = ROOT / "scenarios" / "point_select.py"
    path.write_text(text.replace("point_select.py", str(scenario)))
    return path


def test_connections_that_a_spike_opened_for_nothing_are_found(
    provoked: Provoked, loadtest: Loadtest
) -> None:
    def provoke(folder: Path) -> dict[str, Path]:
        ended = loadtest(
            "compare", _experiment(folder), "--results", folder, cwd=ROOT, repeats=True
        )
        assert ended.returncode in (4, 5), ended.stderr  # 4: on a busy machine it says so
        return {name: folder / "latest" / "runs" / f"{name}-1.jsonl" for name in ("grows", "waits")}

    runs = provoked.runs("spike", provoke)
    summary = summarize_runs([runs["grows"], runs["waits"]])
    grows, waits = summary.pools
    assert verdict_exit_code(summary) == (5 if grows.valid and waits.valid else 4), (
        "one round is too few"
    )
    evidence = {f.code: f.evidence for f in grows.findings}["opened_in_vain"]
    assert 30 <= evidence["opened"] <= 45
    assert evidence["needed"] == 5
    assert evidence["served_in"] < 0.15 <= evidence["connect"]
    assert "opened_in_vain" not in {f.code for f in waits.findings}
    assert [(s.name, s.opened) for s in waits.stages] == [("quiet", 0), ("spike", 0)]
    assert waits.stages[1].connections_peak == 5
    # Who waited was served sooner than who connected.
    assert waits.stages[1].request_seconds.p95 < evidence["connect"]
    assert grows.stages[1].request_seconds.p95 >= 0.15
