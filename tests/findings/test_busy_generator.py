"""Runs that measured the load generator, as a person sees them who starts the tool."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import URL

from tests.conftest import without_database
from tests.findings.runs import SCENARIOS

pytestmark = pytest.mark.database


class Tool:
    """What `loadtest run` left: its exit code, the summary of its one pool, the page's banner."""

    def __init__(self, code: int, folder: Path) -> None:
        self.code = code
        (self.pool,) = json.loads((folder / "summary.json").read_text())["pools"]
        self.findings = {finding["code"]: finding for finding in self.pool["findings"]}
        _, _, rest = (folder / "report.html").read_text().partition('role="alert"')
        self.banner = rest[: rest.find("</section>")]


@pytest.fixture
def tool(
    loadtest: Callable[..., subprocess.CompletedProcess[str]], tmp_path: Path, url: URL
) -> Callable[..., Tool]:
    def run(scenario: str, *arguments: Any) -> Tool:
        load = ("-u", 5, "-t", "3s", "--warmup", "1s", "--results", tmp_path)
        address = url.render_as_string(hide_password=False)
        ended = loadtest(
            *("run", SCENARIOS / scenario, *load, *arguments),
            env={**without_database(), "LOADTEST_DATABASE_URL": address},
        )
        assert (tmp_path / "latest").exists(), ended.stderr
        return Tool(ended.returncode, tmp_path / "latest")

    return run


def test_work_in_python_makes_the_generator_the_bottleneck(tool: Callable[..., Tool]) -> None:
    ended = tool("busy.py")
    assert ended.code == 4
    assert not ended.pool["valid"]
    assert ended.findings["generator_bound"]["evidence"]["share"] > 0.2
    assert "This measurement is not valid" in ended.banner
    assert "it was measured, not the pool" in ended.banner


def test_a_call_that_blocks_the_event_loop_makes_everybody_late(tool: Callable[..., Tool]) -> None:
    ended = tool("blocking.py", "--option", "sleep=blocking")
    assert ended.code == 4
    assert not ended.pool["valid"]
    assert ended.findings["generator_lag"]["severity"] == "error"
    assert "generator_bound" not in ended.findings
    assert "This measurement is not valid" in ended.banner
    assert "event loop was late" in ended.banner


def test_a_call_that_yields_makes_nobody_late(tool: Callable[..., Tool]) -> None:
    ended = tool("blocking.py", "--option", "sleep=yielding")
    assert ended.code == 0
    assert ended.pool["valid"]
    assert not {"generator_lag", "generator_bound"} & ended.findings.keys()
    assert ended.banner == ""
