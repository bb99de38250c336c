"""Checks of the pools' settings, the driver and TLS."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from loadtest.database.drivers import PURE_CONNECTOR
from loadtest.database.preflight.situation import Demand, PreflightCheck, Severity, Situation
from loadtest.model.pool import AS_IS, PoolConfig
from loadtest.model.tls_advice import SHARE_TLS_CONTEXT, SWITCH_TLS_OFF

if TYPE_CHECKING:
    from loadtest.database.preflight.handshake import Handshake

# A driver blocks if the other users stand still for more than this share of a sleeping query.
STANDSTILL_SHARE = 0.5
SLOW_HANDSHAKE = 2.0
# By whether the server supports TLS: an addition to the reason, the tool's own way, the advice.
_CONTEXTS = {
    True: ("", "with one shared context", SHARE_TLS_CONTEXT),
    False: (", although this server does not support TLS", "without one", SWITCH_TLS_OFF),
}
_CONNECTOR_ADVICE = (
    "choose a pool_size that is rarely exceeded, so that the pool keeps its connections; "
    "connect_args={'tls_versions': ['TLSv1.3']} halves the time; ssl_disabled avoids it if you "
    "trust the network"
)
# The default of MySQL and MariaDB (s): 8 hours.
USUAL_WAIT_TIMEOUT = 28_800
# A task may hold a connection idle for this long (s), for example while it calls a service.
SHORT_WAIT_TIMEOUT = 60
LOOPBACK = ("127.0.0.1", "localhost", "::1", "")


def wait_timeout(situation: Situation) -> Iterator[PreflightCheck]:
    """Whether the server closes idle connections that a pool hands out or a task holds."""
    timeout = situation.server.number("wait_timeout")
    if timeout is None:
        return
    pools, lasts = situation.demand.pools, situation.demand.seconds
    bare = [pool for pool in pools if not _renewed(pool, timeout)]
    evidence = {"wait_timeout": timeout, "seconds": lasts}
    expires = bool(bare and lasts and lasts > timeout)
    if expires or timeout <= SHORT_WAIT_TIMEOUT or (bare and timeout < USUAL_WAIT_TIMEOUT):
        effects = dict(_effects_of_idling(bare, short=timeout <= SHORT_WAIT_TIMEOUT))
        message = f"the server closes a connection that is idle for wait_timeout = {timeout} s"
        message, advice = "; ".join([message, *effects]), "; ".join(effects.values())
        severity: Severity = "warning" if expires else "note"
        yield PreflightCheck("wait_timeout", severity, message, advice, evidence)
        return
    lost = "only connections that are idle for longer are lost"
    message = lost if bare else "no pool hands out a connection closed as idle"
    message = f"wait_timeout = {timeout} s: {message}"
    yield PreflightCheck("wait_timeout", "ok", message, evidence=evidence)


def _effects_of_idling(bare: list[PoolConfig], *, short: bool) -> Iterator[tuple[str, str]]:
    """The effects of wait_timeout, each with advice; short: whether tasks may idle for longer."""
    if bare:
        yield (
            f"the next request that gets it from {pool_names(bare)} fails "
            "(error 2006, 2013 or 4031)",
            "set pool_recycle below wait_timeout, or switch on pool_pre_ping",
        )
    if short:
        yield (
            "a task that holds a connection idle for longer loses it with any pool",
            "commit or close a session before work that takes longer",
        )


def _renewed(pool: PoolConfig, timeout: int) -> bool:
    """Whether a pool checks idle connections, replaces them in time, or keeps none."""
    unknown = pool.poolclass == AS_IS or pool.kept_connections == 0
    return unknown or pool.pool_pre_ping or 0 <= pool.pool_recycle < timeout


def driver(situation: Situation) -> Iterator[PreflightCheck]:
    """Whether the driver lets other users run while one waits for the database, if measured."""
    if situation.standstill is not None:
        yield driver_check(situation.standstill, situation.driver)


def driver_check(still: float, name: str) -> PreflightCheck:
    """Whether a driver blocks other users; still: for which share of a query."""
    evidence = {"standstill": still, "driver": name}
    if still > STANDSTILL_SHARE:
        message = f"{name} blocks the event loop: while one user waits for the database, the other "
        message += f"users of the process stand still for {still:.0%} of the time"
        advice = "run each user on an OS thread (--model threads), or connect with mysql+pymysql://"
        return PreflightCheck("driver", "warning", message, advice, evidence)
    message = f"{name} lets the other users of a process run while one waits for the database: "
    message += f"a query that only waits delayed them by at most {still * 100:.1f} % of its time"
    return PreflightCheck("driver", "ok", message, evidence=evidence)


def tls(situation: Situation) -> Iterator[PreflightCheck]:
    """The cost of TLS contexts, and whether connections are encrypted."""
    measured = situation.handshake
    if measured is None:
        return
    yield tls_context_check(measured)
    if not measured.tls and situation.host not in LOOPBACK:
        who = "the server does not support TLS"
        if measured.of_application:
            who = f"the application's connections ({measured.driver}) are not encrypted"
        message = f"{who}: queries and results can be read on the network"
        yield PreflightCheck("no_tls", "note", message, "use it only in a network that you trust")


def tls_context_check(measured: Handshake) -> PreflightCheck:
    """The cost of building a TLS context for every connection.

    A warning only for an application, because the tool's own engine shares one context.
    """
    own, shared = _ms(measured.own), _ms(measured.shared)
    evidence = {"own": measured.own, "shared": measured.shared, "tls": measured.tls}
    of_application = measured.of_application
    how = "the way the application does it" if of_application else "with plain create_engine()"
    if measured.own > SLOW_HANDSHAKE * measured.shared:
        reason, advice = _why_slow(measured)
        severity: Severity = "warning" if of_application else "note"
        message = f"connecting takes {own} {how}, because {reason}"
        return PreflightCheck("tls_context", severity, message, advice, evidence)
    message = f"connecting takes {shared}, and {own} with a TLS context for each connection"
    if of_application:
        message = f"connecting takes {own} {how}, with {measured.driver} and "
        message += "TLS" if measured.tls else "without TLS"
    return PreflightCheck("tls_context", "ok", message, evidence=evidence)


def _why_slow(measured: Handshake) -> tuple[str, str]:
    """The reason why connecting is slow, and the advice, which depends on the driver."""
    why, instead, advice = _CONTEXTS[measured.tls]
    builder = "PyMySQL"
    if measured.driver == PURE_CONNECTOR:
        builder, why, advice = PURE_CONNECTOR, " and cannot share one", _CONNECTOR_ADVICE
    otherwise = f"loadtest's own engine takes {_ms(measured.shared)} {instead}"
    if measured.of_application:
        otherwise = f"the context alone takes about {_ms(measured.own - measured.shared)}"
    return f"{builder} builds a TLS context for every connection{why}; {otherwise}", advice


def _ms(seconds: float) -> str:
    return f"{seconds * 1000:.1f} ms"


def pool_timeout(situation: Situation) -> Iterator[PreflightCheck]:
    """Whether a wait can reach pool_timeout."""
    for pool in situation.demand.pools:
        most = pool.most_connections
        if most is None or pool.poolclass == AS_IS or not _queues(pool):
            continue  # no wait is possible; the check `unlimited` reports most of these pools
        yield _timeout_of(pool, most, situation.demand)


def _timeout_of(pool: PoolConfig, most: int, demand: Demand) -> PreflightCheck:
    said, lasts = f"{pool.name}: pool_timeout = {pool.pool_timeout:g} s", demand.seconds
    evidence = {"pool": pool.name, "pool_timeout": pool.pool_timeout, "seconds": lasts}
    if demand.users * demand.per_user <= most:
        message = f"{said} is never reached: {demand.users} users never wait for {most} connections"
        advice = "use more users or a smaller pool to see the effect of waiting"
        return PreflightCheck("pool_timeout", "note", message, advice, evidence)
    if lasts and pool.pool_timeout >= lasts:
        message = f"{said} is as long as the run ({lasts:g} s) or longer: no wait can time out"
        advice = "run longer to see timeouts; waits that have not ended count as unfinished"
        return PreflightCheck("pool_timeout", "note", message, advice, evidence)
    return PreflightCheck("pool_timeout", "ok", f"{said} can be reached", evidence=evidence)


def unlimited(situation: Situation) -> Iterator[PreflightCheck]:
    """Pools without a limit, in which no checkout waits."""
    demand = situation.demand
    for pool in demand.pools:
        if pool.most_connections is not None or pool.poolclass == AS_IS:
            continue
        setting = _without_limit(pool)
        yield PreflightCheck(
            "unlimited",
            "note",
            f"{pool.name}: with {setting} no checkout waits, pool_timeout has no effect; without "
            f"an idle connection a checkout opens one, at most {demand.connections(pool):,} here",
            "set a limit, like pool_size=20, max_overflow=0: in an application, every concurrent "
            "request can open a connection",
            {"pool": pool.name, "connections": demand.connections(pool)},
        )


def _without_limit(pool: PoolConfig) -> str:
    if pool.poolclass == "NullPool" or not _queues(pool):
        return pool.poolclass
    return "max_overflow = -1" if pool.pool_size else "pool_size = 0"


def _queues(pool: PoolConfig) -> bool:
    """Whether the pool is a queue; an application's pool of another class has no size."""
    return pool.pool_size is not None


def pool_names(pools: Sequence[PoolConfig]) -> str:
    """The names of some pools, as part of a sentence."""
    return ", ".join(pool.name for pool in pools)
