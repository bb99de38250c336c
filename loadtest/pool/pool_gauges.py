"""The levels of a pool over an interval: connections in use, open, idle, in overflow; waiters."""

from __future__ import annotations

import numpy as np

from loadtest.model.distribution import Nanoseconds
from loadtest.model.interval import Gauge
from loadtest.pool.checkout_batch import NOTICEABLE, Batch
from loadtest.pool.levels import LevelSteps, gauge, level_steps, rest, steady, subtract_levels


def pool_gauges(batch: Batch, pool_size: int | None) -> dict[str, Gauge]:
    """The gauges of a batch by name; pool_size: None without overflow."""
    span = batch.begin, batch.now
    steps = level_steps([batch.spans], span)
    in_use = gauge(steps, span)
    batch.let_others_run()
    changed = _open_changes(batch) or in_use.max > len(batch.opened) or batch.begin == batch.now
    of_open = _changing(batch, steps, pool_size) if changed else _kept(batch, in_use, pool_size)
    batch.let_others_run()
    waits = _waits(batch)
    some = len(waits[0]) or waits[1]
    waiting = gauge(level_steps(waits, span), span) if some else Gauge()
    return {"in_use": in_use, **of_open, "waiting": waiting}


def _open_changes(batch: Batch) -> bool:
    closed = any(closed > batch.begin for _, closed, _ in batch.closes)
    return closed or any(opened > batch.begin for opened in batch.opened)


def _kept(batch: Batch, in_use: Gauge, size: int | None) -> dict[str, Gauge]:
    """The gauges if the same connections were open all the time, as usual."""
    span, level = (batch.begin, batch.now), len(batch.opened)
    return {
        "open": steady(level, span),
        "idle": rest(level, in_use, span),
        "overflow": Gauge() if size is None else steady(max(0, level - size), span),
    }


def _changing(batch: Batch, in_use: LevelSteps, size: int | None) -> dict[str, Gauge]:
    span = batch.begin, batch.now
    closed = [(opened, closed) for opened, closed, _ in batch.closes]
    is_open = level_steps([closed, [(start, batch.now) for start in batch.opened]], span)
    return {
        "open": gauge(is_open, span),
        "idle": gauge(subtract_levels(is_open, in_use), span),
        "overflow": Gauge() if size is None else gauge(is_open, span, above=size),
    }


def _waits(batch: Batch) -> tuple[Nanoseconds, list[tuple[int, int]]]:
    """The noticeable waits that have ended, and those that go on."""
    start, _, _, wait = batch.columns[:4]
    ended = np.stack([start, start + wait], axis=1)[wait >= NOTICEABLE]
    going_on = [(start, end) for _, start, end in batch.waiting if end - start >= NOTICEABLE]
    return ended, going_on
