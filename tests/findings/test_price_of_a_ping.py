"""What pre-ping costs in a real run."""

from __future__ import annotations

import pytest

from loadtest.analysis.comparison.setting_costs import Cost, setting_costs
from loadtest.analysis.pool_runs import gather
from loadtest.runfile.reader import Run
from tests.findings.runs import Provoked

pytestmark = pytest.mark.provoked


def _priced(run: Run) -> dict[str, Cost]:
    (pool,) = gather([run]).pools
    return {cost.setting: cost for cost in setting_costs(pool)}


def test_a_ping_has_a_price_and_what_is_not_asked_for_has_none(provoked: Provoked) -> None:
    load = "-u 2 -r 2 -t 3s --query-seconds 0 --pool-size 2 --max-overflow 0"
    given = {"pinging": f"{load} --pool-pre-ping", "blind": load}
    runs = provoked.locusts("ping", "query.py", **given)
    assert "pool_pre_ping" not in _priced(runs["blind"])
    ping = _priced(runs["pinging"])["pool_pre_ping"]
    assert 0.01 < ping.share < 1
    assert "pool_pre_ping cost " in ping.text
