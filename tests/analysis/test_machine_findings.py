"""A machine whose processors are all busy, and which of the programs on it are the cause."""

from __future__ import annotations

from pathlib import Path

import pytest

from loadtest.load.machine_processors import machine_cpu
from loadtest.model.interval import SECOND, SERVER
from loadtest.model.summary import Finding
from tests.analysis.builders import interval
from tests.analysis.driven_pools import SECONDS, driven_pool, findings_of, load, web


def findings(
    folder: Path, busy: float | None, *, cpu: int = 700, full: int = 10
) -> dict[str, Finding]:
    """The findings about a run on a machine that was this busy for its first seconds."""
    requests = load()
    for second, one in enumerate(requests):
        if busy is not None:
            one.counters["machine_cpu"] = round((busy if second < full else 0.5) * SECOND)
    server = [interval(n, process=SERVER, counters={"cpu": 6 * SECOND // 10}) for n in SECONDS]
    return findings_of(driven_pool(folder, [*requests, *server], web(cpu=cpu)))


def test_a_machine_without_a_free_processor_is_the_limit(tmp_path: Path) -> None:
    found = findings(tmp_path, 0.98)["machine_bound"]
    assert found.severity == "info"
    assert found.message.startswith(
        "The machine is the bottleneck: all of its processors were busy in 100 % of the measured "
        "time. Processors in use on average: load generator 0.5, application 0.7 and database "
        "server 0.6."
    )
    assert found.evidence["share"] == 1


def test_other_programs_have_the_rest(tmp_path: Path) -> None:
    found = findings(tmp_path, 0.98, cpu=100)["machine_bound"]
    assert found.evidence["processors"]["other programs"] == pytest.approx(0.76)
    assert "database server 0.6 and other programs 0.8." in found.message


@pytest.mark.parametrize(("busy", "full"), [(0.9, 10), (None, 10), (0.98, 5)])
def test_a_machine_with_room_is_not(tmp_path: Path, busy: float | None, full: int) -> None:
    assert "machine_bound" not in findings(tmp_path, busy, full=full)


def test_the_application_alone_is_named_alone(tmp_path: Path) -> None:
    found = findings(tmp_path, 0.98, cpu=980)
    assert "application_bound" in found
    assert "machine_bound" not in found


def test_the_time_of_busy_processors_rises() -> None:
    before = machine_cpu()
    assert 0 < before <= machine_cpu()
