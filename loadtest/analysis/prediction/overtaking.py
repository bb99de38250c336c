"""How often a user that returns a connection and asks again at once overtakes waiting users.

Under gevent the user notified of a returned connection runs in the next turn of the event loop,
before the user that returned it and asks again. If several return in one turn, they run in this
order: first notified, first to return, second notified, second to return. Half of the connections
then go to the users that returned them, and half of the notified users wait behind all others.
The number of returns in one turn depends on microseconds (timers that end in the same millisecond,
commits that the server ends together) and is not in a result. Its effect is: users that overtake
do not wait at all. The simulation is set to reproduce the measured share of such checkouts.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from loadtest.analysis.prediction.simulation import simulate
from loadtest.analysis.prediction.workload import ByLevel, Workload
from loadtest.analysis.units import level, listed, percent
from loadtest.model.distribution import Distribution
from loadtest.model.pool import PoolConfig

# A shorter wait (s) is none: a look into the queue takes this long.
NO_WAIT = 2e-4
# Simulated checkouts, and the number of corrections of the tried share.
SIMULATED_CHECKOUTS, STEPS, OVERTAKING_SEED = 8000, 4, 1
MOST_OVERTAKING, NOTABLE_OVERTAKING = 0.95, 0.02
# The coefficient of variation of holds that are alike.
ALIKE_VARIATION = 0.25
_ROUNDS = (
    " Holds are nearly equal, so waits are multiples of a hold. Except at the measured levels, a "
    "predicted p95 of the wait may be a hold off."
)


@dataclass(frozen=True)
class ServedLevel:
    """What a pool did at a level of connections in use, of one process.

    rate: checkouts per second. at_once: the share of them that did not wait.
    """

    level: float
    pool: PoolConfig
    rate: float
    at_once: float


def share_at_once(waits: Distribution) -> float:
    """The share of waits that were none; 0 if there are no waits."""
    number = sum(number for end, number in waits.bins() if end <= NO_WAIT * 1e6)
    return number / waits.count if waits.count else 0.0


def with_overtaking(work: Workload, measured: Sequence[ServedLevel], warmup: float) -> Workload:
    """The workload with the overtaking that reproduces the measured share."""
    if not measured or not _at_once(work):
        return work
    shares = [(_share(work, one, warmup),) for one in measured]
    return replace(work, overtaking=ByLevel(tuple(one.level for one in measured), tuple(shares)))


def _at_once(work: Workload) -> bool:
    """Whether users ask again at once: after a pause they do not overtake."""
    return work.rate is None and not any(work.outside)


def overtaking_note(work: Workload, measured: Sequence[ServedLevel]) -> Iterator[str]:
    """A sentence about overtaking and the waits, if there was any."""
    full = [one for one in measured if NOTABLE_OVERTAKING < one.at_once < MOST_OVERTAKING]
    if full and _at_once(work):
        said = listed([f"{percent(one.at_once)} at {level(one.level)}" for one in full])
        yield (
            "Users ask again as soon as they return a connection, and some overtake waiting users: "
            f"{said} connections in use did not wait at all. Overtaken users wait once more, "
            f"behind all others.{_ROUNDS if _alike(work) else ''}"
        )


def _alike(work: Workload) -> bool:
    """Whether holds are equal enough for waits to be multiples of a hold."""
    return any(np.std(times) < ALIKE_VARIATION * np.mean(times) for times in work.hold.samples)


def _share(work: Workload, one: ServedLevel, warmup: float) -> float:
    share, seconds = 0.0, SIMULATED_CHECKOUTS / one.rate
    for _ in range(STEPS):
        trying = replace(work, overtaking=ByLevel.constant((share,)))
        waits = simulate(one.pool, trying, warmup, seconds, OVERTAKING_SEED).waits
        found = sum(wait <= NO_WAIT for wait in waits) / max(len(waits), 1)
        share = min(max(0.0, share + one.at_once - found), MOST_OVERTAKING)
    return share
