"""A fleet's capacity: tables on the terminal, or JSON."""

from __future__ import annotations

from typing import Any

from rich.console import Console

from loadtest.analysis.fleet.capacity import OPEN_FILES, Capacity, FleetStep, Limit
from loadtest.analysis.units import NO_VALUE, count
from loadtest.report.console import plain, text_table, trimmed

STEP_COLUMNS = ("", "processes", "connections", "with others", "left", "")
LIMIT_COLUMNS = ("limit", "value", "others", "reserve", "room")
_STYLES = {"fits": "", "reserve": "yellow", "exceeds": "bold red"}
_STATES = {"fits": "", "reserve": "reserve", "exceeds": "refused"}


def capacity_json(capacity: Capacity) -> dict[str, Any]:
    """The capacity as JSON values."""
    properties = {"fits": capacity.fits, "most_connections": capacity.worst.connections}
    limits = [
        {**limit.model_dump(), "left": limit.left, "room": limit.room} for limit in capacity.limits
    ]
    return {"schema": 1, **properties, **capacity.model_dump(mode="json"), "limits": limits}


def print_capacity(capacity: Capacity, console: Console) -> None:
    """Print the verdict, the steps, the limits and the findings."""
    with trimmed(console):
        headline, *rest = capacity.verdict.splitlines()
        console.print(plain(headline, console, "bold green" if capacity.fits else "bold red"))
        for line in rest:
            console.print(plain(line, console))
        console.print()
        steps = [step_row(capacity, step) for step in capacity.steps]
        styles = [_STYLES[step.state] for step in capacity.steps]
        console.print(text_table(console, STEP_COLUMNS, steps, styles))
        console.print()
        console.print(text_table(console, LIMIT_COLUMNS, map(limit_row, capacity.limits)))
        if capacity.findings:
            console.print()
        for finding in capacity.findings:
            style = "yellow" if finding.severity == "warning" else ""
            console.print(plain(f"- {finding.message}", console, style))


def step_row(capacity: Capacity, step: FleetStep) -> tuple[str, ...]:
    """The cells of a step, under STEP_COLUMNS."""
    if step.connections is None:
        many, together, room = "any number", NO_VALUE, NO_VALUE
    else:
        many = count(step.connections)
        together = count(step.connections + capacity.server.others)
        room = count(step.room)
    return step.name, count(step.processes), many, together, room, _STATES[step.state]


def limit_row(limit: Limit) -> tuple[str, ...]:
    """The cells of a limit, under LIMIT_COLUMNS."""
    name = "open files" if limit.setting == OPEN_FILES else limit.setting
    return (name, *(count(n) for n in (limit.value, limit.others, limit.reserve, limit.room)))
