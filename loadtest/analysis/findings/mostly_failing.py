"""Pools with mostly failed requests: the error comes first in the report."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from functools import wraps

from loadtest.analysis.findings import trust_gate
from loadtest.analysis.pool_numbers import error_numbers
from loadtest.analysis.pool_runs import PoolRuns
from loadtest.analysis.units import count, percent
from loadtest.model import error_kinds
from loadtest.model.summary import Errors, Finding, PoolSummary

FAILED_SHARE = 0.5
MOST_FAILED = "most_failed"
_OVERLOADED = (
    "The load generator was overloaded as well: failed requests end early, and users send the next "
    "ones at once. Times and throughput do not describe the pool. Fix the errors first."
)

FindingRule = Callable[[PoolRuns], Iterable[Finding]]


def fails_mostly(pool: PoolSummary) -> bool:
    """Whether more than half of a pool's requests failed, and no planned fault explains that."""
    return any(finding.code == MOST_FAILED for finding in pool.findings)


def unless_failing(rule: FindingRule) -> FindingRule:
    """A rule about the load generator that applies unless most requests failed.

    Failed requests are short, in a closed loop the next ones follow at once, and they come in
    bursts: a commit fails all transactions that waited for its row. The errors then make the
    generator late or busy, and neither another run nor a larger machine helps.
    """

    @wraps(rule)
    def of_others(pool: PoolRuns) -> Iterable[Finding]:
        return () if _fails(pool) else rule(pool)

    return of_others


def overloaded_by_failures(pool: PoolRuns) -> Iterator[Finding]:
    """Most requests failed, and the generator was overloaded: the times are invalid."""
    if _fails(pool) and _overloaded(pool):
        yield _finding(pool, _OVERLOADED)


def most_failed(pool: PoolRuns) -> Iterator[Finding]:
    """Most requests failed, and the generator kept up: the measurement is valid."""
    if _fails(pool) and not _overloaded(pool):
        yield _finding(pool, "")


def advice_about(pool: PoolRuns, kind: str) -> str:
    """What errors of a kind mean for a pool, and what to do."""
    if kind == "pool_timeout" and pool.deadlocked:
        return "The pool was deadlocked (see the finding nested_checkout)."
    return error_kinds.advice(kind)


def named_kind(pool: PoolRuns) -> str | None:
    """The kind of error that the finding names, with advice; None where there is no finding."""
    return main_kind(error_numbers(pool)) if _fails(pool) else None


def _fails(pool: PoolRuns) -> bool:
    # In a drill requests are meant to fail, and quick failures outnumber the others.
    drill = pool.header.load.faults
    return not drill and pool.counters["failures"] > FAILED_SHARE * pool.counters["requests"]


def _overloaded(pool: PoolRuns) -> bool:
    return any(True for rule in trust_gate.GENERATOR_RULES for _ in rule(pool))


def _finding(pool: PoolRuns, more: str) -> Finding:
    failed, requests = pool.counters["failures"], pool.counters["requests"]
    found = error_numbers(pool)
    kind = main_kind(found)
    text = (
        f"{percent(found.rate)} of requests failed ({count(failed)} of {count(requests)}), most "
        f"with {error_kinds.label(kind)}{example_in_words(found)}. {advice_about(pool, kind)} "
        f"{more}"
    )
    return Finding(
        code=MOST_FAILED,
        severity="error",
        message=text.strip(),
        evidence={
            "failed": failed,
            "requests": requests,
            "kind": kind,
            "cpu_share": trust_gate.busy_share(pool),
            "lag_mean": trust_gate.lateness(pool).mean,
        },
        error_kind=kind,
    )


def main_kind(errors: Errors) -> str:
    """The most frequent kind of error."""
    return next(iter(errors.by_kind), "other")


def example_in_words(errors: Errors) -> str:
    """The first words of the most frequent kind of error, as the end of a sentence."""
    told = errors.kinds.get(main_kind(errors))
    return f": {' '.join(told.example.split()).rstrip('.')}" if told and told.example else ""


def failures_in_words(pool: PoolSummary) -> str:
    """How many of a pool's requests failed and with what, as part of a sentence."""
    share = f"{percent(pool.errors.rate)} of its requests failed"
    return f"{share}, most with {error_kinds.label(main_kind(pool.errors))}"


def not_recommended(pools: Iterable[PoolSummary]) -> list[str]:
    """Which pools cannot be recommended, since most of their requests failed."""
    return [
        f"{pool.name} is not recommended: {failures_in_words(pool)}."
        for pool in pools
        if fails_mostly(pool)
    ]
