"""The effect of a fault on a pool, for `summary.json`; times are seconds."""

from __future__ import annotations

from loadtest.model.field_types import Value


class FaultEffect(Value):
    """The effect of a fault on one pool, over the rounds with this fault; times are means.

    begin: the planned time, in seconds after measuring began. first_error_seconds: from its begin
    to the first failed request, over the rounds with a failure. errors, by_kind: the failed
    requests until the next fault or the end. recovery_seconds: from its end until the throughput
    had recovered (see `analysis.fault_effects`); None unless it did in all rounds. recovered: the
    rounds that recovered; None if nothing was measured before the first fault.
    beyond_pool_timeout: checkouts that took longer than `pool_timeout`. checked, lost, doubled:
    committed transactions of the whole runs by the scenario's own check; None without a check or
    with other faults. killed: the connections that a `kill` killed; None for other kinds.
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
