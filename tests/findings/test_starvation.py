"""Users who ask again at once for the connections of a pool that has too few."""

from __future__ import annotations

from pathlib import Path

import gevent
import pytest
from sqlalchemy import URL, Pool, QueuePool, create_engine, text

from loadtest.analysis.summarize import summarize_runs
from loadtest.model.interval import Interval
from loadtest.pool.fair_pool import FairPool
from loadtest.pool.measure import measure
from loadtest.pool.recorder import Recorder
from tests.analysis.builders import run
from tests.findings.runs import Provoked

pytestmark = pytest.mark.provoked


def _greedy(url: URL, poolclass: type[Pool]) -> tuple[Interval, Interval]:
    """A second to warm up and two more: 100 users who ask again at once for one of 5."""
    engine = create_engine(
        url, poolclass=poolclass, pool_size=5, max_overflow=0, connect_args={"ssl_disabled": True}
    )
    recorder, over = Recorder("p1"), False
    measure(engine, recorder)
    recorder.levels["users"] = lambda: 100

    def user() -> None:
        while not over:
            with engine.connect() as connection:
                connection.execute(text("SELECT 1"))

    users = [gevent.spawn(user) for _ in range(100)]
    gevent.sleep(1)
    warmup = recorder.cut("warmup")
    gevent.sleep(2)
    measured = recorder.cut("measured")
    over = True
    gevent.joinall(users)
    engine.dispose()
    return warmup, measured


@pytest.mark.parametrize(("poolclass", "starved"), [(QueuePool, True), (FairPool, False)])
def test_the_starvation_of_a_real_queue_is_found_and_named(
    provoked: Provoked, poolclass: type[Pool], starved: bool
) -> None:
    def provoke(folder: Path) -> dict[str, Path]:
        warmup, measured = _greedy(provoked.url, poolclass)
        measured.counters["requests"] = measured.counters["checkouts"]
        return {"run": run(folder, [warmup, measured]).path}

    greedy = provoked.runs(f"greedy-{poolclass.__name__}", provoke)["run"]
    (pool,) = summarize_runs([greedy]).pools
    findings = {finding.code: finding for finding in pool.findings}
    assert ("starvation" in findings) == starved
    # They have waited since the warm-up: no wait that began later tells of theirs.
    assert ("p999" in pool.checkout.wait_seconds.at_least) == starved
    if starved:
        assert "sqlalchemy#7679" in findings["starvation"].message
        assert findings["starvation"].evidence["longest_wait"] > 1.5
