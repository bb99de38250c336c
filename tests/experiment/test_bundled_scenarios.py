"""`loadtest scenarios`: the scenarios that come with the tool."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from loadtest.experiment import bundled_scenarios
from loadtest.model.errors import UsageError
from loadtest.model.experiment import read_experiment
from tests.conftest import ROOT

Loadtest = Callable[..., "subprocess.CompletedProcess[str]"]


def test_all_are_listed_with_a_line_each_those_that_break_pools_last(loadtest: Loadtest) -> None:
    listed = [line.split(maxsplit=1) for line in loadtest("scenarios").stdout.splitlines()]
    names = [name for name, _ in listed]
    assert set(names) == {path.stem for path in (ROOT / "scenarios").glob("*.toml")}
    assert names == sorted(names, key=lambda name: (name[0] == "_", name))
    told = dict(listed)
    assert told["hot_row"] == "A flash sale: many customers buy two of a few popular articles."
    assert told["spike"].startswith("50 requests at once on a pool with five idle connections")
    assert all(len(line) > 30 for line in told.values())


@pytest.mark.parametrize("name", bundled_scenarios.scenario_names())
def test_each_can_be_copied_and_read_from_there(name: str, tmp_path: Path) -> None:
    scenario, experiment = bundled_scenarios.copy_scenario(name, tmp_path / "new" / "folder")
    assert read_experiment(experiment).scenario == scenario
    assert scenario.read_bytes() == (ROOT / "scenarios" / scenario.name).read_bytes()


def test_what_was_changed_is_not_written_over(tmp_path: Path) -> None:
    scenario, experiment = bundled_scenarios.copy_scenario("spike", tmp_path)
    bundled_scenarios.copy_scenario("point_select", tmp_path)  # the same scenario once more
    scenario.write_text("mine")
    experiment.write_text("mine, too")
    with pytest.raises(UsageError) as refused:
        bundled_scenarios.copy_scenario("spike", tmp_path)
    assert str(refused.value).count("exists and differs") == 2
    assert (scenario.read_text(), experiment.read_text()) == ("mine", "mine, too")


def test_a_copy_says_what_to_do_next_and_a_mistake_what_there_is(
    loadtest: Loadtest, tmp_path: Path
) -> None:
    done = loadtest("scenarios", "hot_row", "-o", tmp_path)
    assert done.stdout.splitlines() == [
        f"wrote {tmp_path}/hot_row.py",
        f"wrote {tmp_path}/hot_row.toml",
        f"Next: loadtest compare {tmp_path}/hot_row.toml --dry-run",
    ]
    wrong = loadtest("scenarios", "hot-row")
    assert wrong.returncode == 2
    assert "there is no scenario hot-row; choose from held_connection, hot_row" in wrong.stderr
    nothing = loadtest("scenarios", "-o", tmp_path)
    assert (nothing.returncode, nothing.stdout) == (2, "")
    assert "name the scenario" in nothing.stderr
    file = tmp_path / "file"
    file.touch()
    assert "cannot write in" in loadtest("scenarios", "spike", "-o", file).stderr
