"""What recordings in a folder say, and applications as scripts that are recorded."""

from __future__ import annotations

import gzip
import os
import subprocess
import sys
from collections import Counter
from collections.abc import Coroutine, Mapping
from pathlib import Path
from typing import Any

from sqlalchemy import Engine, QueuePool, create_engine, text

from loadtest.runfile.reader import Run, read_run
from tests.conftest import ROOT, without_database

# An application with an asynchronous engine at this address.
ASYNC_APPLICATION = """
import asyncio
from sqlalchemy.ext.asyncio import create_async_engine
async def main():
    engine = create_async_engine({address!r})
    async with engine.connect() as connection:
        await connection.exec_driver_sql("SELECT 1")
    await engine.dispose()
asyncio.run(main())
"""


def finished(coroutine: Coroutine[Any, Any, Any]) -> Any:
    """The result of a coroutine that waits for nothing: a browser's event loop may run here."""
    try:
        coroutine.send(None)
    except StopIteration as end:
        return end.value
    raise AssertionError("the coroutine waits")


def runs_in(folder: Path) -> list[Run]:
    """The parts in a folder in the order of their names; closed ones are unpacked beside it."""
    unpacked = folder.with_name(f"{folder.name}-unpacked")
    unpacked.mkdir(exist_ok=True)
    found = []
    for path in sorted(folder.glob("*.jsonl*")):
        data = path.read_bytes()
        copy = unpacked / path.name.removesuffix(".gz")
        copy.write_bytes(gzip.decompress(data) if path.suffix == ".gz" else data)
        found.append(read_run(copy))
    return found


def counted_in(*runs: Run) -> Counter[str]:
    """The counters of all intervals together."""
    counters: Counter[str] = Counter()
    for run in runs:
        for interval in run.intervals:
            counters.update(interval.counters)
    return counters


def python(
    script: str, *, cwd: Path, env: Mapping[str, str] | None = None, check: bool = True
) -> subprocess.CompletedProcess[str]:
    """A script in a Python of its own, whose warnings are errors; its recordings are in `cwd`.

    Connections may be open at its end, of which sqlite3 warns since Python 3.13.
    """
    path = os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])
    settings = {"PYTHONPATH": path, "LOADTEST_RECORDING_FOLDER": str(cwd / "recordings")}
    done = subprocess.run(
        [sys.executable, "-W", "error", "-W", "ignore::ResourceWarning", "-c", script],
        check=False,
        cwd=cwd,
        env={**without_database(), **settings, **(env or {})},
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert not check or done.returncode == 0, done.stderr
    return done


def made(poolclass: type[Any] = QueuePool, **settings: Any) -> Engine:
    """An engine on SQLite, whose connections any thread may use."""
    connecting = {"check_same_thread": False}
    return create_engine("sqlite://", poolclass=poolclass, connect_args=connecting, **settings)


def use(engine: Engine, times: int = 1) -> None:
    """Take a connection for one query."""
    for _ in range(times):
        with engine.connect() as connection:
            connection.execute(text("SELECT 1"))
