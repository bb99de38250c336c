"""The event loops of driven applications: how late they are, and checkouts that block them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from loadtest.model.interval import SECOND
from tests.recording.driven import tool_end
from tests.recording.recorded import counted_in, python, runs_in

BLOCKED = 0.05

# A Python of its own, because a browser's event loop may run in that of the tests.
LOOPS = f"""
import asyncio, json, time
from loadtest.model.interval import SECOND, Interval
from loadtest.recording.steering import loop_lag
from loadtest.recording.steering.loop_lag import LoopLag

def lag_of(loops):
    interval = Interval(0)
    loops.add_to(interval)
    lag = interval.histograms.get("loop_lag")
    return {{"count": lag.count if lag else 0, "max": lag.max if lag else 0}}

async def block(checkout):
    checkout()
    time.sleep({BLOCKED})
    await asyncio.sleep(0.03)
    checkout()

async def go_on_no_more(checkout):
    checkout()
    loop_lag.clock = lambda: now + 5 * SECOND
    found["stuck"] = lag_of(stuck)

found = {{}}
blocked, free, stuck, thread = [LoopLag(blocks=one != 1) for one in range(4)]
asyncio.run(block(blocked.noting(lambda: None)))
found["blocked"] = lag_of(blocked) | {{"checkouts": blocked.checkouts}}
found["again"] = lag_of(blocked)
asyncio.run(block(free.noting(lambda: None)))
free.restart()
found["child"] = lag_of(free) | {{"checkouts": free.checkouts}}
assert thread.noting(lambda: "route")() == "route"
found["thread"] = lag_of(thread) | {{"checkouts": thread.checkouts}}
now = loop_lag.clock()
asyncio.run(go_on_no_more(stuck.noting(lambda: None)))
found["ended"] = lag_of(stuck)
print(json.dumps(found))
"""

# An application of asyncio with a driver that blocks.
APPLICATION = """
import asyncio
from sqlalchemy import create_engine, text
from loadtest.recording import record
engine = create_engine("sqlite:///shop.db")
record(engine)

async def main():
    for _ in range(3):
        with engine.connect() as connection:
            connection.execute(text("SELECT 1"))
        await asyncio.sleep(0.02)

asyncio.run(main())
"""


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What was found about each loop."""
    return dict(json.loads(python(LOOPS, cwd=tmp_path_factory.mktemp("loops")).stdout))


def test_a_loop_that_was_blocked_was_late(found: dict[str, Any]) -> None:
    lag = found["blocked"]
    assert lag["max"] / SECOND >= BLOCKED - 0.012
    assert lag["count"] >= BLOCKED / 0.01 - 1
    assert lag["checkouts"] == 2
    assert found["again"]["count"] == 0


def test_a_loop_that_does_not_go_on_is_late_so_far(found: dict[str, Any]) -> None:
    assert found["stuck"]["count"] == 1
    assert 4 * SECOND < found["stuck"]["max"] < 6 * SECOND
    assert found["ended"]["count"] == 0


def test_threads_have_no_loop(found: dict[str, Any]) -> None:
    assert found["thread"] == {"count": 0, "max": 0, "checkouts": 0}


def test_a_driver_of_asyncio_does_not_block_and_a_fork_begins_again(found: dict[str, Any]) -> None:
    assert found["child"] == {"count": 0, "max": 0, "checkouts": 0}


@pytest.mark.parametrize("driven", [True, False])
def test_only_driven_applications_are_watched(tmp_path: Path, driven: bool) -> None:
    with tool_end(tmp_path) as tool:
        python(APPLICATION, cwd=tmp_path, env=tool.orders().variables() if driven else {})
    (run,) = runs_in(tmp_path / "recordings")
    counted = counted_in(run)
    assert counted["checkouts"] == 3
    assert counted["blocking_checkouts"] == (3 if driven else 0)
    assert any("loop_lag" in one.histograms for one in run.intervals) == driven
