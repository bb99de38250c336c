"""The comparison of two recordings in words: the answer, and what it is worth."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict

from loadtest.analysis.comparison.recording_diff import (
    TIMEOUT_METRIC,
    WAIT_METRIC,
    PairedBlocks,
    common_pools,
)
from loadtest.analysis.recordings.read_recording import Recording
from loadtest.analysis.recordings.recorded_pool import RecordedPool
from loadtest.analysis.units import duration, percent
from loadtest.model.summary import Comparison

_ANSWERS = {
    "better": "Waits became shorter",
    "worse": "Waits became longer",
    "equivalent": "Waits did not change",
    "undecided": "It is not clear whether waits changed",
}


def diff_answer(paired: PairedBlocks, found: Sequence[Comparison]) -> str:
    """Whether the change helped, in one sentence."""
    decision = next(one.decision for one in found if one.metric == WAIT_METRIC)
    before, after = paired.means(WAIT_METRIC)
    rates = [percent(share) for share in paired.means(TIMEOUT_METRIC)]
    timeouts = (
        f"; timeouts {rates[0]} before, {rates[1]} after"
        if any(paired.means(TIMEOUT_METRIC))
        else ""
    )
    return (
        f"{_ANSWERS[decision]} for {paired.names[1]}: on average {duration(before)} before, "
        f"{duration(after)} after, at similar load{timeouts}."
    )


def diff_notes(before: Recording, after: Recording, paired: Sequence[PairedBlocks]) -> list[str]:
    """What was compared, what else differs, and what the comparison cannot show."""
    return [
        *(one.words for one in paired),
        *_differing(before, after),
        "This is an observation, not an experiment: anything else that changed between the "
        "recordings (the traffic, the data, other services) may be the reason. An experiment is "
        "loadtest compare.",
    ]


def _differing(before: Recording, after: Recording) -> Iterator[str]:
    """The settings and circumstances in which the recordings differ."""
    if before.application != after.application:
        yield (
            f"The applications have different names: {before.application} before, "
            f"{after.application} after."
        )
    for one, other in common_pools(before, after):
        sides = (_told(one), _told(other))
        for name in sides[0]:
            was, now = (side[name] for side in sides)
            if was != now:
                yield f"{other.name}: {name} {was} before, {now} after."


def _told(pool: RecordedPool) -> dict[str, str]:
    """The circumstances of a pool by name; of several settings the most frequent ones."""
    settings = asdict(pool.settings[0])
    del settings["name"]
    processes = int(pool.serving.processes.max(initial=0))
    return {
        "processes": str(processes),
        "database": pool.database,
        **{name: str(value) for name, value in settings.items()},
    }
