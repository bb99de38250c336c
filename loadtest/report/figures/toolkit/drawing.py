"""A finished figure with its texts, and helpers for titles."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from loadtest.analysis.units import listed
from loadtest.model.summary import PoolSummary
from loadtest.report.figures.toolkit.chart import Chart

FEW = 4
# Seconds. Shorter waits do not matter, and their differences are noise.
UNNOTICED = 1e-4


@dataclass(frozen=True)
class Table:
    """The numbers behind a figure: a cell for each heading in every row, ready to be read."""

    headings: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


@dataclass(frozen=True)
class Drawing:
    """A figure for a page: a file name without ending, what it shows, and how to read it.

    question: the question that it answers. table: None if the page has one beside the figure.
    chart: the same to be explored, where the page runs its script. svg: empty where a picture would
    show nothing, and the title says it.
    """

    name: str
    title: str
    alt: str
    help: str
    svg: str
    question: str = ""
    table: Table | None = None
    chart: Chart | None = None


Say = Callable[[PoolSummary], str]


def for_every_pool(pools: Sequence[PoolSummary], say: Say) -> str:
    """Something about every pool: `646 with default and 689 with 20+0`."""
    return listed([f"{say(pool)} with {pool.name}" for pool in pools])


def for_title(
    pools: Sequence[PoolSummary],
    value: Callable[[PoolSummary], float | None],
    say: Say,
    link: str = "",
) -> str:
    """The same for a title: of many pools only those with the lowest and the highest value.

    link: words after the text of the first pool.
    """
    named, told = list(pools), {say(pool) for pool in pools}
    if len(named) > 1 and len(told) == 1:
        return " ".join([*told, *([link] if link else []), f"with {_together(named)}"])
    if len(named) > FEW:
        ranked = sorted(named, key=lambda pool: value(pool) or 0.0)
        named = [ranked[0], ranked[-1]]
    first, *others = named
    start = f"{say(first)} {link} with {first.name}" if link else f"{say(first)} with {first.name}"
    return listed([start, *(f"{say(pool)} with {pool.name}" for pool in others)])


def _together(pools: Sequence[PoolSummary]) -> str:
    return "both pools" if len(pools) == 2 else f"all {len(pools)} pools"


def few_names(pools: Sequence[PoolSummary]) -> str:
    """The names of some pools for a title, or their number if they are many."""
    return listed([pool.name for pool in pools]) if len(pools) <= FEW else f"{len(pools)} pools"


def valid_or_all(pools: Sequence[PoolSummary]) -> Sequence[PoolSummary]:
    """The pools that a title may describe: the valid ones, or all if none is valid."""
    return [pool for pool in pools if pool.valid] or pools


def pools_by_word(pools: Sequence[PoolSummary], word: Say) -> str:
    """Pools grouped by a word: `waiting with default and 20+0, holding with seed`."""
    groups: dict[str, list[PoolSummary]] = defaultdict(list)
    for pool in pools:
        groups[word(pool)].append(pool)
    if len(groups) == 1 and len(pools) > 1:
        return f"{next(iter(groups))} with {_together(pools)}"
    return ", ".join(f"{said} with {few_names(those)}" for said, those in groups.items())
