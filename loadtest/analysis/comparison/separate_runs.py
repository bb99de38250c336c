"""What runs that were started one by one cannot decide, and the command that decides it."""

from __future__ import annotations

import math
import shlex
from collections.abc import Iterator, Sequence
from itertools import combinations

from loadtest.analysis.comparison.comparer import FEWEST_ROUNDS
from loadtest.analysis.pool_runs import Measurements, PoolRuns
from loadtest.analysis.pool_settings import settings_by_name
from loadtest.model.command_words import settings_text, value_text
from loadtest.model.load import GREENLETS
from loadtest.model.pool import PoolSettings


def separate_runs(measurements: Measurements) -> list[str]:
    """Why a difference may be the machine's, if no two pools ran in the same experiment."""
    pools = [pool for pool in measurements.pools if pool.runs]
    folders = [{run.path.parent for run in pool.runs} for pool in pools]
    together = any(here & there for here, there in combinations(folders, 2))
    if len(pools) < 2 or together:
        return []
    once = all(len(pool.runs) == 1 for pool in pools)
    began = "Each pool ran once, on its own" if once else "The pools ran in separate experiments"
    return [
        f"{began}: there is no interval between rounds, and the order of the runs was not "
        "interleaved, so a difference may be the machine's. "
        f"Interleaved rounds decide it: {_command(pools)}"
    ]


def _command(pools: Sequence[PoolRuns]) -> str:
    """The command that measures these pools in interleaved rounds, as far as the runs tell it."""
    first = pools[0].header
    known = first.load.model == GREENLETS and not (
        first.driven or first.application or first.load.stages or first.load.faults
    )
    if len(first.scenario.files) != 1 or not known:
        same = "with the same scenario, load and pools, and"
        return f"loadtest compare {same} --rounds {FEWEST_ROUNDS}."
    return shlex.join(["loadtest", "compare", first.scenario.files[0], *_arguments(pools)])


def _arguments(pools: Sequence[PoolRuns]) -> Iterator[str]:
    load, options = pools[0].header.load, pools[0].header.scenario.options
    for pool in pools:
        yield from ("--pool", pool_option(pool.settings))
    yield from ("-u", str(load.users or 1))
    if load.arrival_rate:
        yield from ("--arrival-rate", f"{load.arrival_rate:g}")
    longest = max(pool.seconds / max(len(pool.rounds), 1) for pool in pools)
    warmup = load.warmup or 0
    whole = max(round(warmup + (load.duration or longest)), math.floor(warmup) + 1)
    yield from ("-t", f"{whole - warmup:g}s", "--warmup", f"{warmup:g}s")
    for name, value in options.items():
        if value is not None:
            yield from ("--option", f"{name}={value_text(value)}")
    yield from ("--rounds", str(FEWEST_ROUNDS))


def pool_option(settings: PoolSettings) -> str:
    """A pool as `--pool` takes it: `20+0`, `small:20+0`, `small:pool_size=20,max_overflow=0,…`."""
    text = settings_text(settings_by_name(settings))
    return text if settings.name == text else f"{settings.name}:{text}"
