"""What a fleet opens at each step, on top of it others and the reserve, against the limits."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from loadtest.analysis.fleet.capacity import (
    MAX_USER_CONNECTIONS,
    OPEN_FILES,
    Capacity,
    FleetStep,
    Limit,
)
from loadtest.analysis.units import count, listed
from loadtest.report.figures.toolkit import canvas
from loadtest.report.figures.toolkit.drawing import Drawing
from loadtest.report.figures.toolkit.svg import INK, to_svg

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

HELP = (
    "A bar that goes beyond a dashed line is refused there. Surge: replicas that run beside the "
    "others in a deploy. Reserve: places for a backup, a migration, people; a bar beyond the line "
    "with this last part alone refuses nobody yet."
)
OF_ACCOUNT = " max_user_connections counts the fleet's parts only: it stands where they reach it."
_PARTS = ("fleet", "surge", "others", "reserve")
_ROOM_FOR_A_LABEL = 0.42
_BEYOND = 1.15


def draw(capacity: Capacity) -> Drawing:
    """The figure."""
    import matplotlib

    several = any(limit.setting == MAX_USER_CONNECTIONS for limit in capacity.limits)
    with matplotlib.rc_context({"text.parse_math": False, "font.family": "DejaVu Sans"}):
        svg = to_svg(_figure(capacity), "capacity")
    return Drawing(
        name="capacity",
        title=_title(capacity),
        alt="Connections of the fleet: "
        + listed([f"{_many(step)} {step.name}" for step in capacity.steps])
        + "; limits: "
        + listed([f"{limit.setting} {count(limit.value)}" for limit in capacity.limits]),
        help=HELP + OF_ACCOUNT * several,
        svg=svg,
    )


def _title(capacity: Capacity) -> str:
    room = count(max(0, capacity.binding.room))
    return f"The fleet can open {_many(capacity.worst)} connections; there is room for {room}"


def _many(step: FleetStep) -> str:
    return "any number of" if step.connections is None else count(step.connections)


def _figure(capacity: Capacity) -> Figure:
    from matplotlib.ticker import FuncFormatter, MaxNLocator

    server, steps = capacity.server, capacity.steps
    known = [step.connections for step in steps if step.connections is not None]
    beside = server.others + server.reserve
    longest = max([*map(_place, capacity.limits), *(n + beside for n in known)])
    bars = _bars(capacity, _BEYOND * longest)
    parts = {name: bar for name, bar in zip(_PARTS, bars, strict=True) if any(bar)}
    figure, axes = canvas.row_axes([step.name for step in steps], list(parts))
    shades = [canvas.PART_COLOURS[_PARTS.index(name)] for name in parts]
    canvas.stacked_bars(figure, axes, parts, shades)
    axes.set_xlim(0, 1.03 * longest)
    _limit_lines(axes, capacity.limits, len(steps))
    for row, step in enumerate(steps):
        text = "any" if step.connections is None else count(step.connections + server.others)
        canvas.write_text(
            axes, 1.02, row, text, transform=axes.get_yaxis_transform(), weight="bold"
        )
    axes.xaxis.set_major_locator(MaxNLocator(5, integer=True))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda x, _: count(x)))
    canvas.draw_grid(axes, "x")
    canvas.label_x(axes, "connections; on the right with those of others")
    return figure


def _bars(capacity: Capacity, endless: float) -> list[list[float]]:
    """The parts of the bars, part by part; a fleet without a limit goes beyond the figure."""
    fleet, server = capacity.fleet, capacity.server
    usual, surge = [], []
    for step in capacity.steps:
        if step.connections is None:
            usual.append(endless)
            surge.append(0.0)
            continue
        replicas = fleet.replicas + (fleet.surge if step.deploy else 0)
        usual.append(step.connections * fleet.replicas / replicas)
        surge.append(step.connections - usual[-1])
    each = [1.0] * len(usual)
    return [usual, surge, [n * server.others for n in each], [n * server.reserve for n in each]]


def _place(limit: Limit) -> int:
    """Where a bar reaches a limit: that of an account counts its own connections alone."""
    return limit.left if limit.setting == MAX_USER_CONNECTIONS else limit.value


def _limit_lines(axes: Axes, limits: Sequence[Limit], rows: int) -> None:
    """A dashed line for each limit, its name in a row of its own above the bars.

    Names stand on one side of their lines, in an order in which none crosses another's line.
    """
    top = -0.5 - _ROOM_FOR_A_LABEL * len(limits)
    axes.set_ylim(rows - 0.5, top)
    right = bool(max(map(_place, limits)) > 0.5 * axes.get_xlim()[1])
    for number, limit in enumerate(sorted(limits, key=_place, reverse=right)):
        x, y = _place(limit), top + _ROOM_FOR_A_LABEL * (number + 0.5)
        axes.plot([x, x], [rows - 0.5, y], color=INK, lw=1.2, ls=(0, (4, 2)))
        name = "open files" if limit.setting == OPEN_FILES else limit.setting
        text = f"{name} {count(limit.value)}"
        if right:
            canvas.write_text(axes, x, y, f"{text}{canvas.BLANK}", ha="right")
        else:
            canvas.write_text(axes, x, y, f"{canvas.BLANK}{text}")
