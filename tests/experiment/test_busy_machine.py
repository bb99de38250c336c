"""Other programs that use the processors are told before a run, and by the checks of a machine."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from loadtest.database.preflight.checks import machine_busy_check
from loadtest.database.preflight.other_programs import OtherPrograms
from loadtest.experiment import conduct as conducting
from loadtest.experiment.rounds import ScenarioFacts
from tests.database.test_checks import check
from tests.experiment.test_task_trial import Steps, experiment

PROGRAMS = [{"name": name, "share": share} for name, share in [("gzip", 0.43), ("cc1", 0.12)]]


def test_the_busiest_programs_are_named_with_their_shares() -> None:
    found = machine_busy_check(
        [*PROGRAMS, {"name": "sh", "share": 0.05}, {"name": "x", "share": 0}]
    )
    assert (found.code, found.severity) == ("machine_busy", "warning")
    assert found.message == (
        "other programs use 60 % of the processors (gzip 43 %, cc1 12 %, sh 5 %)"
    )
    assert found.advice.startswith("stop them, or use an idle machine")
    assert found.evidence["share"] == pytest.approx(0.60)


@pytest.mark.parametrize(("share", "severity"), [(0.0, "ok"), (0.24, "ok"), (0.25, "warning")])
def test_a_quarter_of_the_processors_is_a_warning(share: float, severity: str) -> None:
    assert check("machine_busy", others=[{"name": "gzip", "share": share}]).severity == severity


@pytest.mark.parametrize("programs", [PROGRAMS, []])
def test_a_command_says_so_before_the_trial_and_goes_on(
    programs: list[dict[str, Any]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    steps, console = Steps(monkeypatch), Console(record=True, width=200)
    monkeypatch.setattr(OtherPrograms, "shares", lambda self: programs)
    conducting.conduct(experiment(), "", tmp_path, console, quiet=True, runs=steps.run)
    text = console.export_text()
    told = text.partition(
        "Warning: other programs use 55 % of the processors (gzip 43 %, cc1 12 %)"
    )
    assert bool(told[1]) is bool(programs)
    if programs:
        assert "Tried once before the load" in told[2]
    assert steps.done[-2:] == ["run", "left"]


def test_the_programs_are_counted_while_the_scenario_is_checked(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    Steps(monkeypatch)
    events: list[str] = []

    def checked(*_: Any, **__: Any) -> ScenarioFacts:
        events.append("check")
        return ScenarioFacts([], [], "x")

    def shares(self: OtherPrograms) -> list[dict[str, Any]]:
        return events.append("end") or []

    monkeypatch.setattr(OtherPrograms, "__init__", lambda self: events.append("begin"))
    monkeypatch.setattr(OtherPrograms, "shares", shares)
    monkeypatch.setattr(conducting, "check_scenario", checked)
    conducting.only_try(experiment(), "", Console(), quiet=True)
    assert events == ["begin", "check", "end"]
