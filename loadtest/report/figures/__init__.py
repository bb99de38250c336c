"""The figures of a report, a file for each; matplotlib is imported only when they are drawn."""

from loadtest.analysis.measured import Measurements
from loadtest.analysis.values import Summary
from loadtest.report.figures import (
    connections,
    errors,
    generator,
    phases,
    search,
    server,
    sharing,
    sizes,
    slowest,
    throughput,
    waits,
)
from loadtest.report.figures.drawing import Drawing

FIGURES = (
    *(search, sizes, throughput, waits, connections, server),
    *(phases, sharing, slowest, generator, errors),
)


def draw(measurements: Measurements, summary: Summary) -> list[Drawing]:
    """All figures that the data has something for, in the order of the report."""
    import matplotlib

    # Names come from files: a dollar sign in one is no formula.
    with matplotlib.rc_context({"text.parse_math": False, "font.family": "DejaVu Sans"}):
        drawings = [figure.draw(measurements, summary) for figure in FIGURES]
    return [drawing for drawing in drawings if drawing]
