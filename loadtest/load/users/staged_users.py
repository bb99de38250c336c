"""Stages of users: changes the number of users according to the stages."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import gevent

from loadtest.load.locust_internals import target_users
from loadtest.model.load import Stage

STEP_SECONDS = 1.0


def follow_stages(runner: Any, stages: Sequence[Stage], warmup: float) -> Callable[[], None]:
    """Let the number of users follow the stages after the warm-up (s); returns a stop function."""
    if not stages or stages[0].users is None:
        return lambda: None
    greenlet = gevent.spawn(_follow, runner, list(stage_steps(stages)), warmup)
    return lambda: gevent.kill(greenlet)


def stage_steps(stages: Sequence[Stage]) -> Iterator[tuple[float, int]]:
    """The steps of the stages: seconds and number of users; ramps have one step per second."""
    for stage in stages:
        whole = int(stage.duration / STEP_SECONDS) if stage.to is not None else 0
        for number in range(whole):
            share = (number + 0.5) * STEP_SECONDS / stage.duration
            yield STEP_SECONDS, round(stage.start + (stage.end - stage.start) * share)
        yield stage.duration - whole * STEP_SECONDS, round(stage.end)


def _follow(runner: Any, steps: Sequence[tuple[float, int]], warmup: float) -> None:
    gevent.sleep(warmup)
    for seconds, users in steps:
        difference = abs(users - target_users(runner))
        if difference:
            # All at once: the stages define how fast the load rises.
            runner.start(users, spawn_rate=difference, wait=False)
        gevent.sleep(seconds)
