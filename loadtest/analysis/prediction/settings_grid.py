"""The settings to predict, parsed from options like `5..100` and `0,10`."""

from __future__ import annotations

import re

from loadtest.analysis.prediction.observed_workload import Observed
from loadtest.model.errors import UsageError
from loadtest.model.field_types import parse_duration, validated
from loadtest.model.pool import PoolConfig

# More sizes of a range than this are spread geometrically.
MOST_SIZES = 20
_RANGE = re.compile(r"^(\d+)\.\.(\d+)$")


def settings_grid(
    observed: Observed, sizes: str, overflows: str, timeout: str | None
) -> list[PoolConfig]:
    """Pools of every size with every overflow, and otherwise the settings of the measured pool.

    A range of sizes includes the measured ones. Raises UsageError for an invalid range.
    """
    changed = {} if timeout is None else {"pool_timeout": _timeout(timeout)}
    base = observed.settings.model_dump(exclude={"name"}, exclude_unset=True) | changed
    wanted = set(parse_sizes(sizes))
    if _RANGE.match(sizes):
        ran = {one.settings.pool_size for one in observed.ran if one.settings}
        wanted |= {size for size in ran if min(wanted) <= size <= max(wanted)}
    return [
        validated(PoolConfig, base | {"pool_size": size, "max_overflow": overflow}, "--pool-size")
        for overflow in parse_overflows(overflows)
        for size in sorted(wanted)
    ]


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
