"""The figures of a report, a file for each; matplotlib is imported only when they are drawn."""

from contextlib import AbstractContextManager

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


def without_formulas() -> AbstractContextManager[None]:
    """A block that draws: names come from files, so a dollar sign must not start a formula."""
    import matplotlib

    return matplotlib.rc_context({"text.parse_math": False, "font.family": "DejaVu Sans"})


def draw_figures(measurements: Measurements, summary: Summary) -> list[Drawing]:
    """All figures that the data allows, in the order of the report."""
    with without_formulas():
        drawings = [figure.draw(measurements, summary) for figure in FIGURES]
    return [drawing for drawing in drawings if drawing]
