"""The benchmark that counts instructions: its arithmetic, and the program that is counted."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from benchmarks.instructions import counted, per_session
from tests.conftest import ROOT


def test_instructions_of_a_session_are_the_difference_of_two_processes(tmp_path: Path) -> None:
    told = "plain 1000 17\nplain 2000 18\nmeasured 1000 19\nmeasured 2000 20\n"
    for process, instructions in {17: 900, 18: 1700, 19: 950, 20: 2950}.items():
        text = f"events: Ir\nsummary: {instructions}000\n\ntotals: 1\n"
        (tmp_path / str(process)).write_text(text)

    counts = counted(told, tmp_path)

    assert counts["plain"] == {1000: 900_000, 2000: 1_700_000}
    assert per_session(counts["plain"]) == 800
    assert per_session(counts["measured"]) == 2000


def test_each_user_does_each_number_of_sessions_in_a_process_of_its_own() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks._counted_users", "3", "5"],
        cwd=ROOT,
        env={**os.environ, "PYTHONHASHSEED": "0"},
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 0, done.stderr
    lines = [line.split() for line in done.stdout.splitlines()]
    assert [line[:2] for line in lines] == [
        *(["plain", "3"], ["plain", "5"]),
        *(["measured", "3"], ["measured", "5"]),
    ]
    assert len({process for *_, process in lines}) == 4
