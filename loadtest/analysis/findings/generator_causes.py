"""What kept the load generator from its work: other programs, or the code of a task."""

from __future__ import annotations

from typing import Any

from loadtest.analysis.pool_runs import PoolRuns
from loadtest.analysis.units import count, listed, percent
from loadtest.model.interval import SECOND
from loadtest.model.load import THREADS
from loadtest.model.trust_limits import BUSY_CPU, DISTURBING_SHARE

BUSY_SHARE = 0.20
OTHERS_SHARE = 0.10
KEPT_SHARE = 0.30
_WATCHED, _KEPT_BY = "loop_watched", "loop."
TLS_SHARE = 0.10
_YIELDING = "pymysql"
_OF_THREADS = "only one thread at a time runs Python, so it waited for its turn, like every user."
LESS_THREADS = "Use fewer users or more work per request, or move slow code out of the tasks."

_UNKNOWN = "Which task used the time is not known."


def busy_share(pool: PoolRuns) -> float:
    """The share of the measured time in which the generator had no CPU left."""
    busy = sum(round_.saturated_share(BUSY_CPU) * round_.seconds for round_ in pool.rounds)
    return busy / pool.seconds if pool.seconds else 0.0


def program_shares(pool: PoolRuns) -> dict[str, float]:
    """The mean share of all processors that each other program used during the runs."""
    footers = [run.footer for run in pool.runs if run.footer]
    shares: dict[str, float] = {}
    for one in (program for footer in footers for program in footer.programs):
        shares[one.name] = shares.get(one.name, 0.0) + one.share / len(footers)
    return _largest_first(shares)


def loop_shares(pool: PoolRuns) -> dict[str, float]:
    """The share of the samples that each task or class of users kept the event loop.

    With threads: the share of a core that their threads used in the samples.
    """
    watched = pool.counters[_WATCHED]
    kept = {name: n for name, n in pool.counters.items() if name.startswith(_KEPT_BY) and watched}
    return _largest_first({name.removeprefix(_KEPT_BY): n / watched for name, n in kept.items()})


def _largest_first(shares: dict[str, float]) -> dict[str, float]:
    return dict(sorted(shares.items(), key=lambda item: -item[1]))


def driver_may_block(pool: PoolRuns) -> bool:
    """Whether its driver may block the event loop. loadtest's own engine uses PyMySQL.

    The driver of an application that is driven works in the application's processes.
    """
    header = pool.header
    own = header.application is not None and not pool.driven
    return own and header.driver != _YIELDING


def causes(pool: PoolRuns) -> str:
    """The sentences about the causes that were seen; empty without any."""
    return " ".join([*_programs(pool), *_tls_contexts(pool), *_tasks(pool)])


def causes_of_lag(pool: PoolRuns) -> str:
    """Why the event loop (with threads, the main thread) was late, as the end of a sentence."""
    if pool.model == THREADS:
        return " ".join([_OF_THREADS, *filter(None, [causes(pool)]), LESS_THREADS])
    return f"all users waited for it. {causes(pool) or _of_greenlets(pool)}"


def _of_greenlets(pool: PoolRuns) -> str:
    if pool.driven:
        return (
            "Python code blocked it, or other programs used its core. Move slow code out of the "
            "tasks, use FastHttpUser, or use an idle machine."
        )
    blocked, instead = "", ""
    if driver_may_block(pool):
        blocked, instead = " or a driver written in C", "a driver that yields (PyMySQL) or "
    return (
        f"Python code{blocked} blocked it, or other programs used its core. Use {instead}users on "
        "OS threads (--model threads), move slow code out of the tasks, run more processes, or use "
        "an idle machine."
    )


def cause_evidence(pool: PoolRuns) -> dict[str, Any]:
    """The numbers behind the sentences, as part of a finding's evidence."""
    return {"programs": program_shares(pool), "loop": loop_shares(pool)}


def _programs(pool: PoolRuns) -> list[str]:
    shares = program_shares(pool)
    together = sum(shares.values())
    if together < OTHERS_SHARE:
        return []
    named = listed([f"{name} {percent(share)}" for name, share in shares.items()][:3])
    return [
        f"Other programs used {percent(together)} of the processors: {named}. Stop them, or use an "
        "idle machine."
    ]


def _tls_contexts(pool: PoolRuns) -> list[str]:
    """TLS contexts, if building them took a large part of all processes' time."""
    columns = [round_.data.columns for round_ in pool.attempts]
    number = sum(int(one.counter("tls_contexts").sum()) for one in columns)
    seconds = sum(int(one.length.sum()) for one in columns) / SECOND
    share = number * (pool.header.host.tls_context_seconds or 0.0) / max(seconds, 1.0)
    if share < TLS_SHARE:
        return []
    return [
        f"Building {count(number)} TLS contexts took about {percent(share)} of the load "
        "generator's time (see the finding slow_handshake)."
    ]


def _tasks(pool: PoolRuns) -> list[str]:
    name, share = next(iter(loop_shares(pool).items()), ("", 0.0))
    threads = pool.model == THREADS
    if share < KEPT_SHARE:
        return [_UNKNOWN] if threads and not _programs(pool) else []
    if threads:
        return [f"{name!r} used {percent(share)} of a core while the threads were sampled."]
    if _late_for_others(pool):
        return []
    kept = f"{name!r} kept the event loop for {percent(share)} of the watched time"
    if driver_may_block(pool):
        return [
            f"{kept}: with Python code, or with a driver written in C. Move slow code out of it, "
            "use a driver that yields (PyMySQL), or users on OS threads (--model threads)."
        ]
    instead = "FastHttpUser" if pool.driven else "users on OS threads (--model threads)"
    return [f"{kept} with Python code. Move slow code out of it, or use {instead}."]


def _late_for_others(pool: PoolRuns) -> bool:
    """Whether a task may have kept the event loop only because other programs had its core."""
    others = sum(program_shares(pool).values())
    return others >= DISTURBING_SHARE and busy_share(pool) <= BUSY_SHARE
