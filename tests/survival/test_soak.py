"""The soak in short: the command, what it writes, and that it notices what is wrong."""

from __future__ import annotations

import json
import subprocess
import sys
import xml.etree.ElementTree as ET
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from benchmarks.soak import Watched, _grown
from loadtest.runfile.reader import read_run
from tests.conftest import ROOT, without_database


@pytest.mark.server
@pytest.mark.long
def test_full_speed_in_overflow_with_faults_for_a_short_while(tmp_path: Path) -> None:
    ended = subprocess.run(
        [sys.executable, "-m", "benchmarks.soak", "--minutes", "0.4", "-o", str(tmp_path)],
        cwd=ROOT,
        env=without_database(),
        capture_output=True,
        text=True,
        check=False,
    )

    assert ended.returncode == 0, ended.stdout + ended.stderr
    result = json.loads((tmp_path / "soak.json").read_text())
    assert json.loads(ended.stdout).items() <= result.items()
    assert result["balance"] == 0
    assert 2 * result["requests"] >= result["moves"] >= result["moves_known_of"] > 0
    assert result["file_is_its_footer"]
    assert result["wrong_pages"] == []
    assert result["scrapes"] >= 1
    assert result["connections_opened"] > 100, "constant overflow"
    assert result["faults"] == 4
    assert result["memory_mebibytes"]["most"] < 1.5 * result["memory_mebibytes"]["first"]
    file = result["file_bytes_per_second"]
    assert 0 < file["mean"] < 20_000
    assert file["late"] < 2 * file["early"]
    assert file["longest_line"] < 20_000
    assert len(result["curves"]["memory_bytes"]) >= 20
    assert list(read_run(tmp_path / "soak.jsonl").problems) == []
    ET.parse(tmp_path / "soak.svg")


class TestPages:
    """A page of metrics has to be the file's totals at the end of some second."""

    def seen(self, page: dict[str, float], *totals: int) -> list[str]:
        """What is wrong with a page that was asked for before these totals were known."""
        watched = Watched(0)
        watched._page = page
        for total in totals:
            watched.totals = Counter(checkouts=total, opened=1)
            watched._check()
        return watched.wrong

    def test_one_that_is_a_second_ahead_of_what_was_read_is_right(self) -> None:
        assert self.seen({"checkouts": 9.0, "opened": 1.0}, 5, 9, 14) == []

    def test_one_that_is_between_two_seconds_is_wrong(self) -> None:
        assert len(self.seen({"checkouts": 9.0, "opened": 1.0}, 5, 10)) == 1


def test_growth_is_that_of_an_hour_once_it_has_settled() -> None:
    at = [float(second) for second in range(100)]
    values = [100.0 + (0.0 if second < 20 else second * 0.01) for second in range(100)]
    grown = _grown(at, np.array(values))
    assert grown["per_hour"] == pytest.approx(36.0)
