"""What the machine of the load generator did or allows."""

from __future__ import annotations

from pathlib import Path

import pytest

from loadtest.model.interval import Interval
from tests.analysis.builders import SECOND, interval, run
from tests.findings.runs import Found, found

HOST = {"cpus": 2, "open_files": 1000, "local_ports": 1000}


@pytest.mark.parametrize("step", [0, SECOND // 4])
def test_a_clock_that_was_set_is_told(tmp_path: Path, step: int) -> None:
    parts = [interval(second, counters={"requests": 9}) for second in range(3)]
    parts[1].counters["clock_step"] = step
    findings = found(run(tmp_path, parts))
    assert ("clock_steps" in findings) == bool(step)
    if step:
        assert findings["clock_steps"].evidence == {"seconds": 0.25}


def test_processes_of_one_machine_have_one_clock(tmp_path: Path) -> None:
    parts = [interval(process=name, counters={"clock_step": SECOND}) for name in ("a", "b")]
    assert found(run(tmp_path, parts))["clock_steps"].evidence == {"seconds": 1.0}


def _on_a_small_machine(folder: Path, *parts: Interval) -> Found:
    return found(run(folder, parts, host=HOST))


def _second(process: str = "p1", open_: int = 1, opened: int = 0, number: int = 0) -> Interval:
    counters = {"requests": 9, "opened": opened}
    return interval(number, process=process, counters=counters, gauges={"open": open_})


def test_connections_near_the_limit_of_open_files_are_told(tmp_path: Path) -> None:
    findings = _on_a_small_machine(tmp_path, _second(open_=801))
    evidence = findings["little_headroom"].evidence
    assert evidence == {"what": "open files", "needed": 801, "limit": 1000}
    assert "little_headroom" not in _on_a_small_machine(tmp_path, _second(open_=800))


def test_every_process_has_open_files_of_its_own(tmp_path: Path) -> None:
    two = (_second("a", open_=450), _second("b", open_=450))
    assert "little_headroom" not in _on_a_small_machine(tmp_path, *two)


def test_connections_opened_so_fast_that_local_ports_run_out_are_told(tmp_path: Path) -> None:
    parts = [_second(opened=450, number=second) for second in range(2)]
    evidence = _on_a_small_machine(tmp_path, *parts)["little_headroom"].evidence
    assert evidence == {"what": "local ports", "needed": 900, "limit": 1000}


def test_local_ports_come_back_after_a_minute(tmp_path: Path) -> None:
    parts = [_second(opened=10, number=second) for second in range(90)]
    assert "little_headroom" not in _on_a_small_machine(tmp_path, *parts)
