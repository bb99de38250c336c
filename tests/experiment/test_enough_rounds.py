"""When `--rounds auto` has enough of them."""

import json
from pathlib import Path

import pytest

from loadtest.experiment.conduct import is_decided
from tests.analysis.builders import experiment


@pytest.mark.parametrize(
    ("objective", "enough"),
    [
        ("", True),
        ("throughput.per_second >= 10/s", True),
        ("throughput.per_second >= 689/s", False),
    ],
)
def test_an_objective_that_is_open_wants_more_rounds(
    tmp_path: Path, objective: str, enough: bool
) -> None:
    """With 20+0 about 689 are done: every pool is told from the others, but not from the bound."""
    folder = experiment(tmp_path)
    path = folder / "experiment.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "objective": objective}))
    assert is_decided(folder) == enough
