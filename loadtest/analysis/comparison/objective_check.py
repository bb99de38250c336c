"""Whether a pool meets its objectives, as far as its rounds decide it."""

from __future__ import annotations

from collections.abc import Sequence

from loadtest.analysis.findings.offered_load import NOTABLE_DROPS
from loadtest.analysis.statistics.estimate import interval95
from loadtest.analysis.units import duration, listed, percent, rate
from loadtest.model.field_types import Interval95
from loadtest.model.objective import Bound, is_time, parse_objective, unknown_requests, value_at
from loadtest.model.summary import ObjectiveResult, PoolSummary

MET_IN_WORDS = {True: "met", False: "missed", None: "undecided"}
_UNENDED = (
    "a value with ≥ is a lower bound, because some had not ended at the end of the measured time: "
    "measure for longer"
)
_DROPPED = "arrivals were dropped, and their request times are unknown"


def check_objective(
    bound: Bound, pool: PoolSummary, rounds: Sequence[PoolSummary], level: float = 0.05
) -> ObjectiveResult:
    """A bound, the value of all rounds together, and whether that meets it.

    With several rounds their interval decides; the result is open if the bound lies in it. A single
    round has no interval, and its value decides.
    level: how often the interval may miss the truth; less with interim analyses.
    """
    value, at_least = value_at(pool, bound.path)
    each = [value_at(round_, bound.path) for round_ in rounds]
    known = [number for number, bounded in each if number is not None and not bounded]
    interval = interval95(known, level) if len(known) == len(each) else None
    met = _met(bound, value, interval)
    partly = at_least or (is_time(bound.path) and drops_arrivals(pool))
    if met is bound.at_most and partly:
        met = None  # the true value may be larger
    return ObjectiveResult(text=bound.text, value=value, at_least=at_least, ci95=interval, met=met)


def drops_arrivals(pool: PoolSummary) -> bool:
    """Whether too many arrivals were dropped for the other times to represent all."""
    offered = (pool.arrivals and pool.arrivals.offered_per_second) or 0.0
    return pool.dropped > NOTABLE_DROPS * offered * pool.seconds


def _met(bound: Bound, value: float | None, interval: Interval95 | None) -> bool | None:
    if value is None:
        return None
    if interval is None:
        return bound.holds(value)
    inside = [bound.holds(edge) for edge in interval]
    return inside[0] if inside[0] == inside[1] else None


def meets_objectives(pool: PoolSummary) -> bool | None:
    """Whether a pool meets all of its objectives; None if one of them is undecided."""
    met = [objective.met for objective in pool.objectives]
    return False if False in met else None if None in met else True


def value_in_words(objective: ObjectiveResult) -> str:
    """The value of an objective and its interval: `41.0 ms, 95 % interval 38.0 ms …`."""
    value, edges = value_in_units(objective)
    return f"{value}, 95 % interval {' to '.join(edges)}" if edges else value


def value_in_units(objective: ObjectiveResult) -> tuple[str, list[str]]:
    """The value of an objective and the edges of its interval, with units."""
    path = _path(objective)
    marked = "≥ " if objective.at_least else ""
    return marked + _number(path, objective.value), [
        _number(path, max(edge, 0.0)) for edge in objective.ci95 or ()
    ]


def objective_sentences(pool: PoolSummary) -> list[str]:
    """A sentence per objective: whether the pool meets it."""
    lines = [
        f"{one.text}: {MET_IN_WORDS[one.met]} ({value_in_words(one)})." for one in pool.objectives
    ]
    if drops_arrivals(pool) and meets_objectives(pool) is None:
        lines.append(f"{_DROPPED.capitalize()}.")
    elif _unended(pool):
        lines.append(f"{_UNENDED.capitalize()}.")
    elif lines and pool.rounds == 1:
        lines.append("One round has no interval, so the value alone decides.")
    return lines + _unknown([pool])


def missed_objectives(candidates: Sequence[PoolSummary]) -> list[str]:
    """No pool is known to meet its objectives: what was measured instead."""
    unknown = [pool for pool in candidates if meets_objectives(pool) is None]
    asked = ", ".join(objective.text for objective in candidates[0].objectives)
    met = _open(unknown, asked) if unknown else f"None of the pools meets {asked}."
    lines = _unmeasured(candidates) or [met]
    for pool in candidates:
        wrong = [o for o in pool.objectives if o.met is not True and o.value is not None]
        said = [f"{_path(o)} is {value_in_words(o)}" for o in wrong]
        lines += [f"With {pool.name} {listed(said)}."] if said else []
    return lines


def _unmeasured(candidates: Sequence[PoolSummary]) -> list[str]:
    """The numbers that no pool has, and more rounds would not have either."""
    of_all = zip(*(pool.objectives for pool in candidates), strict=True)
    none = [_path(each[0]) for each in of_all if all(one.value is None for one in each)]
    return [f"{listed(none)}: no run has a value for it.", *_unknown(candidates)] if none else []


def _unknown(candidates: Sequence[PoolSummary]) -> list[str]:
    """The names of requests in the objective that no run has, with names that are like them."""
    bounds = [bound for one in candidates[0].objectives for bound in parse_objective(one.text)]
    names = dict.fromkeys(name for pool in candidates for name in pool.request)
    return [text if text.endswith("?") else f"{text}." for text in unknown_requests(bounds, names)]


def _path(objective: ObjectiveResult) -> str:
    """The path of an objective's value."""
    return parse_objective(objective.text)[0].path


def _open(unknown: Sequence[PoolSummary], asked: str) -> str:
    names = listed([pool.name for pool in unknown])
    why = "more rounds may decide it"
    if any(map(drops_arrivals, unknown)):
        why = _DROPPED
    elif any(map(_unended, unknown)):
        why = _UNENDED
    return f"Whether {names} can meet {asked} is undecided: {why}."


def _unended(pool: PoolSummary) -> bool:
    """Whether an objective is undecided because its value is a lower bound."""
    return any(one.met is None and one.at_least for one in pool.objectives)


def _number(path: str, value: float | None) -> str:
    if is_time(path):
        return duration(value)
    if path.endswith("rate") or path.endswith("cpu"):
        return percent(value)
    return rate(value)
