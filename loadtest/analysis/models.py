"""Pools measured with users of several models: whether a conclusion of one holds for the other."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from loadtest.analysis.comparison import THROUGHPUT, Comparer
from loadtest.analysis.measured import Measurements, PoolRuns
from loadtest.analysis.units import listed
from loadtest.analysis.values import PoolSummary, Verdict
from loadtest.analysis.verdict import verdict
from loadtest.loads import MODELS

AS_GOOD = ("equivalent", "undecided")


def by_model(measurements: Measurements) -> dict[str, Measurements]:
    """What was measured with each model of users, each with a baseline of its own."""
    ran = dict.fromkeys(pool.model for pool in measurements.pools if pool.runs)
    if len(ran) < 2:
        return {"": measurements}
    every = replace(measurements, experiment={**measurements.experiment, "models": tuple(ran)})
    return {model: _of_model(every, model) for model in ran}


def verdicts(
    parts: Mapping[str, Measurements], pools: Sequence[PoolSummary], compare: Comparer
) -> Verdict:
    """The verdict of each model, and whether the conclusion carries over.

    A pool is recommended, under the name that it has with the first model, if that does.
    """
    each = {model: verdict(part, _summaries(part, pools), compare) for model, part in parts.items()}
    lines = [
        line
        for model, of_model in each.items()
        for line in f"With {model}: {of_model.text}".splitlines()
    ]
    recommended = {model: of_model.recommended for model, of_model in each.items()}
    valid = {pool.name for pool in pools if pool.valid}
    carries, sentence = _carried_over(parts, recommended, valid, compare)
    return Verdict(
        recommended=next(iter(recommended.values())) if carries else None,
        text="\n".join(dict.fromkeys([*lines, sentence])),
    )


def _of_model(measurements: Measurements, model: str) -> Measurements:
    pools = [pool for pool in measurements.pools if _model(pool) == model]
    baseline = [pool.name for pool in pools if _plain(pool.name) == _plain(measurements.baseline)]
    name = baseline[0] if baseline else pools[0].name
    return replace(
        measurements, pools=pools, experiment={**measurements.experiment, "baseline": name}
    )


def _model(pool: PoolRuns) -> str:
    """The model of its runs; of one that never ran, that in its name."""
    ending = pool.name.rpartition(".")[2]
    return pool.model if pool.runs or ending not in MODELS else ending


def _plain(name: str) -> str:
    """The name that a pool was given, without the model that the tool put behind it."""
    head, dot, ending = name.rpartition(".")
    return head if dot and ending in MODELS else name


def _summaries(part: Measurements, pools: Sequence[PoolSummary]) -> list[PoolSummary]:
    names = {pool.name for pool in part.pools}
    return [pool for pool in pools if pool.name in names]


def _carried_over(
    parts: Mapping[str, Measurements],
    recommended: Mapping[str, str | None],
    valid: set[str],
    compare: Comparer,
) -> tuple[bool, str]:
    without = [model for model, name in recommended.items() if name is None]
    if without:
        none = f"there is no recommendation with {listed(without)}"
        return False, f"Whether the conclusion carries over cannot be told: {none}."
    names = {model: _plain(str(name)) for model, name in recommended.items()}
    if len(set(names.values())) == 1:
        return True, f"The conclusion carries over: both recommend {next(iter(names.values()))}."
    said = ", ".join(f"{model} {name}" for model, name in names.items())
    if all(_as_good(part, set(names.values()), valid, compare) for part in parts.values()):
        noise = "and with each the other is as good within the noise"
        return True, f"The conclusion carries over: {said}, {noise}."
    return False, f"The conclusion does not carry over: {said}."


def _as_good(part: Measurements, names: set[str], valid: set[str], compare: Comparer) -> bool:
    """Whether the pools that were recommended cannot be told apart with this model."""
    known = [pool.name for pool in part.pools if pool.name in valid]
    pools = [name for name in known if _plain(name) in names]
    others = [compare.one(name, pools[0], THROUGHPUT) for name in pools[1:]]
    return len(pools) == len(names) and all(other.decision in AS_GOOD for other in others)
