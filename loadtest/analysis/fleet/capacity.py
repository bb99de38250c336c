"""How many connections a fleet of processes can open, and how many the server accepts.

Each process has a pool of its own for each of its engines, so pools multiply: replicas x processes
x (pool_size + max_overflow), added up over the engines. In a deploy, old and new replicas run at
the same time.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Literal

from pydantic import Field

from loadtest.model.field_types import Value
from loadtest.model.pool import PoolSettings
from loadtest.model.summary import Finding

# For a backup, a migration, two monitoring agents, and people at a prompt, who need access when
# everything is full. The server itself reserves one connection, for an administrator's account.
RESERVED_CONNECTIONS = 10

StepState = Literal["fits", "reserve", "exceeds"]
MAX_CONNECTIONS, MAX_USER_CONNECTIONS = "max_connections", "max_user_connections"
OPEN_FILES = "open_files_limit"


class Placement(Value):
    """The processes that have a pool: on each replica that has any, and the number of those."""

    processes: int = Field(ge=1)
    replicas: int = Field(ge=1)


class Fleet(Value):
    """Replicas of processes that each have the same pools, or of unlike processes.

    processes: per replica. surge: additional replicas in a deploy. pool: SQLAlchemy's settings.
    further_pools: the same, of the other engines of a process. placements: of each pool, if not all
    processes have all pools. threads: of a process, each with one connection of each pool at a
    time; None if unknown.
    """

    processes: int = Field(ge=1)
    replicas: int = Field(ge=1)
    surge: int = Field(ge=0)
    pool: dict[str, Any]
    further_pools: tuple[dict[str, Any], ...] = ()
    placements: tuple[Placement, ...] = ()
    threads: int | None = Field(default=None, ge=1)

    @property
    def settings(self) -> PoolSettings:
        """The settings of the first pool, with SQLAlchemy's defaults."""
        return PoolSettings(**self.pool)

    @property
    def pools(self) -> tuple[PoolSettings, ...]:
        """The settings of all pools of a process."""
        return (self.settings, *(PoolSettings(**pool) for pool in self.further_pools))

    def processes_with(self, *, deploy: bool) -> tuple[int, ...]:
        """How many processes have each pool."""
        everywhere = Placement(processes=self.processes, replicas=self.replicas)
        placed = self.placements or (everywhere,) * len(self.pools)
        return tuple(one.processes * (one.replicas + self.surge * deploy) for one in placed)


class ServerLimits(Value):
    """The connections that a server accepts, and those that are taken.

    max_user_connections: of the fleet's account, 0 where it has no limit; own_limit: whether the
    account has that limit itself, rather than all accounts. files: how many connections the
    server's open files are enough for; None if unknown. others, others_of_account: connections of
    other clients, and those of them with the fleet's account. reserve: to be left free. peak: the
    most connections at once since the server started. privileged: whether the account may connect
    when others are refused. counted: whether others were counted on the server rather than given.
    wait_timeout: seconds. Values that were not read are None. dialect: of the URLs of the server,
    like `postgresql`; empty if unknown.
    """

    max_connections: int = Field(ge=1)
    max_user_connections: int = Field(default=0, ge=0)
    own_limit: bool = False
    files: int | None = Field(default=None, ge=0)
    others: int = Field(default=0, ge=0)
    others_of_account: int = Field(default=0, ge=0)
    reserve: int = Field(default=RESERVED_CONNECTIONS, ge=0)
    counted: bool = False
    peak: int | None = None
    privileged: bool = False
    open_files_limit: int | None = None
    table_open_cache: int | None = None
    wait_timeout: int | None = None
    version: str | None = None
    dialect: str = ""


class Limit(Value):
    """A setting that limits connections: its value, and the part of others and of the reserve."""

    setting: str
    value: int
    others: int
    reserve: int

    @property
    def left(self) -> int:
        """The connections that the fleet can open before one is refused, reserve included."""
        return self.value - self.others

    @property
    def room(self) -> int:
        """The connections that the fleet may open without the reserve; negative if it is in use."""
        return self.left - self.reserve


class FleetStep(Value):
    """A moment in the fleet's life.

    connections: the fleet's, None if nothing limits them. room: the rest of the server's room.
    limit: the setting that refuses connections, otherwise the one with the least room.
    """

    name: str
    deploy: bool
    full: bool
    processes: int
    connections: int | None
    room: int | None
    limit: str
    state: StepState


class SafePool(Value):
    """The largest pool_size with some max_overflow that always fits; None if none does.

    It is that of the first pool; the further pools stay as they are.

    connections: the most that the fleet then opens.
    """

    pool_size: int | None
    max_overflow: int
    connections: int | None


class Capacity(Value):
    """The answer: what the fleet opens at each step, what breaks first, which pool is safe.

    first: the name of the first step that does not fit; None if all do. needed: the least
    max_connections for all of them, None if no number is enough.
    """

    fleet: Fleet
    server: ServerLimits
    limits: tuple[Limit, ...]
    steps: tuple[FleetStep, ...]
    first: str | None
    needed: int | None
    safe: tuple[SafePool, ...]
    findings: tuple[Finding, ...] = ()
    verdict: str = ""

    @property
    def fits(self) -> bool:
        """Whether every step fits and leaves the reserve alone."""
        return self.first is None

    @property
    def binding(self) -> Limit:
        """The limit that leaves the fleet the least room."""
        return binding_limit(self.limits)

    @property
    def worst(self) -> FleetStep:
        """The step with the most connections."""
        return self.steps[-1]


