"""Each mistake of an application is found when the application is driven."""

from __future__ import annotations

import json
import shlex
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import long
from tests.driving import troubled_applications as troubled
from tests.driving.applications import VISITORS
from tests.processes import ended_here, free_port
from tests.recording.driven import tool_end


def driven(folder: Path, script: str, users: int, seconds: int) -> dict[str, Any]:
    """The summary of the pool of an application that some visitors have driven."""
    (folder / "app.py").write_text(script)
    (folder / "visitors.py").write_text(VISITORS.format(path="/rows"))
    port = free_port()
    words = shlex.join([sys.executable, "app.py", str(port), "rows.db"])
    options = ["--app", words, "--ready", f"http://127.0.0.1:{port}/health", "-u", str(users)]
    more = ["-t", f"{seconds}s", "--warmup", "1s"]
    with tool_end(folder) as tool:
        orders = tool.orders().variables()
        command = ("run", "visitors.py", *options, *more)
        ended = ended_here(folder / "log", *command, cwd=folder, env=orders)
    written = next((folder / "reports").glob("*-*/summary.json"), None)
    assert written, ended.output
    (pool,) = json.loads(written.read_text())["pools"]
    return dict(pool)


@pytest.mark.parametrize(
    ("code", "script", "users", "seconds"),
    [
        ("pool_below_concurrency", troubled.SMALL_POOL, 6, 3),
        long("pool_timeouts_as_5xx", troubled.IMPATIENT, 4, 3),
        long("application_bound", troubled.COMPUTING, 2, 3),
        long("application_unseen", troubled.UNSEEN, 2, 8),
        long("application_restarted", troubled.RESTARTING, 2, 7),
        long("blocked_event_loop", troubled.BLOCKING, 4, 3),
        long("held_while_streaming", troubled.STREAMING, 4, 6),
    ],
)
def test_it_is_found(tmp_path: Path, code: str, script: str, users: int, seconds: int) -> None:
    pool = driven(tmp_path, script, users, seconds)
    found = {one["code"]: one["message"] for one in pool["findings"]}
    assert code in found, found
    assert pool["application"]["processes"]
