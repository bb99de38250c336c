"""The pool of a driven application, as the processes of all rounds recorded it."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from loadtest.analysis.driven.measured_process import MeasuredProcess
from loadtest.analysis.driven.outlived_requests import holds_without_request
from loadtest.analysis.driven.server_concurrency import driven_part
from loadtest.analysis.pool_runs import PoolRuns
from loadtest.analysis.recordings.blocks import blocks_beside
from loadtest.analysis.recordings.place_numbers import recorded_places
from loadtest.analysis.recordings.recorded_pool import RecordedPool, RecordedProcess
from loadtest.analysis.recordings.second_rows import spread
from loadtest.analysis.recordings.summarize_recording import recorded_pool_summary
from loadtest.analysis.round import Round
from loadtest.model.interval import SECOND
from loadtest.model.recording_summary import RecordedPoolSummary
from loadtest.runfile.place_schema import RecordedPart


def recorded_pool_of(pool: PoolRuns) -> RecordedPool | None:
    """The pools of the processes of all rounds as one, in the measured time.

    None if the runs drove no application, or if its processes recorded nothing. Between two rounds
    there is a gap.
    """
    driven = driven_part(pool)
    found = [one for round_ in pool.rounds for one in _measured_processes(round_)]
    if driven is None or not found:
        return None
    seconds, blocks = blocks_beside([process.blocks for _, process in found])
    processes = [_recorded(pool, round_, process) for round_, process in found]
    return RecordedPool(driven.engine or pool.name, driven.database, processes, blocks, seconds)


def recorded_summary(pool: PoolRuns) -> RecordedPoolSummary | None:
    """The numbers and findings of the same, without the simulated value of a fix."""
    found = recorded_pool_of(pool)
    return recorded_pool_summary(found, simulated=False) if found and found.used else None


def unreturned(pool: PoolRuns) -> float:
    """The connections that were not returned.

    Those that ended tasks still held at the end of a round, on average; of an application those
    that its places still held at the end of its last round.
    """
    if not pool.driven:
        return pool.kept
    each = (one for round_ in pool.rounds for one in round_.data.application_processes.values())
    if not any(one.kept.old() for one in each):
        return 0.0
    found = recorded_pool_of(pool)
    return float(sum(place.lost for place in recorded_places(found))) if found else 0.0


def _measured_processes(round_: Round) -> Iterator[tuple[Round, MeasuredProcess]]:
    there = set(round_.of_pools.present) if round_.driven else set()
    for name, process in round_.data.application_processes.items():
        if name in there:
            yield round_, process


def _recorded(pool: PoolRuns, round_: Round, process: MeasuredProcess) -> RecordedProcess:
    name, header = process.total.process, round_.run.header
    rows = round_.of_pools.of(name)
    database = header.driven.database if header.driven else ""
    part = RecordedPart(process=name, began=header.started, database=database)
    return RecordedProcess(
        name=name,
        headers=[msgspec.structs.replace(header, recording=part)],
        columns=spread(rows),
        total=process.total,
        ended=True,
        old_holds=holds_without_request(pool, round_, process),
        longest_interval=int(rows.length.max(initial=0)) / SECOND,
    )
