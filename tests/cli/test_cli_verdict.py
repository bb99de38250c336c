"""What a comparison on a real database says where the right answer is known."""

import json
from pathlib import Path

import pytest

from tests.cli.test_cli import Loadtest
from tests.conftest import ROOT

pytestmark = [pytest.mark.long, pytest.mark.alone, pytest.mark.server]


def test_a_pool_that_is_too_small_is_the_worst_choice(loadtest: Loadtest, tmp_path: Path) -> None:
    """Ten users who hold a connection nearly all the time: three serve three tenths of them."""
    pools = ("--pool", "ten:10+0", "--pool", "three:3+0")
    ended = loadtest(
        *("compare", ROOT / "scenarios" / "held_connection.py", "-u", 10, "-t", "2s"),
        *("--warmup", "1s", *pools, "--rounds", 5, "--json", "-q", "--results", tmp_path),
        repeats=True,
    )
    assert ended.returncode == 0, ended.stderr
    summary = json.loads(ended.stdout)
    found = {one["pool"]: one for one in summary["comparisons"] if one["role"] == "primary"}
    assert found["three"]["decision"] == "worse"
    assert 0.15 < found["three"]["ratio"] < 0.5
    assert summary["verdict"]["recommended"] == "ten"
    said = summary["verdict"]["text"].splitlines()
    assert "95 % interval" in said[0]
    assert any(line.startswith("The worst choice is three") for line in said)
