"""The data of a chart that the page draws: lines in panels, explored with a pointer or keys."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

Stroke = Literal["thick", "thin", "dashed", "dotted", "dots"]
# More values of a line than a screen is wide are not worth their bytes.
MOST_POINTS = 600
_DIGITS = 3


@dataclass(frozen=True)
class ChartLine:
    """A line: its values over those of its panel, and how it looks.

    label: equal labels are switched together. pool: the number of the pool that gives the colour;
    None for the colour of text. stroke: dots are single values, without a line. rest: the value
    that is told without a cursor. low, high: the range around the line, if it has one.
    """

    label: str
    values: Iterable[float | None]
    pool: int | None = None
    stroke: Stroke = "thick"
    rest: float | None = None
    low: Iterable[float | None] = ()
    high: Iterable[float | None] = ()
    faint: bool = False

    def to_json(self) -> dict[str, Any]:
        """The line without what is empty; numbers have three digits."""
        told = {
            "label": self.label,
            "pool": None if self.pool is None else self.pool % 7 + 1,
            "stroke": self.stroke,
            "rest": rounded(self.rest),
            "faint": self.faint or None,
            "values": [*map(rounded, self.values)],
            "low": [*map(rounded, self.low)],
            "high": [*map(rounded, self.high)],
        }
        return {name: one for name, one in told.items() if one is not None and one != []}


@dataclass(frozen=True)
class ChartPanel:
    """Lines over the same x. form: how values are written. top: the end of the scale, if fixed.

    limits: values with a name, drawn across. spans: begin, end and kind of shaded times. marks:
    places on the horizontal axis with a name.
    """

    title: str
    x: Sequence[float]
    lines: Sequence[ChartLine]
    form: Literal["level", "seconds", "share"] = "level"
    scale: Literal["linear", "log", "symlog"] = "linear"
    top: float | None = None
    pool: int | None = None
    limits: Sequence[tuple[float, str]] = ()
    spans: Sequence[tuple[float, float, str]] = ()
    marks: Sequence[tuple[float, str]] = ()

    def to_json(self) -> dict[str, Any]:
        """The panel for the page's script."""
        return {
            "title": self.title,
            "pool": None if self.pool is None else self.pool % 7 + 1,
            "form": self.form,
            "scale": self.scale,
            "top": self.top,
            "x": list(self.x),
            "lines": [line.to_json() for line in self.lines],
            "limits": [[rounded(value), name] for value, name in self.limits],
            "spans": [list(span) for span in self.spans],
            "marks": [list(mark) for mark in self.marks],
        }


@dataclass(frozen=True)
class Chart:
    """Panels with one horizontal axis. Charts of the same axis share one cursor and one zoom.

    axis: seconds since measuring began, UTC, nines of a percentile, or the decimal logarithm of a
    pool_size. rest: what values without a cursor are, for example their mean.
    """

    axis: Literal["seconds", "clock", "percentile", "size"]
    rest: str
    panels: Sequence[ChartPanel]

    def to_json(self) -> dict[str, Any]:
        """The chart for the page's script."""
        panels = [panel.to_json() for panel in self.panels]
        return {"axis": self.axis, "rest": self.rest, "panels": panels}


def rounded(value: float | None) -> float | int | None:
    """A number with three digits, whole numbers without a point; None for what is not known."""
    if value is None or not math.isfinite(value):
        return None
    short = float(f"{value:.{_DIGITS}g}") if abs(value) < 10**_DIGITS else float(round(value))
    return int(short) if short.is_integer() else short


def chart_stroke(pool: int) -> Stroke:
    """The stroke of a pool's line: another one if an earlier pool has the same colour."""
    strokes: tuple[Stroke, ...] = ("thick", "dashed", "dotted")
    return strokes[pool // 7 % len(strokes)]
