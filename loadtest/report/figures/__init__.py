"""The figures of a report, a file for each; matplotlib is imported only when they are drawn."""

import os
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from contextlib import AbstractContextManager
from multiprocessing import get_context

from loadtest.analysis.pool_runs import Measurements
from loadtest.model.summary import Summary
from loadtest.report.figures import (
    connections_over_time,
    failed_requests,
    generator_load,
    phase_times,
    requests_and_connections,
    search_curve,
    server_activity,
    size_curve,
    slowest_checkouts,
    throughput,
    user_sharing,
    wait_percentiles,
)
from loadtest.report.figures.toolkit.drawing import Drawing

FIGURES = (
    *(
        search_curve,
        size_curve,
        throughput,
        wait_percentiles,
        requests_and_connections,
        connections_over_time,
        server_activity,
    ),
    *(phase_times, user_sharing, slowest_checkouts, generator_load, failed_requests),
)
# More would wait for the largest figure.
MOST_PROCESSES = 4


def without_formulas() -> AbstractContextManager[None]:
    """A block that draws: names come from files, so a dollar sign must not start a formula."""
    import matplotlib

    return matplotlib.rc_context({"text.parse_math": False, "font.family": "DejaVu Sans"})


def prepare_drawing() -> None:
    """Import matplotlib, which takes a while."""
    import matplotlib.backends.backend_svg
    import matplotlib.figure  # noqa: F401


def draw_figures(
    measurements: Measurements, summary: Summary, meanwhile: Callable[[], object] = lambda: None
) -> list[Drawing]:
    """All figures that the data allows, in the order of the report; several processors share them.

    The processes are forks: they import nothing, and have the data. meanwhile: is called while they
    draw.
    """
    prepare_drawing()
    workers = min(os.cpu_count() or 1, MOST_PROCESSES)
    fork, data = get_context("fork"), (measurements, summary)
    with without_formulas(), ProcessPoolExecutor(workers, fork, _share, data) as processes:
        drawings = processes.map(_draw, range(len(FIGURES)))
        meanwhile()
        return [drawing for drawing in drawings if drawing]


_shared: list[tuple[Measurements, Summary]] = []


def _share(*data: *tuple[Measurements, Summary]) -> None:
    _shared.append(data)


def _draw(number: int) -> Drawing | None:
    return FIGURES[number].draw(*_shared[0])
