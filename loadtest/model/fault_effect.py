"""What a fault did to a pool, as `summary.json` has it; times are seconds."""

from __future__ import annotations

from loadtest.model.field_types import Value


class FaultEffect(Value):
    """What a fault did to one pool, over the rounds in which it came; times are means of these.

    begin: when it was planned, in seconds after measuring began. first_error_seconds: from its
    beginning to the first request that failed, over the rounds that had one. errors, by_kind: the
    requests that failed until the next fault or the end. recovery_seconds: from its end until
    throughput was back (the rule is in `analysis.fault_effects`); None unless it was in all rounds.
    recovered: in how many; None where nothing was measured before the first fault.
    beyond_pool_timeout: checkouts that took longer than `pool_timeout`. checked, lost, doubled:
    committed transactions of the whole runs by the scenario's own sums; None where it has none, or
    where there were other faults. killed: how many connections a `kill` found and killed; None of
    other kinds.
    """

    fault: str
    begin: float
    rounds: int
    lasted_seconds: float | None
    first_error_seconds: float | None
    errors: int
    by_kind: dict[str, int]
    recovered: int | None
    recovery_seconds: float | None
    beyond_pool_timeout: int | None
    checked: int | None
    lost: int | None
    doubled: int | None
    killed: int | None
