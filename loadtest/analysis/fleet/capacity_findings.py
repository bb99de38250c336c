"""What the numbers of a capacity mean: the verdict and the findings."""

from __future__ import annotations

from collections.abc import Iterator

from loadtest.analysis.fleet.capacity import (
    MAX_CONNECTIONS,
    OPEN_FILES,
    Capacity,
    Fleet,
    FleetStep,
    Limit,
    SafePool,
    ServerLimits,
    capacity_numbers,
)
from loadtest.analysis.pool_settings import pool_arguments
from loadtest.analysis.units import count, plural
from loadtest.model.pool import PoolSettings
from loadtest.model.summary import Finding

_MYSQL, _POSTGRESQL = ("mysql", "mariadb"), "postgresql"
STEPS_IN_WORDS = {
    "running": "in normal operation, with no more than pool_size open",
    "deploy": "in a deploy, with no more than pool_size open",
    "all pools full": "when all pools are full at once",
    "deploy, all full": "when all pools are full in a deploy",
}
# By the dialect; an empty one is unknown.
_TOO_MANY = {
    "": "error 1040 (Too many connections; PostgreSQL: 53300, too many clients already)",
    **dict.fromkeys(_MYSQL, "error 1040 (Too many connections)"),
    _POSTGRESQL: "error 53300 (too many clients already)",
}
_OTHER = "an error"
_OUT_OF_FILES = (
    "no answer until their own timeout (error 2013), since the server has no file left "
    "for them, and queries on other connections fail with error 23 (Out of resources)"
)
_AS_THEY_ARE = "With the further pools as they are"
_USER_LIMIT = {
    True: "error 1226 (exceeded 'max_user_connections')",
    False: "error 1203 (more than 'max_user_connections')",
}
_ROLE_LIMIT = "error 53300 (too many connections for role)"


def fleet_capacity(fleet: Fleet, server: ServerLimits) -> Capacity:
    """How many connections the fleet can open, whether they fit, and what that means."""
    numbers = capacity_numbers(fleet, server)
    found = [finding for rule in _RULES for finding in rule(numbers)]
    return numbers.model_copy(
        update={"findings": tuple(found), "verdict": "\n".join(_verdict(numbers))}
    )


def product_in_words(fleet: Fleet, step: FleetStep) -> str:
    """Where a number of connections comes from: `60 processes × (20 + 10)`."""
    limits = [_limit_in_words(pool, fleet.threads) for pool in fleet.pools]
    if fleet.placements:
        numbers = fleet.processes_with(deploy=step.deploy)
        return " + ".join(
            f"{plural(number, 'process', 'processes')} × {limit}"
            for number, limit in zip(numbers, limits, strict=True)
        )
    each = " + ".join(limits)
    if fleet.further_pools:
        each = f"({each})"
    return f"{plural(step.processes, 'process', 'processes')} × {each}"


def _limit_in_words(pool: PoolSettings, threads: int | None) -> str:
    """The most connections of a pool in one process: `(20 + 10)`."""
    most = pool.most_connections
    if threads is not None and (most is None or threads < most):
        return plural(threads, "thread")
    return "a pool without a limit" if most is None else f"({pool.pool_size} + {pool.max_overflow})"


def error_of(capacity: Capacity, setting: str) -> str:
    """The error that connections beyond a limit get, and who else meets it."""
    server = capacity.server
    if setting == OPEN_FILES:
        return _OUT_OF_FILES
    if setting == MAX_CONNECTIONS:
        return f"{_TOO_MANY.get(server.dialect, _OTHER)}, and so do other clients of the server"
    own = _ROLE_LIMIT if server.dialect == _POSTGRESQL else _USER_LIMIT[server.own_limit]
    return f"{own}, and other accounts are not affected"


def _verdict(capacity: Capacity) -> Iterator[str]:
    worst = capacity.worst
    many = "any number of" if worst.connections is None else count(worst.connections)
    opens = f"{many} connections ({product_in_words(capacity.fleet, worst)})"
    if capacity.fits:
        left = plural(worst.room or 0, "connection")
        yield f"The fleet fits: it opens at most {opens}. The server then has room for {left} more."
    else:
        yield f"The fleet does not fit: it can open {opens}."
        yield _room(capacity.binding)
        yield from _breaks(capacity)
    yield from _safe(capacity)
    if not capacity.fits:
        yield from _instead(capacity)
    else:
        yield "A safe pool is not always the best one. To find the best pool, use loadtest compare."


def _room(limit: Limit) -> str:
    """The room for the fleet, and what takes the rest."""
    less = [f"other clients use {count(limit.others)}"] if limit.others else []
    less += [f"{count(limit.reserve)} are kept in reserve"] if limit.reserve else []
    of = f" of {limit.setting} = {count(limit.value)}"
    if limit.setting == OPEN_FILES:
        of = f" of the {count(limit.value)} for which {limit.setting} has files"
    because = f": {' and '.join(less)}" if less else ""
    return f"There is room for {count(max(0, limit.room))}{of}{because}."


def _breaks(capacity: Capacity) -> Iterator[str]:
    """What breaks first and when: the reserve, then refused connections."""
    refused = next((step for step in capacity.steps if step.state == "exceeds"), None)
    step = next(step for step in capacity.steps if step.state != "fits")
    if step is not refused:
        when = STEPS_IN_WORDS[step.name]
        yield (
            f"{when[0].upper()}{when[1:]}, the fleet takes {count(-(step.room or 0))} of the "
            f"{plural(capacity.server.reserve, 'connection')} kept in reserve for people and "
            "agents. No connection is refused yet."
        )
    if refused:
        yield (
            f"Connections are refused {STEPS_IN_WORDS[refused.name]}, by {refused.limit}: "
            f"connections beyond it get {error_of(capacity, refused.limit)}."
        )


