"""Watches the load generator itself: how late its event loop is."""

from __future__ import annotations

import time

from loadtest.pool.batch import clock
from loadtest.pool.recorder import Recorder

SAMPLE_SECONDS = 0.01


def watch_lag(recorder: Recorder) -> None:
    """Sample for ever how much later than asked a short sleep ends (ns, into `recorder.lags`)."""
    asked = int(SAMPLE_SECONDS * 1e9)
    while True:
        start = clock()
        time.sleep(SAMPLE_SECONDS)
        recorder.lags.append(clock() - start - asked)
