"""Seconds of a load with requests by name, and the runs that they belong to."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path

from loadtest.model.interval import Interval
from loadtest.model.request_use import IN_PROGRESS, RequestUse, times_of_name
from loadtest.runfile.merged_recording import merge
from loadtest.runfile.reader import Run
from tests.analysis.builders import MILLISECOND, interval, level, milliseconds
from tests.runfile.driven_runs import application_second, driven, part, read

ORDERS, PAY = "GET /orders", "POST /pay"


def requested(
    one: Interval,
    name: str,
    times: Sequence[int],
    *,
    failed: Sequence[int] = (),
    waited: Iterable[int] = (),
    unfinished: Sequence[int] = (),
) -> Interval:
    """Add requests of a name to an interval (ms); waited: what those of `times` told.

    unfinished: the ages of those in progress at its end.
    """
    use = RequestUse(len(times) + len(failed), len(failed), unfinished=milliseconds(unfinished))
    use.by_status = Counter({"200": len(times), "500": len(failed)})
    for time, wait in zip(times, waited, strict=False):
        use.tell(time * MILLISECOND, wait * MILLISECOND)
    one.requests[name] = use
    if unfinished:
        one.gauges[IN_PROGRESS] = level(len(unfinished))
    one.histograms[times_of_name(name)] = milliseconds(times)
    if failed:
        one.histograms[times_of_name(name, failed=True)] = milliseconds(failed)
    one.counters["requests"] += use.count
    one.counters["failures"] += use.failed
    for all_, own in (("request", times), ("failed_request", failed)):
        one.histograms[all_] = one.histograms.get(all_, milliseconds(())) + milliseconds(own)
    return one


def load_second(second: int, process: str = "locust") -> Interval:
    """A second of the load generator without requests."""
    return interval(second, process=process, counters={"cpu": 500 * MILLISECOND})


def driven_run(folder: Path, load: Sequence[Interval], round_: int = 1) -> Run:
    """A run that drove an application during these seconds of the load."""
    path, recordings = driven(folder, load, round_=round_)
    recordings.mkdir(parents=True)
    seconds = len({one.second for one in load})
    part(recordings, [application_second(number) for number in range(seconds)])
    merge(path, recordings, {})
    return read(path)