def _safe(capacity: Capacity) -> Iterator[str]:
    """The largest pools that always fit; with several engines, those of the first one."""
    also = ", also in a deploy, is" if capacity.fleet.surge else " is"
    several = capacity.fleet.further_pools
    largest = f"{_AS_THEY_ARE}, the largest safe first pool" if several else "The largest safe pool"
    able = [safe for safe in capacity.safe if safe.pool_size is not None]
    if able:
        pools = [
            f"{safe_pool_in_words(capacity, safe)} ({count(safe.connections)} connections)"
            for safe in able
        ]
        without = [safe for safe in capacity.safe if safe.pool_size is None and capacity.needed]
        none = "".join(f"; with max_overflow={safe.max_overflow} none fits" for safe in without)
        yield f"{largest} per process{also} {' or '.join(pools)}{none}."
    elif several:
        yield f"{_AS_THEY_ARE}, no first pool is safe."
    else:
        room, processes = max(0, capacity.binding.room), capacity.worst.processes
        yield (
            f"No pool is safe: {plural(processes, 'process', 'processes')} with one connection "
            f"each exceed the room for {count(room)}. Run fewer processes, or share connections "
            "through a proxy in front of the server (ProxySQL, MaxScale)."
        )


def safe_pool_in_words(capacity: Capacity, safe: SafePool) -> str:
    """A safe pool as Python arguments; a custom class stays."""
    poolclass = capacity.fleet.settings.poolclass
    kind = "QueuePool" if poolclass == "NullPool" else poolclass
    return pool_arguments(PoolSettings("", kind, safe.pool_size, safe.max_overflow))


def _instead(capacity: Capacity) -> Iterator[str]:
    """The limits to raise for the present pool, with the values needed."""
    most = capacity.worst.connections
    if most is None:
        yield "No max_connections is enough for a pool without a limit: set max_overflow."
        return
    short = [limit for limit in capacity.limits if limit.room < most]
    settable = [limit for limit in short if limit.setting != OPEN_FILES]
    raised = [f"{limit.setting} = {most + limit.others + limit.reserve}" for limit in settable]
    if len(short) > len(settable):
        missing = most - next(limit.room for limit in short if limit.setting == OPEN_FILES)
        raised.append(f"{OPEN_FILES} = {(capacity.server.open_files_limit or 0) + missing}")
    kept = "these pools" if capacity.fleet.further_pools else "this pool"
    yield f"To keep {kept}, the server needs at least {' and '.join(raised)}."


def privileged_account(capacity: Capacity) -> Iterator[Finding]:
    """An account for which the server makes exceptions."""
    if capacity.server.privileged:
        yield Finding(
            code="privileged_account",
            severity="warning",
            message="This account can connect when others are refused (SUPER or CONNECTION ADMIN). "
            "At max_connections, the fleet takes the one connection that the server reserves for "
            "an administrator, and the global max_user_connections does not apply to it. "
            "Give the application an account without these privileges.",
        )


def counted_twice(capacity: Capacity) -> Iterator[Finding]:
    """Connections of others that may be the fleet's own."""
    server = capacity.server
    if server.counted and server.others_of_account:
        rest = server.others - server.others_of_account
        yield Finding(
            code="same_account",
            severity="info",
            message=f"Of the {plural(server.others, 'connection')} of others, "
            f"{count(server.others_of_account)} use the same account. If they belong to this "
            f"fleet, they count twice here: use --others {rest}.",
            evidence={"others": server.others, "of_account": server.others_of_account},
        )


def busier_before(capacity: Capacity) -> Iterator[Finding]:
    """A server that has had many more connections than it has now."""
    server = capacity.server
    if server.counted and server.peak and server.peak > 2 * (server.others + 1):
        yield Finding(
            code="busier_before",
            severity="info",
            message=f"Others have {plural(server.others, 'connection')} now, but the server has "
            f"had {count(server.peak)} at once since it started (Max_used_connections). Repeat "
            "this at the busiest hour, or use --others.",
            evidence={"others": server.others, "peak": server.peak},
        )


def too_few_files(capacity: Capacity) -> Iterator[Finding]:
    """A larger max_connections for which the server has no files.

    The manuals' formula for what it asks the system for: max_connections + 2 x table_open_cache +
    a few (MySQL, "How MySQL Opens and Closes Tables"). With less, MySQL lowers max_connections when
    it starts; MariaDB 10.11 with several table_open_cache_instances does not, and runs out.
    """
    server, needed = capacity.server, capacity.needed
    if not needed or server.open_files_limit is None or needed <= server.max_connections:
        return
    wanted = needed + 2 * (server.table_open_cache or 0) + 50
    if wanted > server.open_files_limit:
        yield Finding(
            code="open_files",
            severity="warning",
            message=f"For max_connections = {needed} also raise open_files_limit to {wanted} or "
            f"more (now {server.open_files_limit}). A server with too few files lowers "
            "max_connections or its table cache when it starts, or runs out of files later.",
            evidence={"wanted": wanted, "open_files_limit": server.open_files_limit},
        )


def vanished_machines(capacity: Capacity) -> Iterator[Finding]:
    """For how long the connections of a machine that vanished count."""
    seconds = capacity.server.wait_timeout
    if seconds and seconds > 600:
        yield Finding(
            code="left_behind",
            severity="info",
            message="If a machine vanishes, the server counts its connections for up to "
            f"wait_timeout = {seconds} s. The connections of its replacement add to them. Count "
            "the replacement as surge, or lower wait_timeout and set pool_recycle below it.",
            evidence={"wait_timeout": seconds},
        )


_RULES = (privileged_account, counted_twice, busier_before, too_few_files, vanished_machines)
