"""Checks before a run: each rule takes a situation and yields checks as values.

An `error` blocks the run: it cannot work, or it would harm other clients without permission. A
`warning` repeats before every run. Only `loadtest doctor` shows a `note` and `ok`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from loadtest.database.preflight import pool_checks
from loadtest.database.preflight.pool_checks import pool_names
from loadtest.database.preflight.situation import PreflightCheck, Situation
from loadtest.model.errors import UsageError
from loadtest.model.pool import AS_IS, PoolConfig
from loadtest.model.trust_limits import DISTURBING_SHARE, TIME_WAIT_SECONDS

if TYPE_CHECKING:
    from loadtest.database.preflight.occupancy import Occupancy

# The share of the free connections that a run may take on a server with other clients.
ALLOWED_SHARE = 0.8
# Open files of the generator in addition to its connections: results, web, logs, libraries.
GENERATOR_FILES = 200
NAMED_PROGRAMS = 3

CheckRule = Callable[[Situation], Iterator[PreflightCheck]]


def run_checks(situation: Situation) -> list[PreflightCheck]:
    """The checks of all rules."""
    return [check for rule in CHECK_RULES for check in rule(situation)]


def refuse_errors(checks: Sequence[PreflightCheck]) -> None:
    """Raise UsageError with all errors among the checks, if there are any."""
    errors = [str(check) for check in checks if check.severity == "error"]
    if errors:
        raise UsageError(*errors)


def warning_texts(checks: Sequence[PreflightCheck]) -> list[str]:
    """The warnings among the checks, as texts."""
    return [str(check) for check in checks if check.severity == "warning"]


def open_files_check(connections: int, allowed: int | None) -> PreflightCheck:
    """Whether a process may open this number of connections; allowed: None without a limit."""
    needed = connections + GENERATOR_FILES
    evidence = {"connections": connections, "needed": needed, "allowed": allowed}
    if allowed is not None and needed > allowed:
        return PreflightCheck(
            "open_files",
            "error",
            f"{connections} connections need {needed} open files, but this system allows {allowed}",
            f"raise the limit (ulimit -n {needed}), or use fewer users or a smaller pool",
            evidence,
        )
    limit = "any number" if allowed is None else f"{allowed:,}"
    message = f"a process needs {needed:,} open files, and this system allows {limit}"
    return PreflightCheck("open_files", "ok", message, evidence=evidence)


def machine_busy_check(others: Sequence[Mapping[str, Any]]) -> PreflightCheck:
    """Whether other programs leave the processors to a run; others: as from `OtherPrograms`."""
    share = sum(one["share"] for one in others)
    message = f"other programs use {share * 100:.0f} % of the processors"
    evidence = {"share": share, "allowed": DISTURBING_SHARE, "programs": list(others)}
    if share < DISTURBING_SHARE:
        return PreflightCheck("machine_busy", "ok", message, evidence=evidence)
    busiest = [f"{one['name']} {one['share'] * 100:.0f} %" for one in others]
    return PreflightCheck(
        "machine_busy",
        "warning",
        f"{message} ({', '.join(busiest[:NAMED_PROGRAMS])})",
        "stop them, or use an idle machine. Times are longer beside them, and a run in which the "
        "load generator is late is not valid",
        evidence,
    )


def _machine_busy(situation: Situation) -> Iterator[PreflightCheck]:
    if situation.others is not None:
        yield machine_busy_check(situation.others)


def _open_files(situation: Situation) -> Iterator[PreflightCheck]:
    demand = situation.demand
    each = max(map(demand.of_process, demand.pools))
    yield open_files_check(each, situation.machine.open_files)


def _local_ports(situation: Situation) -> Iterator[PreflightCheck]:
    """Whether local ports suffice: each connection uses one, also for a while after its close."""
    demand, ports = situation.demand, situation.machine.local_ports
    if ports is None:
        return
    free = max(0, ports - situation.machine.ports_in_use)
    rate = free // TIME_WAIT_SECONDS
    evidence = {"connections": demand.most, "free": free, "per_second": rate}
    if demand.most > free:
        yield PreflightCheck(
            "local_ports",
            "error",
            f"{demand.most} connections to one server need one local port each, {free} are free",
            "widen net.ipv4.ip_local_port_range, or use a smaller pool",
            evidence,
        )
        return
    closing = [pool for pool in demand.pools if _closes(pool, demand.users * demand.per_user)]
    if not closing:
        message = f"{free:,} local ports are free for {demand.most:,} connections"
        yield PreflightCheck("local_ports", "ok", message, evidence=evidence)
        return
    every_time = any(pool.kept_connections == 0 for pool in closing)
    runs_out = every_time and demand.arrival_rate and demand.arrival_rate > rate
    yield PreflightCheck(
        "local_ports",
        "warning" if runs_out else "note",
        f"{pool_names(closing)} may close connections at checkin, and a closed connection keeps "
        f"its local port for up to {TIME_WAIT_SECONDS} s: the {free:,} free ports allow at most "
        f"{rate:,} new connections per second",
        "raise pool_size until connections stay open, or widen net.ipv4.ip_local_port_range",
        evidence,
    )


def _closes(pool: PoolConfig, wanted: int) -> bool:
    """Whether the pool closes connections at checkin when this many were wanted in a process."""
    kept = pool.kept_connections
    return kept is not None and pool.poolclass != AS_IS and pool.connections_for(wanted) > kept


def _limits(server: Occupancy) -> dict[str, tuple[int, int]]:
    """The limits of a server by name, each with the connections that it leaves."""
    found = dict[str, tuple[int, int]]()
    most, files, connected = server.max_connections, server.files_left, server.connected or 0
    if most is not None:
        found["max_connections"] = most, most + server.privileged - connected
    if files is not None and (most is None or files < most):
        found["open_files_limit"] = files, files - connected
    if limit := server.max_user_connections:
        found["max_user_connections"] = limit, limit - server.of_account
    return found


def connections_allowed(situation: Situation) -> int | None:
    """The most connections that a run may open on the server; None if nothing limits it.

    The user may have allowed any number on a server with other clients.
    """
    demand, private = situation.demand, situation.private
    if demand.overload and not private:
        return None
    share = 1.0 if private else ALLOWED_SHARE
    rooms = [room for _, room in _limits(situation.server).values()]
    return min((int(share * max(0, room - demand.beside)) for room in rooms), default=None)


def _server_limits(situation: Situation) -> Iterator[PreflightCheck]:
    found = _limits(situation.server)
    for name, (limit, room) in found.items():
        yield _room(situation, name, limit, room)
    if "max_user_connections" not in found:
        yield PreflightCheck(
            "max_user_connections", "ok", "this account may have any number of connections"
        )


def _room(situation: Situation, name: str, limit: int, room: int) -> PreflightCheck:
    """Whether a run fits into the room that a limit of the server leaves."""
    demand, private = situation.demand, situation.private
    most, free = demand.most, max(0, room - demand.beside)
    share = 1.0 if private else ALLOWED_SHARE
    evidence = {"connections": most, "free": free, "limit": limit, "share": share}
    if most <= share * free:
        message = (
            f"{name} = {limit:,}: {free:,} connections are free, this run takes at most {most:,}"
        )
        return PreflightCheck(name, "ok", message, evidence=evidence)
    beyond = most > free
    message = f"this run may open {most} connections, the server has room for {free} ({name} = "
    message += f"{limit}). All further connections fail" if beyond else f"{limit})"
    advice = "use a smaller pool or fewer users"
    if private:
        return PreflightCheck(name, "error", message, advice, evidence)
    too_many = f": {most} is more than {share * 100:.0f} % of the free ones ({int(share * free)})"
    message += ", also those of other clients" if beyond else too_many
    if demand.overload:
        advice = f"watch the other clients, or {advice}"
        return PreflightCheck(name, "warning", message, advice, evidence)
    advice += f" (at most {int(share * free)} connections)" if beyond else ""
    advice += "; or give --allow-overload if no other client needs the server"
    return PreflightCheck(name, "error", message, advice, evidence)


def _occupied(situation: Situation) -> Iterator[PreflightCheck]:
    server = situation.server
    if server.connected is None or not server.max_connections:
        return
    used = server.connected / server.max_connections
    peak = ""
    if server.peak is not None:
        peak = f"; the peak since the server's start is {server.peak:,}"
    yield PreflightCheck(
        "in_use",
        "warning" if used > ALLOWED_SHARE else "ok",
        f"{server.connected:,} of {server.max_connections:,} connections are in use now{peak}",
        "find the clients that hold them (SHOW PROCESSLIST) before you add load"
        if used > ALLOWED_SHARE
        else "",
        {"connected": server.connected, "peak": server.peak},
    )


CHECK_RULES: tuple[CheckRule, ...] = (
    _machine_busy,
    _open_files,
    _local_ports,
    _server_limits,
    _occupied,
    pool_checks.wait_timeout,
    pool_checks.driver,
    pool_checks.tls,
    pool_checks.pool_timeout,
    pool_checks.unlimited,
)
