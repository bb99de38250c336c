"""Visitors of an application at an offered rate and in stages, with warm-up and drain."""

from __future__ import annotations

from pathlib import Path

import pytest

from loadtest.model.interval import total
from tests.driving.test_run_application import drive


def test_visitors_arrive_at_the_rates_of_their_stages(tmp_path: Path) -> None:
    stages = "calm=2s:20/s,rush=2s:60/s"
    driven = drive(tmp_path, "--stages", stages, "--arrivals", "even")
    assert driven.code == 0, driven.process.output
    run = driven.run
    own = [one for one in run.intervals if not one.role]
    arrived = {
        name: sum(one.counters["arrivals"] for one in own if one.stage == name)
        for name in ("calm", "rush")
    }
    # A stage ends in a callback of the event loop, and the machine may be busy.
    assert arrived == {"calm": pytest.approx(40, abs=10), "rush": pytest.approx(120, abs=10)}
    whole = total(own)
    lags, dropped = whole.histograms["schedule_lag"].count, whole.counters["dropped"]
    under_way = whole.counters["arrivals"] - lags - dropped
    assert 0 <= under_way <= 2, "each of the two visitors may be at work when the run ends"
    assert whole.counters["requests"] == whole.histograms["request"].count == lags
    assert {one.period for one in own} >= {"warmup", "measured"}
    assert whole.gauges.keys() == {"load_users"}


@pytest.mark.long
def test_the_number_of_visitors_follows_its_stages(tmp_path: Path) -> None:
    driven = drive(tmp_path, "--stages", "few=2s:1,many=2s:5", "-u", "5")
    assert driven.code == 0, driven.process.output
    levels = {
        one.stage: one.gauges["load_users"].last
        for one in driven.run.intervals
        if one.period == "measured" and not one.role
    }
    assert levels == {"few": 1, "many": 5}
