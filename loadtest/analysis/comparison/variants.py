"""Pools measured in several variants: whether the conclusion of one variant holds for the others.

A variant is a model of users (greenlets, threads), a server or an application.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from loadtest.analysis.comparison.comparer import THROUGHPUT_METRIC, Comparer
from loadtest.analysis.comparison.verdict import verdict
from loadtest.analysis.pool_runs import Measurements, PoolRuns
from loadtest.analysis.units import listed
from loadtest.model.errors import UsageError
from loadtest.model.server_name import server_title
from loadtest.model.suggestion import did_you_mean
from loadtest.model.summary import PoolSummary, Verdict

AS_GOOD = ("equivalent", "undecided")


@dataclass(frozen=True)
class Variant:
    """One variant of what was measured.

    title: its name in sentences, `with threads` or `on MySQL 9.7.4`. measurements: its own, with
    its own baseline. plain: the given name of each of its pools, by the pool's full name.
    """

    name: str
    title: str
    measurements: Measurements
    plain: Mapping[str, str]


def variants(measurements: Measurements) -> list[Variant]:
    """The variants that were measured; a single one without a name if there are no variants."""
    servers = _names(measurements, lambda pool: pool.server)
    models = _names(measurements, lambda pool: pool.model)
    applications = _names(measurements, lambda pool: pool.application)
    if len(applications) > 1:
        return [
            _variant(measurements, applications, name, _in_application) for name in applications
        ]
    if len(servers) > 1:
        every = replace(measurements, server_titles=_names(measurements, _title_of_server))
        return [_variant(every, servers, name, _on_server) for name in servers]
    if len(models) > 1:
        every = replace(measurements, models=models)
        return [_variant(every, models, name, _with_model) for name in models]
    plain = {pool.name: pool.name for pool in measurements.pools}
    return [Variant("", "", measurements, plain)]


def of_application(measurements: Measurements, name: str) -> Measurements:
    """The pools of one of several applications, by its name; all pools without several.

    name: empty if none is chosen. Raises UsageError if there is no such application, or if one of
    several must be chosen.
    """
    names = _names(measurements, lambda pool: pool.application)
    if name and name not in names:
        there = f"it has: {', '.join(names)}" if any(names) else "it has none with a name"
        raise UsageError(
            f"--application {name}: the result has no such application; {there}"
            f"{did_you_mean(name, names)}"
        )
    if len(names) < 2:
        return measurements
    if not name:
        raise UsageError(
            f"the result has the applications {listed(names)}; choose one: --application {names[0]}"
        )
    return next(part.measurements for part in variants(measurements) if part.name == name)


def verdicts(parts: Sequence[Variant], pools: Sequence[PoolSummary], compare: Comparer) -> Verdict:
    """Whether the conclusion carries over, and the verdict of each variant.

    A pool is recommended, under the name that it has in the first variant, if that does.
    """
    each = [verdict(part.measurements, _summaries(part, pools), compare) for part in parts]
    said = [of_part.text.splitlines() for of_part in each]
    shared = [line for line in said[0] if all(line in lines for lines in said)]
    own = [
        f"{part.title[0].upper()}{part.title[1:]}: {line}"
        for part, lines in zip(parts, said, strict=True)
        for line in lines
        if line not in shared
    ]
    recommended = [of_part.recommended for of_part in each]
    valid = {pool.name for pool in pools if pool.valid}
    carries, sentence = _carried_over(parts, recommended, valid, compare)
    return Verdict(
        recommended=recommended[0] if carries else None,
        text="\n".join([sentence, *own, *shared]),
        unmeasured=tuple(name for of_part in each for name in of_part.unmeasured),
    )


def _names(measurements: Measurements, of: Callable[[PoolRuns], str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(of(pool) for pool in measurements.pools if pool.runs))


def _title_of_server(pool: PoolRuns) -> str:
    return server_title(pool.header.server.version)


def _with_model(pool: PoolRuns) -> tuple[str, str]:
    return pool.model, f"with {pool.model}"


def _in_application(pool: PoolRuns) -> tuple[str, str]:
    return pool.application, f"with {pool.application}"


def _on_server(pool: PoolRuns) -> tuple[str, str]:
    return pool.server, f"on {_title_of_server(pool)}"


def _variant(
    measurements: Measurements,
    names: Sequence[str],
    name: str,
    told: Callable[[PoolRuns], tuple[str, str]],
) -> Variant:
    def of(pool: PoolRuns) -> str:
        planned = (other for other in names[1:] if pool.variant.is_of(pool.given, other))
        return told(pool)[0] if pool.runs else next(planned, names[0])

    pools = [pool for pool in measurements.pools if of(pool) == name]
    plain = {pool.name: pool.given for pool in pools}
    base = next((p.given for p in measurements.pools if p.name == measurements.baseline), "")
    wanted = base or measurements.baseline
    baselines = [full for full, given in plain.items() if given == wanted]
    own = replace(measurements, pools=pools, baseline=(baselines or list(plain))[0])
    return Variant(name, next(told(pool)[1] for pool in pools if pool.runs), own, plain)


def _summaries(part: Variant, pools: Sequence[PoolSummary]) -> list[PoolSummary]:
    return [pool for pool in pools if pool.name in part.plain]


def _carried_over(
    parts: Sequence[Variant],
    recommended: Sequence[str | None],
    valid: set[str],
    compare: Comparer,
) -> tuple[bool, str]:
    pairs = list(zip(parts, recommended, strict=True))
    without = [part.title for part, name in pairs if name is None]
    if without:
        none = f"there is no recommendation {listed(without)}"
        return False, f"Whether the conclusion carries over is unknown: {none}."
    names = {part.name: part.plain[str(name)] for part, name in pairs}
    different = set(names.values())
    if len(different) == 1:
        every = "both" if len(parts) == 2 else "all"
        return True, f"The conclusion carries over: {every} recommend {different.pop()}."
    said = ", ".join(f"{part} {name}" for part, name in names.items())
    if all(_as_good(part, different, valid, compare) for part in parts):
        noise = "and these pools are equally good within the noise"
        return True, f"The conclusion carries over: {said}, {noise}."
    return False, f"The conclusion does not carry over: {said}."


def _as_good(part: Variant, names: set[str], valid: set[str], compare: Comparer) -> bool:
    """Whether the recommended pools are equally good in this variant."""
    pools = [name for name, given in part.plain.items() if given in names and name in valid]
    others = [compare.pair(name, pools[0], THROUGHPUT_METRIC) for name in pools[1:]]
    return len(pools) == len(names) and all(other.decision in AS_GOOD for other in others)
