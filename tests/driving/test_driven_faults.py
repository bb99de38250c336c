"""Faults between an application and its database: on its own server, and on a private one."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from sqlalchemy import URL

from loadtest.model.interval import total
from loadtest.runfile.reader import Run, read_run
from loadtest.runfile.schema import RecordedFault
from tests.driving.applications import MEASURED, Driven, drive
from tests.driving.test_foreign_application import ON_SERVER, at

pytestmark = [pytest.mark.server, pytest.mark.long]
LOAD = ("-t", "9s", "--pool", "2+0")
# A server of asyncio in place of the usual one. Requests of `/rows` fail if the database does.
ASYNC = """
import os, sys, uvicorn
from sqlalchemy import text
from sqlalchemy.ext.asyncio import create_async_engine
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse
from starlette.routing import Route

engine = create_async_engine(os.environ["SHOP_URL"])

async def health(request):
    return PlainTextResponse("ok")

async def rows(request):
    try:
        async with engine.connect() as connection:
            await connection.execute(text("SELECT 1"))
    except Exception as error:
        print(type(error).__name__, flush=True)
        return PlainTextResponse("down", status_code=503)
    return PlainTextResponse("ok")

app = Starlette(routes=[Route("/health", health), Route("/rows", rows)])
uvicorn.run(app, port=int(sys.argv[1]), log_level="warning")
"""


class Broken(NamedTuple):
    """A run with faults that has ended."""

    driven: Driven
    run: Run
    pool: dict[str, Any]

    @classmethod
    def of(cls, driven: Driven) -> Broken:
        assert driven.code in MEASURED, driven.process.output
        folder = driven.runs.parent
        (pool,) = json.loads((folder / "summary.json").read_text())["pools"]
        return cls(driven, read_run(driven.runs / "2+0-1.jsonl"), pool)

    def told(self) -> tuple[RecordedFault, ...]:
        """What happened, of which nothing went wrong."""
        assert self.run.footer
        assert [one.problem for one in self.run.footer.faults] == [None] * 2
        return tuple(self.run.footer.faults)

    def shown(self) -> None:
        """Both faults are shown as in runs of scenarios."""
        page = (self.driven.runs.parent / "report.html").read_text()
        assert ">Fault by fault</h2>" in page
        assert len(self.pool["faults"]) == 2
        for fault in self.pool["faults"]:
            assert f"\n{fault['fault']}\n" in self.driven.process.output
            assert f"--fault {fault['fault']}" in self.run.header.command
        assert "fault_failed" not in [finding["code"] for finding in self.pool["findings"]]


def faults(*given: str) -> list[str]:
    return [part for fault in given for part in ("--fault", fault)]


def test_connections_of_an_application_are_killed_and_late(tmp_path: Path, url: URL) -> None:
    given = faults("kill@3s", "latency:0.2s@5s+2s")
    driven = drive(tmp_path, *LOAD, *given, engine=ON_SERVER, env=at(url))
    found = Broken.of(driven)
    found.shown()
    kill, latency = found.told()
    assert 1 <= (kill.killed or 0) <= 2
    assert latency.begin
    assert latency.end
    load = [one for one in found.run.intervals if not one.role]
    slow = [one for one in load if latency.begin - 1 < one.second <= latency.end]
    assert total(slow).histograms["request"].max >= 0.4 * 1e9  # there and back
    counters = total(found.run.intervals).counters
    assert counters["opened"] > 2
    assert counters["closed.error"] + counters["closed.invalidated"] >= 1
    assert "break its own connections: kill@3s, latency:0.2s@5s+2s" in driven.process.output
    assert str(url.password) not in driven.process.output


def test_an_asynchronous_application_gets_over_a_restart_of_its_server(tmp_path: Path) -> None:
    given = faults("restart@2s+1s", "connect-delay:0.3s@5s+2s")
    where = ("--app-env", "SHOP_URL={database_url:mysql+aiomysql}")
    driven = drive(tmp_path, *LOAD, *given, *where, engine=ASYNC)
    found = Broken.of(driven)
    found.shown()
    restart, _ = found.told()
    assert restart.end
    after = [one for one in found.run.intervals if not one.role and one.second > restart.end]
    assert sum(one.counters["requests"] - one.counters["failures"] for one in after) > 0
    assert total(found.run.intervals).counters["opened"] > 2
