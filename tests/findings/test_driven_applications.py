"""Each mistake of an application is found when the application is driven."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from functools import partial
from pathlib import Path

import pytest

from loadtest.analysis.summarize import summarize_runs
from tests.driving.applications import VISITORS
from tests.findings import troubled_applications as troubled
from tests.findings.runs import Provoked
from tests.processes import ended_here, free_port

pytestmark = pytest.mark.provoked
# The result does not tell where the Python is that runs the application.
PATH = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")])


def driven(script: str, users: int, seconds: int, folder: Path) -> Mapping[str, Path]:
    """The run in which some visitors drove an application."""
    (folder / "app.py").write_text(script)
    (folder / "visitors.py").write_text(VISITORS.format(path="/rows"))
    port = free_port()
    application = ("--app", f"python app.py {port} rows.db")
    ready = ("--ready", f"http://127.0.0.1:{port}/health")
    load = ("--no-try", "-u", users, "-t", f"{seconds}s", "--warmup", "1s")
    words = ("run", "visitors.py", *application, *ready, *load)
    ended = ended_here(folder / "log", *words, cwd=folder, env={"PATH": PATH})
    found = next((folder / "reports").glob("*-*/runs/*.jsonl"), None)
    assert found, ended.output
    return {"run": found}


@pytest.mark.parametrize(
    ("code", "script", "users", "seconds"),
    [
        ("pool_below_concurrency", troubled.SMALL_POOL, 6, 5),
        ("pool_timeouts_as_5xx", troubled.IMPATIENT, 4, 3),
        pytest.param("application_bound", troubled.COMPUTING, 2, 3, marks=pytest.mark.alone),
        ("application_unseen", troubled.UNSEEN, 2, 8),
        ("application_restarted", troubled.RESTARTING, 2, 7),
        ("blocked_event_loop", troubled.BLOCKING, 4, 5),
        ("held_while_streaming", troubled.STREAMING, 4, 6),
    ],
)
def test_it_is_found(provoked: Provoked, code: str, script: str, users: int, seconds: int) -> None:
    key = f"driven-{code.replace('_', '-')}"
    runs = provoked.runs(key, partial(driven, script, users, seconds))
    (pool,) = summarize_runs(list(runs.values())).pools
    assert code in {finding.code for finding in pool.findings}
    assert pool.application
    assert pool.application.processes
