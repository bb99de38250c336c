"""The groups in which the help of a command shows its options."""

from __future__ import annotations

_LOAD, _POOL, _DATABASE, _APPLICATION, _OUTPUT = "Load", "Pool", "Database", "Application", "Output"

# The parameters of each group by name; of all others the help has one group, "Options".
_MEMBERS = {
    _LOAD: (
        *("users", "spawn_rate", "arrival_rate", "arrivals", "stages", "time", "warmup", "model"),
        *("processes", "rounds", "seed", "option", "fault"),
    ),
    _POOL: ("pool", "prefill", "at_most", "objective", "margin"),
    _DATABASE: (
        *("database_url", "server", "allow_overload", "no_abort", "keep_tables"),
        "connections_per_user",
    ),
    _APPLICATION: ("session", "engine", "ready"),
    _OUTPUT: ("results", "out", "markdown", "as_json", "quiet", "verbose"),
}
_PANELS = {name: panel for panel, names in _MEMBERS.items() for name in names}
_DRIVEN = "app"


def panel_of(name: str) -> str | None:
    """The group of an option by the name of its parameter; None if it is in no special one."""
    if name.split("_", maxsplit=1)[0] == _DRIVEN:
        return _APPLICATION
    return _PANELS.get(name)
