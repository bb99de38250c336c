"""What a pool's settings cost, in seconds that users waited, and what a verdict does not cover."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from loadtest.analysis.findings.bottleneck import connect_bound
from loadtest.analysis.findings.connection_use import recorded_tls_context_seconds
from loadtest.analysis.pool_runs import Measurements, PoolRuns
from loadtest.analysis.units import count, duration, listed, percent
from loadtest.model.interval import REQUEST_TIMES
from loadtest.model.load import GREENLETS
from loadtest.model.server_name import server_title

# A smaller share of the time of all requests does not matter.
NOTICEABLE_SHARE = 0.01
_NO_POOL = "NullPool"
# Setting -> the phase that it adds, and what that costs and brings.
_PHASES = {
    "pool_pre_ping": (
        "ping",
        "pool_pre_ping cost {each} per ping, {share}. It ensures that no checkout gets a "
        "connection that the server has closed.",
    ),
    "pool_reset_on_return": (
        "reset",
        "Reset on return cost {each} per checkin, {share}. It ensures that no checkout begins "
        "inside an open transaction.",
    ),
    _NO_POOL: (
        "connect",
        "NullPool cost {each} per checkout to connect, {share}. A pool that keeps connections "
        "saves nearly all of it.",
    ),
}


@dataclass(frozen=True)
class Cost:
    """What a setting cost all users together (s), as a share of their requests' time, in words."""

    setting: str
    seconds: float
    share: float
    text: str


def setting_costs(pool: PoolRuns) -> list[Cost]:
    """The settings with a noticeable, measured cost, the most expensive first."""
    found = [cost for rule in _RULES for cost in rule(pool)]
    return sorted(
        (cost for cost in found if cost.share > NOTICEABLE_SHARE),
        key=lambda c: c.share,
        reverse=True,
    )


def not_covered(measurements: Measurements, pool: PoolRuns) -> str:
    """What a verdict does not cover, as this pool was not measured with it."""
    missing = ["other queries and data than this scenario's"]
    measured = {pool.model, *measurements.models}
    if measured == {GREENLETS} and not pool.driven:
        missing.append("users on OS threads (--model threads)")
    server = pool.header.server
    if server.version:
        known = measurements.server_titles or [server_title(server.version)]
        missing.append(f"servers other than {listed(known)}")
    if server.private:
        cpus = pool.header.host.cpus
        shared = f"{count(cpus)} CPUs" if cpus else "a machine"
        missing.append(f"a server on a network (this one shared {shared} with the load generator)")
    return f"Not covered: {listed(missing)}."


def _working(pool: PoolRuns) -> float:
    return pool.spent(*REQUEST_TIMES)


def _cost(pool: PoolRuns, setting: str, seconds: float, text: str, **told: str) -> Iterator[Cost]:
    working = _working(pool)
    if seconds and working:
        share = seconds / working
        of_all = f"{percent(share)} of the time of all requests"
        yield Cost(setting, seconds, share, text.format(share=of_all, **told))


def _phases(pool: PoolRuns) -> Iterator[Cost]:
    """Settings that add a phase to every checkout or checkin."""
    for setting, (phase, text) in _PHASES.items():
        if setting == _NO_POOL and (
            pool.settings.poolclass != _NO_POOL or any(connect_bound(pool))
        ):
            continue  # it has a pool, or there is a finding about it already
        each = duration(pool.times(phase).finished.mean_seconds)
        yield from _cost(pool, setting, pool.spent(phase), text, each=each)


def _overflow(pool: PoolRuns) -> Iterator[Cost]:
    """Connections opened again and again, since overflow connections are not kept. With a larger
    pool_size they would have been opened once in each round.
    """
    again = pool.counters["checkouts.overflow"] - (pool.peak("overflow") or 0) * len(pool.rounds)
    each = pool.times("connect").finished.mean_seconds
    if again <= 0 or each is None or any(connect_bound(pool)):
        return
    yield from _cost(
        pool,
        "max_overflow",
        again * each,
        f"Overflow cost users {duration(again * each)} of waiting ({count(again)} connects of "
        f"{duration(each)} that a larger pool_size would have saved), {{share}}.",
    )


def _tls(pool: PoolRuns) -> Iterator[Cost]:
    """TLS contexts: PyMySQL builds one for every connection unless you pass one."""
    contexts, each = pool.counters["tls_contexts"], recorded_tls_context_seconds(pool)
    if contexts > len(pool.rounds) * pool.processes and each:
        yield from _cost(
            pool,
            "TLS",
            contexts * each,
            f"TLS contexts cost {duration(contexts * each)} of connecting ({count(contexts)} of "
            f"{duration(each)} each), {{share}}. One shared context saves nearly all of it.",
        )


_RULES: tuple[Callable[[PoolRuns], Iterator[Cost]], ...] = (_phases, _overflow, _tls)
