"""When `--rounds auto` has enough of them."""

import json
from pathlib import Path

import pytest

from loadtest.experiment.conduct import is_decided
from tests.analysis.builders import experiment, steady


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


def test_pools_that_the_load_never_used_up_need_no_more_rounds(tmp_path: Path) -> None:
    for number, pool in enumerate(("5+10", "20+0"), start=1):
        rounds = [100, 130, 80, 110, 90][number:] + [100, 130, 80, 110, 90][:number]
        steady(tmp_path, pool, rounds, peak=2, started=number)
    assert is_decided(tmp_path)
