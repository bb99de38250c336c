"""The given name of each pool: one for all user models and servers that it ran with."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from loadtest.model.experiment import variant_name

if TYPE_CHECKING:
    from loadtest.analysis.pool_runs import PoolRuns


def with_given_names(pools: Sequence[PoolRuns]) -> list[PoolRuns]:
    """The pools, each with its given name."""
    ran = [pool for pool in pools if pool.runs]
    models = dict.fromkeys(pool.model for pool in ran)
    servers = dict.fromkeys(pool.server for pool in ran)
    others = [*[*models][1:], *[*servers][1:]]  # the first ones keep their names
    return [replace(pool, given=_given(pool, pools, others)) for pool in pools]


def _given(pool: PoolRuns, pools: Sequence[PoolRuns], others: Sequence[str]) -> str:
    own = [one for one in others if not pool.runs or one in (pool.model, pool.server)]
    return next((p.name for p in pools for one in own if is_variant(pool, p.name, one)), pool.name)


def is_variant(pool: PoolRuns, given: str, variant: str) -> bool:
    """Whether a pool is the one of this name with another user model or server."""
    return pool.name == variant_name(given, variant)
