"""The verdict of a search for the smallest pool."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from loadtest.analysis.comparison.objective_check import meets_objectives, value_in_words
from loadtest.analysis.comparison.recommendation import pool_flaws
from loadtest.analysis.findings import mostly_failing
from loadtest.analysis.findings.leaks import is_drained, leak_sentences
from loadtest.analysis.pool_settings import pool_arguments
from loadtest.analysis.sizing.size_search import most_runs
from loadtest.analysis.sizing.tuning import LONGEST_TIMEOUT, Tuning
from loadtest.analysis.units import count, duration, listed, percent, plural, rate
from loadtest.model.search_result import Search
from loadtest.model.summary import PoolSummary, Verdict

_DISTURBED = "repeat the search on an idle machine"


def tune_verdict(tuning: Tuning) -> Verdict:
    """The size to set and why, a sentence per line; an uncertain size is not recommended."""
    value = tuning.value
    chosen = None if value.size is None else tuning.sizes[value.size]
    if value.outcome == "found" and chosen:
        return Verdict(recommended=chosen.name, text="\n".join(_advice(tuning, value, chosen)))
    if is_drained(tuning.pilot):
        return Verdict(recommended=None, text="\n".join(leak_sentences([tuning.pilot])))
    lines = [no_answer(tuning, value), *_left_out(tuning)]
    if chosen:
        lines += [*_objectives(chosen), *_smaller(tuning, chosen)]
    return Verdict(recommended=None, text="\n".join([*lines, _load_used(tuning, value)]))


def _advice(tuning: Tuning, value: Search, chosen: PoolSummary) -> Iterator[str]:
    settings = chosen.pool
    if value.pool_timeout is not None and not tuning.application:
        settings = replace(settings, pool_timeout=value.pool_timeout)
    yield f"Set {pool_arguments(settings)}: {succeeded(chosen)}."
    if (tuning.processes or 1) > 1:
        yield (
            f"With {count(tuning.processes)} processes, each with such a pool, these are "
            f"{count(value.connections)} connections together."
        )
    yield from reasons(tuning, value, chosen)
    yield _load_used(tuning, value)


def succeeded(pool: PoolSummary) -> str:
    """The throughput of a pool in words."""
    return f"{_throughput(pool)} requests succeeded per second{_sure(pool)}"


def reasons(tuning: Tuning, value: Search, chosen: PoolSummary) -> Iterator[str]:
    """Why a size is the answer: its objectives, smaller and larger sizes, the present pool."""
    yield from _objectives(chosen)
    yield from _smaller(tuning, chosen)
    yield from _bigger(tuning, value, chosen)
    yield _now(tuning, chosen)
    yield from pool_flaws(chosen)
    yield _timeout(tuning, value, chosen)
    yield from _left_out(tuning)


def _throughput(pool: PoolSummary) -> str:
    return rate(pool.throughput.per_second)


def _sure(pool: PoolSummary) -> str:
    if not pool.shown_ci95:
        return ""
    low, high = (rate(max(edge, 0)) for edge in pool.shown_ci95)
    return f" (95 % interval {low} to {high}, {plural(pool.rounds, 'round')})"


def _share(pool: PoolSummary, of: PoolSummary) -> str:
    return percent((pool.throughput.per_second or 0.0) / (of.throughput.per_second or 1.0))


def _objectives(chosen: PoolSummary) -> Iterator[str]:
    """The objectives and the values of the size."""
    if chosen.objectives:
        said = [f"{one.text}: {value_in_words(one)}" for one in chosen.objectives]
        yield f"Objective, in {plural(chosen.rounds, 'round')}: {listed(said)}."


def _smaller(tuning: Tuning, chosen: PoolSummary) -> Iterator[str]:
    """Why no smaller pool is enough: the nearest that was tried, and its flaw."""
    size = chosen.pool.pool_size or 0
    below = [smaller for smaller in tuning.sizes if smaller < size]
    if not below:
        yield "No smaller pool is possible." if size == 1 else "No smaller pool was tried."
        return
    nearest = tuning.sizes[max(below)]
    if mostly_failing.fails_mostly(nearest):
        return  # all such sizes have a sentence
    if not nearest.valid:
        yield f"{nearest.name} may be enough, but its measurement is not valid."
        return
    rounds = plural(nearest.rounds, "round")
    surely = "" if _surely(tuning, nearest) else "probably "
    yield f"{nearest.name} is {surely}too small: {_wrong(tuning, nearest)} ({rounds})."


def _surely(tuning: Tuning, pool: PoolSummary) -> bool:
    """Whether a rejected size is certainly too small; for throughput, the margin decides."""
    trial = tuning.trial(pool)
    return pool.rounds > 1 and (
        (trial.met is True and trial.steady) or meets_objectives(pool) is False
    )


def _wrong(tuning: Tuning, pool: PoolSummary) -> str:
    """What keeps a size from being the answer."""
    if mostly_failing.fails_mostly(pool):
        return mostly_failing.failures_in_words(pool)
    if not pool.valid:
        return "its measurement is not valid"
    if tuning.trial(pool).met is not True:
        said = [
            f"{one.text}: {value_in_words(one)}" for one in pool.objectives if one.met is not True
        ]
        return listed(said) if said else "whether it meets the objective is undecided"
    best = max(
        (p for size, p in tuning.sizes.items() if tuning.trials[size].able),
        key=lambda p: p.throughput.per_second or 0.0,
    )
    return f"{_throughput(pool)} per second, {_share(pool, best)} of what {best.name} does"


def _bigger(tuning: Tuning, value: Search, chosen: PoolSummary) -> Iterator[str]:
    """Whether more connections are worse, or do not help."""
    valid = {size: pool for size, pool in tuning.sizes.items() if pool.valid}
    above = {size: pool for size, pool in valid.items() if size > (value.size or 0)}
    if value.worse_from is not None:
        worse = tuning.sizes[value.worse_from]
        yield f"A larger pool is worse: with {worse.name} {_wrong(tuning, worse)}."
    elif above:
        far = above[max(above)]
        yield (
            f"A larger pool does not help: {far.name} did {_throughput(far)} per second, "
            f"{_share(far, chosen)} of what {chosen.name} does."
        )
    else:
        yield f"No larger pool was tried: the largest allowed is {count(value.most)}."


def _now(tuning: Tuning, chosen: PoolSummary) -> str:
    pilot = tuning.pilot
    text = f"{pilot.name} ({pool_arguments(pilot.pool)}), measured first, did {_throughput(pilot)}"
    text += f" per second, {_share(pilot, chosen)} of what {chosen.name} does"
    met = meets_objectives(pilot)
    if not pilot.objectives or met is None:
        return f"{text}."
    return f"{text}, and {'meets' if met else 'misses'} the objective."


def _timeout(tuning: Tuning, value: Search, chosen: PoolSummary) -> str:
    """Why this pool_timeout; that of an application stays, and another one is only suggested."""
    if value.pool_timeout is None:
        return "The longest wait is not known: leave pool_timeout as it is."
    wait = f"no wait with this pool was longer than {duration(tuning.longest)}"
    own = chosen.pool.pool_timeout
    if tuning.application and value.pool_timeout < own:
        return (
            f"pool_timeout was the application's own, {own:g} seconds. Suggested instead: "
            f"pool_timeout={value.pool_timeout:g}, because {wait}. A longer one delays the error "
            "that an overload causes."
        )
    if tuning.application:
        return f"pool_timeout stays at the application's own {own:g} seconds: {wait}."
    if value.pool_timeout >= LONGEST_TIMEOUT:
        return f"pool_timeout stays at SQLAlchemy's {LONGEST_TIMEOUT} seconds: {wait}."
    seconds = round(value.pool_timeout)
    return (
        f"pool_timeout={seconds}, not {LONGEST_TIMEOUT}: {wait}. A wait of "
        f"{plural(seconds, 'second')} means overload, and the error then appears early."
    )


def no_answer(tuning: Tuning, value: Search) -> str:
    """Why a search has no certain answer, in one sentence."""
    chosen = None if value.size is None else tuning.sizes[value.size]
    asked = ", ".join(bound.text for bound in tuning.bounds)
    if not tuning.pilot.throughput.per_second:
        return f"No size can be searched for: with {tuning.pilot.name} no request succeeded."
    if mostly_failing.fails_mostly(tuning.pilot) and chosen is None:
        words = mostly_failing.example_in_words(tuning.pilot.errors)
        failed = mostly_failing.failures_in_words(tuning.pilot)
        return f"No size is recommended: with {tuning.pilot.name} {failed}{words}."
    if value.outcome == "invalid":
        return "No pool size could be measured: see the findings."
    if value.outcome == "missed":
        none = f"No pool of 1 to {count(value.most)} connections meets {asked}."
        return f"{none} {_nearest(tuning)}"
    if chosen is None:
        return "Undecided: no size is known to be good yet."
    return (
        f"Undecided: the best so far is {pool_arguments(chosen.pool)}, and {_why(tuning, chosen)}."
    )


def _why(tuning: Tuning, chosen: PoolSummary) -> str:
    """Why the best size so far is not the answer."""
    trial = tuning.trial(chosen)
    if tuning.hopeless:
        measured = listed([pool.name for _, pool in sorted(tuning.sizes.items()) if pool.valid])
        return f"only {measured} could be measured: the other runs are not valid; {_DISTURBED}"
    if tuning.next_step() is not None:
        return _unfinished(tuning)
    if tuning.contradicted:
        more = f"{_throughput(tuning.pilot)} per second, {_share(tuning.pilot, chosen)} of that"
        return f"{tuning.pilot.name}, measured first, did {more}; {_DISTURBED}"
    if not trial.steady:
        return f"its rounds differ too much in throughput{_sure(chosen)}; {_DISTURBED}"
    if trial.sure is not True:
        return f"whether it meets {', '.join(bound.text for bound in tuning.bounds)} is uncertain"
    return "a smaller size could not be measured"


def _unfinished(tuning: Tuning) -> str:
    most = most_runs(tuning.most)
    if tuning.runs < most:
        return "the search ended early; repeat it and let it run to its end"
    return f"the search used up its {plural(most, 'run')}; {_DISTURBED}"


def _nearest(tuning: Tuning) -> str:
    """The size with the highest throughput, and what it misses."""
    pool = max(tuning.sizes.values(), key=lambda p: p.throughput.per_second or 0.0)
    return f"With {pool.name}, the fastest, {_wrong(tuning, pool)}."


def _left_out(tuning: Tuning) -> Iterator[str]:
    sizes = [pool for _, pool in sorted(tuning.sizes.items())]
    yield from mostly_failing.not_recommended(sizes)
    failed = [pool for pool in sizes if mostly_failing.fails_mostly(pool)]
    invalid = [pool.name for pool in sizes if not pool.valid and pool not in failed]
    if invalid:
        yield f"Left out, as the measurement is not valid (see the findings): {listed(invalid)}."


def _load_used(tuning: Tuning, value: Search) -> str:
    repeated = len(tuning.disturbed)
    runs = repeated + tuning.runs
    again = f", {count(repeated)} of them disturbed and repeated," if repeated else ""
    took = (
        f"{plural(runs, 'run')} of {plural(len(tuning.sizes), 'size')}{again} took "
        f"{count(value.load_seconds)} s of load."
    )
    if value.grid_seconds <= value.load_seconds:
        return took
    return (
        f"{took} One run of every size from 1 to {count(value.most)} would have taken "
        f"{count(value.grid_seconds)} s."
    )
