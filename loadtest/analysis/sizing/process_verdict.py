"""The verdict of a search with several numbers of processes."""

from __future__ import annotations

from collections.abc import Iterator

from loadtest.analysis.findings.leaks import is_drained, leak_sentences
from loadtest.analysis.pool_settings import pool_arguments
from loadtest.analysis.sizing.process_search import ProcessSearch, SizedFleet
from loadtest.analysis.sizing.tune_verdict import no_answer, reasons, succeeded
from loadtest.analysis.units import count, percent, plural, rate
from loadtest.model.summary import Verdict


def process_verdict(search: ProcessSearch) -> Verdict:
    """The number of processes with the pool to set and why, a sentence per line.

    It is the one with the fewest connections of all processes together.
    """
    answer, outcome = search.answer, search.value.outcome
    drained = [tuning.pilot for tuning in search.tunings.values() if is_drained(tuning.pilot)]
    if drained:
        return Verdict(recommended=None, text="\n".join(leak_sentences(drained)))
    if answer and outcome == "found":
        lines = [*_advice(search, answer)]
        return Verdict(recommended=answer.pool.name, text="\n".join(lines))
    lines = [_no_advice(search, outcome), *_others(search, None), _load_used(search)]
    return Verdict(recommended=None, text="\n".join(lines))


def _advice(search: ProcessSearch, answer: SizedFleet) -> Iterator[str]:
    number = answer.processes
    tuning, value = search.tunings[number], search.results[number]
    yield f"Run {_pools_of(answer)}: {succeeded(answer.pool)}."
    yield from _others(search, answer)
    yield from reasons(tuning, value, answer.pool)
    yield _load_used(search)


def _pools_of(one: SizedFleet) -> str:
    """A number of processes with its pools in words."""
    each = f"{plural(one.processes, 'process', 'processes')} with {pool_arguments(one.pool.pool)}"
    together = f" each, {count(one.connections)} connections in all"
    return each + (together if one.processes > 1 else "")


def _no_advice(search: ProcessSearch, outcome: str) -> str:
    if outcome == "invalid":
        return "No pool size could be measured: see the findings."
    if outcome == "missed":
        asked = ", ".join(bound.text for bound in next(iter(search.tunings.values())).bounds)
        return f"No number of processes has a pool that meets {asked}."
    if search.answer is None:
        return "Undecided: no number of processes is known to have a good pool yet."
    return f"Undecided: the fewest connections so far need {_pools_of(search.answer)}."


def _others(search: ProcessSearch, answer: SizedFleet | None) -> Iterator[str]:
    """A sentence about each number of processes, except for the answer."""
    sized = {one.processes: one for one in search.sized}
    for number in search.asked:
        if answer and number == answer.processes:
            continue
        name = plural(number, "process", "processes")
        if number not in search.results:
            yield f"{name}: not measured, because the search ended early."
        elif number in sized and search.results[number].outcome == "found":
            yield _sized(search, sized[number], answer)
        else:
            yield f"{name}: {no_answer(search.tunings[number], search.results[number])}"


def _sized(search: ProcessSearch, one: SizedFleet, answer: SizedFleet | None) -> str:
    """The smallest pool of a number of processes, beside the answer."""
    does = f"{rate(one.throughput)} per second"
    if answer and answer.throughput:
        does += f", {percent(one.throughput / answer.throughput)} of that"
    loses = "; this loses throughput" if search.loses(one) else ""
    return (
        f"{plural(one.processes, 'process', 'processes')}: "
        f"{one.processes} × {one.pool.pool.pool_size} = {count(one.connections)} connections do "
        f"{does}{loses}."
    )


def _load_used(search: ProcessSearch) -> str:
    runs = sum(tuning.runs + len(tuning.disturbed) for tuning in search.tunings.values())
    value = search.value
    return (
        f"{plural(runs, 'run')} with {count(len(search.tunings))} numbers of processes took "
        f"{count(value.load_seconds)} s of load. One run of every size with each number would have "
        f"taken {count(value.grid_seconds)} s."
    )