@dataclass(frozen=True)
class _Moment:
    name: str
    deploy: bool
    full: bool


# In the order of likelihood: a deploy is more common than all pools full at once.
_MOMENTS = (
    _Moment("running", deploy=False, full=False),
    _Moment("deploy", deploy=True, full=False),
    _Moment("all pools full", deploy=False, full=True),
    _Moment("deploy, all full", deploy=True, full=True),
)


def capacity_numbers(fleet: Fleet, server: ServerLimits) -> Capacity:
    """The answer without findings and verdict."""
    limits = limits_of(server)
    steps = tuple(_step(moment, fleet, limits) for moment in _moments(fleet))
    most = steps[-1].connections
    needed = None if most is None else most + server.others + server.reserve
    return Capacity(
        fleet=fleet,
        server=server,
        limits=limits,
        steps=steps,
        first=next((step.name for step in steps if step.state != "fits"), None),
        needed=needed,
        safe=tuple(safe_pool(fleet, limits, overflow) for overflow in _overflows(fleet.settings)),
    )


def limits_of(server: ServerLimits) -> tuple[Limit, ...]:
    """The limits that can be reached; the reserve is for other accounts than the fleet's."""
    beside = {"others": server.others, "reserve": server.reserve}
    limits = [Limit(setting=MAX_CONNECTIONS, value=server.max_connections, **beside)]
    if server.max_user_connections:
        value, others = server.max_user_connections, server.others_of_account
        limits.append(Limit(setting=MAX_USER_CONNECTIONS, value=value, others=others, reserve=0))
    if server.files is not None and server.files < server.max_connections:
        limits.append(Limit(setting=OPEN_FILES, value=server.files, **beside))
    return tuple(limits)


def binding_limit(limits: tuple[Limit, ...]) -> Limit:
    """The limit with the least room; of equal ones the first."""
    return min(limits, key=lambda limit: limit.room)


def connections_of(fleet: Fleet, *, deploy: bool, full: bool) -> int | None:
    """The fleet's connections: pool_size in each process, or all allowed; None if unlimited."""
    numbers = fleet.processes_with(deploy=deploy)
    each = [_of_process(pool, fleet.threads, full=full) for pool in fleet.pools]
    return _sum(one if one is None else one * n for one, n in zip(each, numbers, strict=True))


def _of_process(pool: PoolSettings, threads: int | None, *, full: bool) -> int | None:
    """The connections of a pool in one process; None if unlimited."""
    most = pool.most_connections if full else pool.kept_connections
    return min((limit for limit in (most, threads) if limit is not None), default=None)


def _sum(numbers: Iterable[int | None]) -> int | None:
    """The sum; None if one is unlimited."""
    known = list(numbers)
    return None if None in known else sum(filter(None, known))


def safe_pool(fleet: Fleet, limits: tuple[Limit, ...], overflow: int) -> SafePool:
    """The largest pool_size that fits with this overflow even in a deploy with all pools full.

    At most the threads of a process, which cannot open more.
    """
    threads, (processes, *numbers) = fleet.threads, fleet.processes_with(deploy=True)
    further = [_of_process(pool, threads, full=True) for pool in fleet.pools[1:]]
    others = _sum(one if one is None else one * n for one, n in zip(further, numbers, strict=True))
    each = (max(0, binding_limit(limits).room) - (others or 0)) // processes
    if others is not None and threads is not None and threads <= each:
        return SafePool(
            pool_size=threads, max_overflow=overflow, connections=threads * processes + others
        )
    size = each - overflow
    if others is None or overflow < 0 or size < 1:
        return SafePool(pool_size=None, max_overflow=overflow, connections=None)
    return SafePool(pool_size=size, max_overflow=overflow, connections=each * processes + others)


def _overflows(pool: PoolSettings) -> list[int]:
    """The pool's own overflow, and none."""
    own = 0 if pool.poolclass == "NullPool" else pool.max_overflow or 0
    return list(dict.fromkeys([own, 0]))


def _moments(fleet: Fleet) -> list[_Moment]:
    """The moments that differ for this fleet."""
    moments = [moment for moment in _MOMENTS if fleet.surge or not moment.deploy]
    kept = connections_of(fleet, deploy=False, full=False)
    if kept in (0, connections_of(fleet, deploy=False, full=True)):
        return [moment for moment in moments if moment.full]
    return moments


def _step(moment: _Moment, fleet: Fleet, limits: tuple[Limit, ...]) -> FleetStep:
    connections = connections_of(fleet, deploy=moment.deploy, full=moment.full)
    least = binding_limit(limits)
    refusing = [limit for limit in limits if connections is None or connections > limit.left]
    state: StepState = "exceeds" if refusing else "fits"
    if not refusing and connections is not None and connections > least.room:
        state = "reserve"
    replicas = fleet.replicas + (fleet.surge if moment.deploy else 0)
    return FleetStep(
        name=moment.name,
        deploy=moment.deploy,
        full=moment.full,
        processes=replicas * fleet.processes,
        connections=connections,
        room=None if connections is None else least.room - connections,
        limit=min(refusing, key=lambda limit: limit.left, default=least).setting,
        state=state,
    )
