"""Fifty requests at once where a new connection takes long."""

import json
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import ROOT

pytestmark = pytest.mark.database


@pytest.fixture(scope="module")
def spike(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The shipped experiment, one round of it and without its third pool."""
    text = (ROOT / "scenarios" / "spike.toml").read_text()
    text = text.replace("rounds = 5", "rounds = 1").partition('[[pool]]\nname = "ready"')[0]
    path = tmp_path_factory.mktemp("spike") / "spike.toml"
    scenario = ROOT / "scenarios" / "point_select.py"
    path.write_text(text.replace("point_select.py", str(scenario)))
    return path


def test_connections_that_a_spike_opened_for_nothing_are_found(
    spike: Path, tmp_path: Path, loadtest: Callable[..., subprocess.CompletedProcess[str]]
) -> None:
    ended = loadtest("compare", spike, "--results", tmp_path)

    assert ended.returncode == 5, ended.stderr  # one round decides nothing
    pools: dict[str, dict[str, Any]] = {
        pool["name"]: pool
        for pool in json.loads((tmp_path / "latest" / "summary.json").read_text())["pools"]
    }
    grows, waits = pools["grows"], pools["waits"]
    evidence = {f["code"]: f["evidence"] for f in grows["findings"]}["opened_in_vain"]
    assert 30 <= evidence["opened"] <= 45
    assert evidence["needed"] == 5
    assert evidence["served_in"] < 0.15 <= evidence["connect"]
    assert "opened_in_vain" not in {f["code"] for f in waits["findings"]}
    assert [(s["name"], s["opened"]) for s in waits["stages"]] == [("quiet", 0), ("spike", 0)]
    assert waits["stages"][1]["connections_peak"] == 5
    # Who waited was served sooner than who connected.
    assert waits["stages"][1]["request_seconds"]["p95"] < evidence["connect"]
    assert grows["stages"][1]["request_seconds"]["p95"] >= 0.15
