"""Stages of users: the number of users follows the stages, as somebody with the form open would."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import gevent

from loadtest.load.locust_internals import target_users
from loadtest.model.load import Stage

STEP_SECONDS = 1.0


def follow_stages(runner: Any, stages: Sequence[Stage], warmup: float) -> Callable[[], None]:
    """Let the number of users follow the stages after the warm-up (s), until it is called off."""
    if not stages or stages[0].users is None:
        return lambda: None
    greenlet = gevent.spawn(_follow, runner, list(stage_steps(stages)), warmup)
    return lambda: gevent.kill(greenlet)


def stage_steps(stages: Sequence[Stage]) -> Iterator[tuple[float, int]]:
    """How many users there should be, each with for how many seconds; ramps go second by second."""
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
            # All at once: how fast the load rises is for the stages to say.
            runner.start(users, spawn_rate=difference, wait=False)
        gevent.sleep(seconds)
