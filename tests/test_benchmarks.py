"""What benchmarks do beside others on the same machine."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import pytest

from benchmarks import overhead, recorded_whatif, startup

PORTS = re.compile(r"--(?:web|metrics)-port (\S+)")


@pytest.mark.parametrize("name", ["measured", "page"])
def test_a_way_of_the_overhead_has_ports_that_the_system_chose(name: str, tmp_path: Path) -> None:
    given = PORTS.findall(" ".join(overhead.WAYS[name]))
    assert given
    assert all(port in ("{web}", "{metrics}") for port in given)
    used = {port for _ in range(2) for port in PORTS.findall(" ".join(_command(name, tmp_path)))}
    assert len(used) == 2 * len(given)
    assert all(1024 < int(port) < 65536 for port in used)


def _command(name: str, folder: Path) -> list[str]:
    return overhead.command(overhead.WAYS[name], overhead.places(name, folder))


def test_a_way_without_ports_is_started_as_it_is_written(tmp_path: Path) -> None:
    assert _command("bare", tmp_path) == [sys.executable, *overhead.WAYS["bare"]]


def test_the_start_of_a_command_is_measured_with_compiled_modules(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYTHONDONTWRITEBYTECODE", "1")
    environment = startup.compiled_environment(str(tmp_path))
    startup.cpu_seconds([sys.executable, "-c", "import loadtest"], environment)
    assert list(tmp_path.rglob("loadtest/__init__*.pyc"))


def test_the_arrivals_at_a_recorded_pool_are_repeated_and_rise_and_fall() -> None:
    moments = recorded_whatif.arrivals(400, 20, seed=1)
    assert moments == recorded_whatif.arrivals(400, 20, seed=1)
    assert moments == sorted(moments)
    assert len(moments) == pytest.approx(8000, rel=0.05)
    busy = sum(moment < 100 for moment in moments)
    quiet = sum(100 <= moment < 200 for moment in moments)
    assert 1.2 < busy / quiet < 1.8
