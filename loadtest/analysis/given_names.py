"""The names that pools were given, which all user models, servers and applications share."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from typing import NamedTuple

from loadtest.model.experiment import variant_name


class PoolVariant(NamedTuple):
    """A pool by its name in results, and what it ran with; the parts are unknown if it never ran.

    server: the requested program; application: the name of the driven one; empty without one.
    """

    name: str
    ran: bool
    model: str
    server: str
    application: str

    def is_of(self, given: str, variant: str) -> bool:
        """Whether it is the pool of this given name with this user model, server or application."""
        return self.name == variant_name(given, variant)


def given_names(pools: Sequence[PoolVariant], planned: Iterable[str]) -> list[str]:
    """The given name of each pool; planned: the names of the experiment's applications."""
    ran = [pool for pool in pools if pool.ran]
    names = [*planned, *(pool.application for pool in ran)]
    if len(applications := set(filter(None, names))) > 1:
        return [_without_any(pool.name, applications) for pool in pools]
    models = dict.fromkeys(pool.model for pool in ran)
    servers = dict.fromkeys(pool.server for pool in ran)
    others = [*[*models][1:], *[*servers][1:]]  # the first ones keep their names
    return [_given(pool, pools, others) for pool in pools]


def _without_any(name: str, applications: Collection[str]) -> str:
    """The name of a pool without that of its application, the longest one that fits."""
    endings = (variant_name("", one) for one in applications)
    return name.removesuffix(max(filter(name.endswith, endings), key=len, default=""))


def _given(pool: PoolVariant, pools: Sequence[PoolVariant], others: Sequence[str]) -> str:
    own = [one for one in others if not pool.ran or one in (pool.model, pool.server)]
    return next((p.name for p in pools for one in own if pool.is_of(p.name, one)), pool.name)
