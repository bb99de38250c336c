"""The base of all figures: size, margins, quiet axes, labels beside lines."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from itertools import cycle
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import numpy.typing as npt

from loadtest.analysis.units import round_duration
from loadtest.report.figures.toolkit.svg import INK, POOL_COLOURS

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

# Inches. So narrow that text measures 11 pixels on a telephone and 8 points in two columns on
# paper. report.css limits the width, so that text is never larger than 14 pixels.
WIDTH = 3.6
TEXT = 8.5
_ROW = 0.42
_LEGEND = 0.19
_LETTER = 0.072
_LONGEST_NAME = 16
_LINE = 0.145
# The gap between a line and its label; browsers drop ordinary blanks.
BLANK = "\N{NO-BREAK SPACE}"
# Shorter times (s) are drawn as this: they do not matter, and zero has no logarithm.
SHORTEST = 1e-5
# Colours are those of pools. Phases and kinds of errors have greys and patterns: their opacity, and
# the hatching.
PART_LOOKS: tuple[tuple[float, str], ...] = (
    (0.8, ""),
    (0.0, "/////"),
    (0.5, ""),
    (0.0, "....."),
    (0.2, ""),
    (0.0, "xxxxx"),
)
# Strokes and gaps, in line widths, for the second and third use of the colours.
_STROKES = ("-", (0, (1.6, 0.9)), (0, (0.6, 0.7)))


def text_width(words: Sequence[str]) -> float:
    """The approximate width of the longest of some words (inches)."""
    return _LETTER * max((len(word) for word in words), default=0)


def shortened(name: str, most: int = _LONGEST_NAME) -> str:
    """A name that fits beside the figure, with its middle cut out."""
    if len(name) <= most:
        return name
    end = (most - 1) // 2
    return f"{name[: most - 1 - end]}…{name[-end:]}"


def panels(
    number: int, height: float, *, left: float, right: float, gap: float = 0.0, above: float = 0.0
) -> tuple[Figure, list[Axes]]:
    """Panels under each other, of one height in inches, with room to the left and right of them."""
    from matplotlib.figure import Figure

    top, bottom = above + max(gap, 0.1), 0.44
    tall = top + bottom + number * height + (number - 1) * gap
    figure = Figure(figsize=(WIDTH, tall))
    axes = []
    for row in range(number):
        low = bottom + (number - 1 - row) * (height + gap)
        box = (left / WIDTH, low / tall, 1 - (left + right) / WIDTH, height / tall)
        axes.append(_quiet(figure.add_axes(box)))
    return figure, axes


def _quiet(axes: Axes) -> Axes:
    axes.tick_params(colors=INK, labelsize=TEXT, length=3, width=0.6)
    for name, spine in axes.spines.items():
        spine.set_visible(name == "bottom")
        spine.set(color=INK, linewidth=0.6, alpha=0.6)
    return axes


def draw_grid(axes: Axes, axis: str) -> None:
    """Faint lines across one axis ("x" or "y"), behind everything."""
    axes.grid(axis=axis, color=INK, alpha=0.16, linewidth=0.6)  # type: ignore[arg-type]
    axes.tick_params(axis=axis, which="both", length=0)  # type: ignore[arg-type]
    axes.set_axisbelow(True)


def label_x(axes: Axes, text: str, loc: Literal["left", "center"] = "center") -> None:
    """Label the horizontal axis. loc: where a long text has room."""
    axes.set_xlabel(text, color=INK, fontsize=TEXT, labelpad=3, loc=loc)


def write_text(axes: Axes, x: float, y: float, text: str, **how: Any) -> None:
    """Text at a place, by default in data coordinates, beginning there and centred in height."""
    how = {"ha": "left", "va": "center", "fontsize": TEXT, "color": INK, **how}
    axes.text(x, y, text, clip_on=False, **how)


def row_axes(
    names: Sequence[str], legend: Sequence[str] = (), right: float = 0.75, above: float = 0.0
) -> tuple[Figure, Axes]:
    """One row for each name, the first on top; room on the right and above, there also a legend."""
    names = [shortened(name) for name in names]
    left, above = 0.25 + text_width(names), above + _LEGEND * _legend_rows(legend)
    figure, (axes,) = panels(1, _ROW * len(names), left=left, right=right, above=above)
    axes.set_ylim(len(names) - 0.5, -0.5)
    axes.set_yticks(range(len(names)), names)
    axes.tick_params(axis="y", length=0, pad=6)
    return figure, axes


def log_seconds(axes: Axes, axis: str, most_ticks: int = 5) -> None:
    """A logarithmic scale of durations on one axis ("x" or "y"), in whole powers of ten."""
    from matplotlib.ticker import FuncFormatter, LogLocator, NullLocator

    low, high = np.log10(axes.dataLim.intervalx if axis == "x" else axes.dataLim.intervaly)
    edges = 10 ** np.floor(low), 10 ** max(np.ceil(high), np.floor(low) + 1)
    axes.set(**{f"{axis}scale": "log", f"{axis}lim": edges})
    scale = axes.xaxis if axis == "x" else axes.yaxis
    scale.set_major_locator(LogLocator(numticks=most_ticks))
    scale.set_major_formatter(FuncFormatter(lambda value, _: round_duration(value)))
    scale.set_minor_locator(NullLocator())


def readable_sizes(sizes: Sequence[int], first: int, gap: float) -> list[int]:
    """Sizes that can be written under an axis: the first, and those that a ratio sets apart."""
    shown: list[int] = []
    for size in (first, sizes[0], sizes[-1], *sizes):
        if all(max(size, other) >= gap * min(size, other) for other in shown):
            shown.append(size)
    return sorted(shown)


def stacked_bars(
    figure: Figure,
    axes: Axes,
    parts: Mapping[str, Sequence[float]],
    looks: Sequence[tuple[float, str]] = PART_LOOKS,
) -> None:
    """A bar in each row, made of parts that look so, and a legend that names the parts."""
    from matplotlib.colors import to_rgba

    ends = [0.0] * max(len(values) for values in parts.values())
    for (name, values), (opacity, pattern) in zip(parts.items(), cycle(looks), strict=False):
        places = range(len(values))
        face = "none" if pattern else to_rgba(INK, opacity)
        look: dict[str, Any] = {"facecolor": face, "edgecolor": INK, "hatch": pattern, "lw": 0.6}
        axes.barh(places, values, left=ends, height=0.56, label=name, **look)
        ends = [end + value for end, value in zip(ends, values, strict=True)]
    figure.legend(
        loc="upper left",
        ncols=_legend_columns(list(parts)),
        frameon=False,
        fontsize=TEXT,
        labelcolor=INK,
        handlelength=0.9,
        handleheight=0.9,
        columnspacing=2.2,  # a telephone's letters are larger
        borderaxespad=0.1,
    )


def _legend_columns(names: Sequence[str]) -> int:
    return max(1, min(len(names), int(WIDTH / (0.5 + text_width(names)))))


def _legend_rows(names: Sequence[str]) -> int:
    return -(-len(names) // _legend_columns(names)) if names else 0


def draw_steps(
    axes: Axes, levels: npt.ArrayLike, edges: npt.ArrayLike, style: Mapping[str, Any]
) -> None:
    """A line of levels between their edges, one more of these; like a patch behind other lines.

    `Axes.stairs` looks the same, but takes six times as long.
    """
    sharp: dict[str, Any] = {f"{kind}_joinstyle": "miter" for kind in ("solid", "dash")}
    sharp |= {f"{kind}_capstyle": "butt" for kind in ("solid", "dash")}
    axes.plot(np.repeat(edges, 2)[1:-1], np.repeat(levels, 2), zorder=1, **sharp, **style)


def label_ends(
    axes: Axes, labels: Sequence[tuple[float, str]], styles: Sequence[dict[str, Any]]
) -> None:
    """Labels right of the axes at data heights, pushed apart; each with a bit of its line."""
    bottom, top = axes.transAxes.transform([(0, 0), (0, 1)])[:, 1]
    inches = axes.get_window_extent().height / axes.figure.dpi
    heights = [axes.transData.transform((0, y))[1] for y, _ in labels]
    wanted = [(y - bottom) / (top - bottom) for y in heights]
    places = push_apart(wanted, _LINE / inches, low=0.0, high=1.0)
    for place, (_, text), style in zip(places, labels, styles, strict=True):
        line = {"transform": axes.transAxes, "clip_on": False, **style}
        axes.plot([1.015, 1.05], [place, place], scaley=False, scalex=False, **line)
        write_text(axes, 1.065, place, text, transform=axes.transAxes)


def push_apart(
    places: Sequence[float], gap: float, low: float = -math.inf, high: float = math.inf
) -> list[float]:
    """Places moved apart as little as possible until neighbours have the gap, in the same order.

    low, high: the limits of all places, if there is room.
    """

    def middle(group: Sequence[int]) -> float:
        half = (len(group) - 1) / 2 * gap
        mean = sum(places[number] for number in group) / len(group)
        return max(min(mean, high - half), low + half)

    def too_near(one: Sequence[int], next_: Sequence[int]) -> bool:
        return middle(next_) - middle(one) < gap * (len(one) + len(next_)) / 2 - 1e-9

    groups: list[list[int]] = []
    for number in sorted(range(len(places)), key=lambda n: places[n]):
        groups.append([number])
        while len(groups) > 1 and too_near(groups[-2], groups[-1]):
            last = groups.pop()
            groups[-1] += last
    moved = list(places)
    for group in groups:
        for step, number in enumerate(group):
            moved[number] = middle(group) + (step - (len(group) - 1) / 2) * gap
    return moved


def pool_colour(number: int) -> str:
    """The colour of the pool with this number, from 0; after seven they begin again."""
    return POOL_COLOURS[number % len(POOL_COLOURS)]


def line_style(number: int) -> dict[str, Any]:
    """The line of this pool: its colour, with gaps if an earlier pool has the same colour."""
    return {
        "color": pool_colour(number),
        "ls": _STROKES[number // len(POOL_COLOURS) % len(_STROKES)],
    }
