"""Requests that succeeded after a failure, and requests without an outcome."""

from __future__ import annotations

from collections.abc import Iterator

from loadtest.analysis.findings.error_advice import advice_for
from loadtest.analysis.pool_numbers import retry_numbers
from loadtest.analysis.pool_runs import PoolRuns
from loadtest.analysis.units import count, percent, plural
from loadtest.model import error_kinds
from loadtest.model.summary import Finding

NOTABLE_RETRIES, SERIOUS_RETRIES = 0.01, 0.10


def retries(pool: PoolRuns) -> Iterator[Finding]:
    """Failures that a later statement of the same request made up for."""
    found, requests = retry_numbers(pool), pool.counters["requests"]
    if found.count <= NOTABLE_RETRIES * requests:
        return
    kind = next(iter(found.by_kind), "other")
    yield Finding(
        code="retries",
        severity="warning" if found.count > SERIOUS_RETRIES * requests else "info",
        message=f"{plural(found.count, 'retry', 'retries')} in {count(requests)} requests, most "
        f"after {error_kinds.label(kind)}: a checkout or a statement failed, and a later statement "
        f"of the same request succeeded. Request times include them. {advice_for(pool, kind)}",
        evidence={"count": found.count, "requests": requests, "kind": kind},
        error_kind=kind,
    )


def abandoned(pool: PoolRuns) -> Iterator[Finding]:
    """Requests that Locust's control flow ended before they succeeded or failed."""
    left = pool.counters["abandoned"]
    if not left:
        return
    share = left / pool.ended_requests
    yield Finding(
        code="abandoned",
        severity="info",
        message=f"{plural(left, 'request')} ({percent(share)}) ended with Locust's control flow "
        "(interrupt, RescheduleTask, StopUser, StopTest). They count neither as successes nor as "
        "failures. Call self.succeed() or self.fail(reason), in a TaskSet self.user.succeed() or "
        "self.user.fail(reason), first if they have an outcome.",
        evidence={"abandoned": left, "share": share},
    )
