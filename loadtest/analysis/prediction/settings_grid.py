"""The settings to predict, parsed from options like `5..100` and `0,10`."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from loadtest.analysis.prediction.observed_workload import Observed
from loadtest.analysis.prediction.recorded_arrivals import RecordedArrivals
from loadtest.model.errors import UsageError
from loadtest.model.field_types import parse_duration, validated
from loadtest.model.pool import PoolConfig, parse_pool

# More sizes of a range than this are spread geometrically.
MOST_SIZES = 20
# Pools of a recording, as parts of the connections of its own.
_FACTORS = (0.5, 1, 2)
_RANGE = re.compile(r"^(\d+)\.\.(\d+)$")


def settings_grid(
    observed: Observed, sizes: str, overflows: str, timeout: str | None
) -> list[PoolConfig]:
    """Pools of every size with every overflow, and otherwise the settings of the measured pool.

    A range of sizes includes the measured ones. Raises UsageError for an invalid range.
    """
    wanted = set(parse_sizes(sizes))
    if _RANGE.match(sizes):
        ran = {one.settings.pool_size for one in observed.ran if one.settings}
        wanted |= {size for size in ran if min(wanted) <= size <= max(wanted)}
    return _grid(observed.settings, sorted(wanted), parse_overflows(overflows), timeout)


def grid_around(
    recorded: RecordedArrivals, sizes: str | None, overflows: str | None, timeout: str | None
) -> list[PoolConfig]:
    """Pools of every size with every overflow; None: those of the recorded pool.

    Without sizes and overflows, half, as many and twice as many connections: with overflow as in
    the recorded pool, and without. Raises UsageError as `settings_grid`.
    """
    own = recorded.settings
    if not (sizes or overflows):
        return _nearby(recorded, timeout)
    found = parse_overflows(overflows) if overflows else [own.max_overflow]
    return _grid(own, parse_sizes(sizes) if sizes else [own.pool_size], found, timeout)


def _nearby(recorded: RecordedArrivals, timeout: str | None) -> list[PoolConfig]:
    own = recorded.settings
    limit = own.most_connections if recorded.has_queue else None
    # A pool without a limit is compared with the most connections that it needed.
    most = limit or max(recorded.at_once, 1)
    sizes = [(max(1, round(factor * most)), 0) for factor in _FACTORS]
    if limit and own.max_overflow:
        parts = (own.pool_size, own.max_overflow)
        sizes += [(max(1, round(f * parts[0])), round(f * parts[1])) for f in _FACTORS]
    ordered = sorted(dict.fromkeys(sizes), key=lambda size: (sum(size), size[1]))
    found = [one for size, overflow in ordered for one in _grid(own, [size], [overflow], timeout)]
    return found if limit else [*found, *_grid(own, [own.pool_size], [-1], timeout)]


def other_pools(base: PoolConfig, texts: Sequence[str], timeout: str | None) -> list[PoolConfig]:
    """The pools of some options `--pool`, otherwise with the settings of the measured pool.

    Raises UsageError for a pool without a queue, or an invalid one.
    """
    found = []
    for text in texts:
        named = parse_pool(text).named
        if named.get("poolclass", "QueuePool") != "QueuePool":
            raise UsageError(f"--pool {text}: only a QueuePool can be predicted, like 20+0")
        found.append(validated(PoolConfig, _given(base, timeout) | named, "--pool"))
    return found


def _grid(
    base: PoolConfig, sizes: Sequence[int], overflows: Sequence[int], timeout: str | None
) -> list[PoolConfig]:
    given = _given(base, timeout)
    return [
        validated(PoolConfig, given | {"pool_size": size, "max_overflow": overflow}, "--pool-size")
        for overflow in overflows
        for size in sizes
    ]


def _given(base: PoolConfig, timeout: str | None) -> dict[str, Any]:
    changed = {} if timeout is None else {"pool_timeout": _timeout(timeout)}
    return base.model_dump(exclude={"name"}, exclude_unset=True) | changed


def parse_sizes(text: str) -> list[int]:
    """Sizes from `5..100` (20 of them at most, spread geometrically), `5,10,20` or `5`.

    Raises UsageError for anything else.
    """
    match = _RANGE.match(text)
    if match:
        low, high = int(match[1]), int(match[2])
        if 1 <= low <= high:
            return _spread(low, high)
    elif re.fullmatch(r"\d+(,\d+)*", text) and "0" not in text.split(","):
        return sorted({int(part) for part in text.split(",")})
    raise UsageError(f"--pool-size {text}: use 5..100, 5,10,20 or 5; the smallest size is 1")


def parse_overflows(text: str) -> list[int]:
    """Overflows from `0,10`; `inf` or -1 is no limit. Raises UsageError for anything else."""
    if not re.fullmatch(r"(\d+|-1|inf)(,(\d+|-1|inf))*", text):
        raise UsageError(f"--max-overflow {text}: use 0,10 or 0,inf")
    return list(dict.fromkeys(-1 if part == "inf" else int(part) for part in text.split(",")))


def _spread(low: int, high: int) -> list[int]:
    """All whole numbers of a range, or some that grow by the same factor."""
    if high - low < MOST_SIZES:
        return list(range(low, high + 1))
    factor = (high / low) ** (1 / (MOST_SIZES - 1))
    return sorted({round(low * factor**n) for n in range(MOST_SIZES)})


def _timeout(text: str) -> float:
    try:
        return parse_duration(text)
    except ValueError as problem:
        raise UsageError(f"--pool-timeout: {problem}") from None
