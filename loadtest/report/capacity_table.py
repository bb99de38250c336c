"""The answer about a fleet's capacity: a table on the terminal, and a page with a figure."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from rich.console import Console

from loadtest.analysis.fleet.capacity import OPEN_FILES, Capacity, FleetStep, Limit
from loadtest.analysis.pool_settings import pool_arguments
from loadtest.analysis.units import NO_VALUE, count, plural
from loadtest.model.errors import UsageError
from loadtest.report.console import empty_table, plain, trimmed
from loadtest.report.html import page_template

STEP_COLUMNS = ("", "processes", "connections", "with others", "left", "")
LIMIT_COLUMNS = ("limit", "value", "others", "reserve", "room")
_STYLES = {"fits": "", "reserve": "yellow", "exceeds": "bold red"}
_STATES = {"fits": "", "reserve": "reserve", "exceeds": "refused"}
NOTE = (
    "Running and deploy: each process has pool_size connections open, which it keeps once it was "
    "busy. Full: max_overflow, too. Deploy: the replicas of --surge run beside the others. Left: "
    "what remains of the room that limits, other clients and the reserve leave to the fleet."
)


def capacity_json(capacity: Capacity) -> dict[str, Any]:
    """The answer in JSON's types."""
    properties = {"fits": capacity.fits, "most_connections": capacity.worst.connections}
    limits = [
        {**limit.model_dump(), "left": limit.left, "room": limit.room} for limit in capacity.limits
    ]
    return {"schema": 1, **properties, **capacity.model_dump(mode="json"), "limits": limits}


def print_capacity(capacity: Capacity, console: Console) -> None:
    """Print the verdict, the steps, the limits and what else to know."""
    with trimmed(console):
        headline, *rest = capacity.verdict.splitlines()
        console.print(plain(headline, console, "bold green" if capacity.fits else "bold red"))
        for line in rest:
            console.print(plain(line, console))
        console.print()
        _print_table(
            STEP_COLUMNS,
            [(step_row(capacity, s), _STYLES[s.state]) for s in capacity.steps],
            console,
        )
        console.print()
        _print_table(LIMIT_COLUMNS, [(limit_row(limit), "") for limit in capacity.limits], console)
        if capacity.findings:
            console.print()
        for finding in capacity.findings:
            style = "yellow" if finding.severity == "warning" else ""
            console.print(plain(f"- {finding.message}", console, style))


def _print_table(
    columns: tuple[str, ...], rows: list[tuple[tuple[str, ...], str]], console: Console
) -> None:
    table = empty_table(console, columns)
    for cells, style in rows:
        table.add_row(*(plain(cell, console, style) for cell in cells))
    console.print(table)


def step_row(capacity: Capacity, step: FleetStep) -> tuple[str, ...]:
    """The cells of a step, under STEPS."""
    if step.connections is None:
        many, together, room = "any number", NO_VALUE, NO_VALUE
    else:
        many = count(step.connections)
        together = count(step.connections + capacity.server.others)
        room = count(step.room)
    return step.name, count(step.processes), many, together, room, _STATES[step.state]


def limit_row(limit: Limit) -> tuple[str, ...]:
    """The cells of a limit, under LIMITS."""
    name = "open files" if limit.setting == OPEN_FILES else limit.setting
    return (name, *(count(n) for n in (limit.value, limit.others, limit.reserve, limit.room)))


def write_page(capacity: Capacity, folder: Path) -> Path:
    """Write capacity.html into a folder, made if need be; UsageError where that cannot be."""
    path = folder / "capacity.html"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        path.write_text(page(capacity), encoding="utf-8")
    except OSError as error:
        raise UsageError(f"cannot write {path}: {error.strerror}") from None
    return path


def page(capacity: Capacity) -> str:
    """The answer as one self-contained page."""
    from loadtest.report.figures.capacity_steps import draw

    headline, *rest = capacity.verdict.splitlines()
    return page_template("capacity.html.j2").render(
        subtitle=_subtitle(capacity),
        headline=headline,
        rest=rest,
        fits=capacity.fits,
        drawing=draw(capacity),
        steps=[(step_row(capacity, step), step.state) for step in capacity.steps],
        step_headings=STEP_COLUMNS,
        note=NOTE,
        limits=[limit_row(limit) for limit in capacity.limits],
        limit_headings=LIMIT_COLUMNS,
        findings=capacity.findings,
        facts=list(_facts(capacity)),
    )


def _subtitle(capacity: Capacity) -> str:
    fleet = capacity.fleet
    parts = [
        plural(fleet.replicas, "replica")
        + f" of {plural(fleet.processes, 'process', 'processes')}",
        f"{fleet.surge} more in a deploy" if fleet.surge else "",
        pool_arguments(fleet.settings),
        str(capacity.server.version or ""),
    ]
    return " · ".join(part for part in parts if part)


def _facts(capacity: Capacity) -> Iterator[tuple[str, str]]:
    """What the answer was worked out from, a line each."""
    fleet, server = capacity.fleet, capacity.server
    yield "processes of a replica", count(fleet.processes)
    yield "replicas", count(fleet.replicas)
    yield "more in a deploy", count(fleet.surge)
    yield "threads of a process", count(fleet.threads)
    for name in ("max_connections", "max_user_connections", "open_files_limit", "wait_timeout"):
        value = getattr(server, name)
        yield name, NO_VALUE if value is None else str(value)
    yield "connections of others", count(server.others) + (" now" if server.counted else "")
    yield "most at once since its start", count(server.peak)
    yield "reserve", count(server.reserve)
