"""Pools with mostly or only failed requests: the error comes first in the report."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from functools import wraps

from loadtest.analysis import fault_effects
from loadtest.analysis.findings import trust_gate
from loadtest.analysis.findings.error_advice import advice_for
from loadtest.analysis.findings.generator_causes import busy_share
from loadtest.analysis.pool_numbers import error_numbers
from loadtest.analysis.pool_runs import PoolRuns
from loadtest.analysis.units import count, percent
from loadtest.model import error_kinds
from loadtest.model.request_errors import Errors
from loadtest.model.summary import Finding, PoolSummary

FAILED_SHARE = 0.5
MOST_FAILED, NOTHING_SUCCEEDED = "most_failed", "nothing_succeeded"
FAILING = (NOTHING_SUCCEEDED, MOST_FAILED)
# A leak is the cause of the failures beside it.
TOLD_FIRST = ("leak", *FAILING)
_OVERLOADED = (
    "The load generator was overloaded as well: failed requests end early, and users send the next "
    "ones at once. Times and throughput do not describe the pool. Fix the errors first."
)

FindingRule = Callable[[PoolRuns], Iterable[Finding]]


def fails_mostly(pool: PoolSummary) -> bool:
    """Whether more than half of a pool's requests failed, and no planned fault explains that."""
    return any(finding.code in FAILING for finding in pool.findings)


def never_succeeds(pool: PoolSummary) -> bool:
    """Whether no request of a pool succeeded, and no planned fault explains that."""
    return any(finding.code == NOTHING_SUCCEEDED for finding in pool.findings)


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


def without_success(pool: PoolRuns) -> bool:
    """Whether requests ended, but none succeeded; the seconds of planned faults do not count."""
    requests, failures = fault_effects.outside_faults(pool)
    return 0 < requests == failures


def nothing_succeeded(pool: PoolRuns) -> Iterator[Finding]:
    """No request succeeded: the error, since nothing can be said about pool or generator."""
    if without_success(pool):
        requests, _ = fault_effects.outside_faults(pool)
        calm = " outside of the faults" if pool.header.load.faults else ""
        head = f"No request succeeded{calm}: all {count(requests)} failed"
        yield _finding(pool, NOTHING_SUCCEEDED, head, requests, requests)


def overloaded_by_failures(pool: PoolRuns) -> Iterator[Finding]:
    """Most requests failed, and the generator was overloaded: the times are invalid."""
    if _fails(pool) and _overloaded(pool):
        yield _most_failed(pool, _OVERLOADED)


def most_failed(pool: PoolRuns) -> Iterator[Finding]:
    """Most requests failed, and the generator kept up: the measurement is valid."""
    if _fails(pool) and not _overloaded(pool):
        yield _most_failed(pool, "")


def named_kind(pool: PoolRuns) -> str | None:
    """The kind of error that the finding names, with advice; None where there is no finding."""
    told = _fails(pool) or without_success(pool)
    return main_kind(error_numbers(pool)) if told else None


def _fails(pool: PoolRuns) -> bool:
    # In a drill requests are meant to fail, and quick failures outnumber the others.
    if pool.header.load.faults or without_success(pool):
        return False
    return pool.counters["failures"] > FAILED_SHARE * pool.counters["requests"]


def _overloaded(pool: PoolRuns) -> bool:
    return any(True for rule in trust_gate.GENERATOR_RULES for _ in rule(pool))


def _most_failed(pool: PoolRuns, more: str) -> Finding:
    failed, requests = pool.counters["failures"], pool.counters["requests"]
    share = percent(failed / requests)
    head = f"{share} of requests failed ({count(failed)} of {count(requests)})"
    found = _finding(pool, MOST_FAILED, head, failed, requests)
    generator = {
        "cpu_share": busy_share(pool),
        "lag_mean": trust_gate.lateness(pool).mean,
    }
    message = f"{found.message} {more}".strip()
    return found.model_copy(
        update={"message": message, "evidence": {**found.evidence, **generator}}
    )


def _finding(pool: PoolRuns, code: str, head: str, failed: int, requests: int) -> Finding:
    """A finding that begins with how much failed, then names the most frequent error."""
    found = error_numbers(pool)
    kind = main_kind(found)
    most = f"most with {error_kinds.label(kind)}{example_in_words(found)}"
    return Finding(
        code=code,
        severity="error",
        message=f"{head}, {most}. {advice_for(pool, kind)}".strip(),
        evidence={"failed": failed, "requests": requests, "kind": kind},
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
