"""A finished figure, and the sentences that belong to it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from loadtest.analysis.units import listed
from loadtest.analysis.values import PoolSummary

FEW = 4


@dataclass(frozen=True)
class Drawing:
    """A figure for a page: a file name without ending, what it shows, and how to read it."""

    name: str
    title: str
    alt: str
    help: str
    svg: str


def each(
    pools: Sequence[PoolSummary], say: Callable[[PoolSummary], str], most: int = FEW, link: str = ""
) -> str:
    """Something about each pool: `646 with default and 689 with 20+0`.

    Of more pools than `most`, the first and the last are named. link: what follows the first.
    """
    named = list(pools) if len(pools) <= most else [pools[0], pools[-1]]
    said = [f"{say(pool)} with {pool.name}" for pool in named]
    if link:
        said[0] = f"{say(named[0])} {link} with {named[0].name}"
    return listed(said)
