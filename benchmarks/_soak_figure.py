"""The curves of a soak: the generator's memory, and the exporter's response time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from loadtest.report.figures.toolkit.canvas import (
    TEXT,
    draw_grid,
    label_x,
    panels,
    pool_colour,
    write_text,
)
from loadtest.report.figures.toolkit.svg import standalone, to_svg


class Curves(Protocol):
    """The data of the figure: times in seconds, memory in bytes."""

    at: Sequence[float]
    memory: Sequence[int]
    scraped_at: Sequence[float]
    scrape_seconds: Sequence[float]


def figure(curves: Curves, result: Mapping[str, Any]) -> str:
    """The figure as the text of an SVG file."""
    paper, (above, below) = panels(2, 1.1, left=0.55, right=0.2, gap=0.35)
    memory = [bytes_ / 2**20 for bytes_ in curves.memory]
    _curve(above, curves.at, memory, "memory of the generator, MiB", 0)
    answers = [seconds * 1000 for seconds in curves.scrape_seconds]
    _curve(below, curves.scraped_at, answers, "answer of the exporter, ms", 1)
    above.set_xticklabels([])
    for axes in (above, below):
        axes.set_xlim(0, max(curves.at, default=60.0) / 60)
    label_x(below, "minutes of full speed in constant overflow, with faults")
    title = f"Soak: {result['requests']:,} requests, {result['connections_opened']:,} connections"
    return standalone(to_svg(paper, "soak"), title)


def _curve(axes: Any, at: Sequence[float], values: Sequence[float], name: str, number: int) -> None:
    minutes = [seconds / 60 for seconds in at]
    axes.plot(minutes, values, color=pool_colour(number), lw=1.4)
    axes.set_ylim(0, 1.25 * max(values, default=1.0))
    draw_grid(axes, "y")
    write_text(axes, 0, 1.06, name, transform=axes.transAxes, fontsize=TEXT)
