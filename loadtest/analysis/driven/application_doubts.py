"""Whether the processes of a driven application were seen for all of the measured time."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from loadtest.analysis.columns import Columns
from loadtest.analysis.findings.incomplete_runs import LEAST_MEASURED, MISSING_SECONDS
from loadtest.analysis.pool_runs import PoolRuns
from loadtest.analysis.recordings.second_rows import spread
from loadtest.analysis.round import Round
from loadtest.analysis.units import count, duration, listed, plural
from loadtest.model.interval import SECOND
from loadtest.model.summary import Finding

# A process that was replaced is missing for at least this long at the end of a round (s).
GONE_SECONDS = 2
_MOST_NAMED = 4


def application_unseen(pool: PoolRuns) -> Iterator[Finding]:
    """The processes of the application recorded for clearly less time than the load lasted."""
    for round_ in pool.rounds:
        seen = _seen(round_)
        needed = min(LEAST_MEASURED * seen.planned, seen.planned - MISSING_SECONDS)
        if round_.driven and seen.seconds < needed:
            yield Finding(
                code="application_unseen",
                severity="error",
                message=f"In {round_.run.path.name} the application recorded "
                f"{duration(seen.seconds)} of {duration(seen.planned)} under load (of "
                f"{plural(seen.processes, 'process', 'processes')}), so checkouts are missing. The "
                "recorder was switched off, or a process was killed or had no CPU left. See the "
                "log of the application.",
                evidence={
                    **{"file": round_.run.path.name, "seconds": seen.seconds},
                    **{"planned": seen.planned, "processes": seen.processes},
                },
            )


class _Seen(NamedTuple):
    """The processes at once, their recorded time (s), and the time that they were under load."""

    processes: int
    seconds: float
    planned: float


def _seen(round_: Round) -> _Seen:
    """What was recorded; its processes at once are the median over the seconds of the load."""
    recorded = _process_seconds(spread(round_.of_pools))
    load = {s: n / SECOND for s, n in spread(round_.measured).longest_by_second().items()}
    at_work = np.array([recorded.get(second, 0.0) for second in load])
    usual = max(1, round(float(np.median(at_work)))) if len(at_work) else 1
    seconds = float(np.minimum(at_work, usual).sum())
    return _Seen(usual, seconds, usual * sum(load.values()))


def _process_seconds(rows: Columns) -> dict[int, float]:
    """How long all processes together recorded in each UTC second (s)."""
    return {second: sum(each.values()) / SECOND for second, each in rows.lengths().items()}


def application_restarted(pool: PoolRuns) -> Iterator[Finding]:
    """Processes of the application that ended while the load went on.

    A warning if their number was asked for: for a time it was another one.
    """
    driven = pool.header.driven
    ended = [name for round_ in pool.rounds for name in _ended_early(round_)]
    if ended:
        named = listed(ended[:_MOST_NAMED])
        more = len(ended) - _MOST_NAMED
        yield Finding(
            code="application_restarted",
            severity="warning" if driven and driven.processes else "info",
            message=f"{plural(len(ended), 'process', 'processes')} of the application ended while "
            f"the load went on: {named}{f' and {count(more)} more' if more > 0 else ''}. A new "
            "process begins with an empty pool. If the server restarts workers as planned (for "
            "example max_requests), measure for longer than a worker lives; else see the log of "
            "the application.",
            evidence={"processes": ended},
        )


def _ended_early(round_: Round) -> list[str]:
    """The processes that had ended when the load did, or well before the last measured second."""
    driven = round_.run.header.driven
    if driven is None or not len(round_.measured):
        return []
    rows, last = spread(round_.of_pools), int(spread(round_.measured).second.max())
    ends = {name: int(rows.of(name).second.max()) for name in rows.present}
    return [n for n, end in ends.items() if n in driven.ended or last - end >= GONE_SECONDS]
