"""The form with which the live page asks for a comparison, checked like `loadtest compare`."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from loadtest.model.allowances import NO_ALLOWANCES, Allowances
from loadtest.model.command_words import option_words
from loadtest.model.errors import UsageError
from loadtest.model.experiment import Experiment
from loadtest.model.field_types import validated
from loadtest.model.pool import PoolConfig, parse_pool

FORM_FIELDS = ("scenario", "pools", "rounds", "duration", "users")
# A comma before a pool in the short form separates two pools, as one at the end of a word does.
_COMMA = re.compile(r",\s*(?=(?:[^\s,=]+:)?\d+\+)|,(?=\s|$)")
# The field in which a mistake is shown, by the beginning or another part of its sentence.
_PLACES = {"rounds: ": "rounds", "load.users: ": "users", "load.duration: ": "duration"}
_WORDS = {"warm-up plus duration": "duration", "pool": "pools"}


@dataclass(frozen=True)
class ServedSettings:
    """The settings of the process behind the live page that its comparisons take over.

    scenarios: NAME=VALUE of the options of each scenario, by its path. defaults: the form's values
    at first. load, more: further settings of the comparison's load and of the comparison.
    database_url: empty for a private server. results: the folder of the results. refusal: why no
    comparison is possible, if so. local: whether the page is for this machine only, without login.
    """

    scenarios: Mapping[str, Sequence[str]]
    defaults: Mapping[str, str]
    load: Mapping[str, Any] = field(default_factory=dict)
    more: Mapping[str, Any] = field(default_factory=dict)
    allowed: Allowances = NO_ALLOWANCES
    database_url: str = ""
    results: str = "reports"
    refusal: str = ""
    local: bool = True


class RefusedForm(UsageError):
    """A form that starts no comparison.

    fields: the reasons by the field that caused them; those without a field are under "".
    """

    def __init__(self, fields: Mapping[str, str]) -> None:
        self.fields = fields
        super().__init__(*fields.values())


def comparison_words(form: Mapping[str, str], served: ServedSettings) -> list[str]:
    """The arguments of `loadtest` for the comparison of a form, without the database's address.

    Raises RefusedForm with all mistakes.
    """
    asked = form_values(form)
    problems = list(_problems(asked, served))
    if problems:
        fields = dict.fromkeys(name for name, _ in problems)
        raise RefusedForm(
            {name: "; ".join(text for where, text in problems if where == name) for name in fields}
        )
    words = ["compare", asked["scenario"]]
    words += [word for text in _split(asked["pools"]) for word in ("--pool", text)]
    numbers = {"rounds": asked["rounds"], "users": asked["users"], "time": asked["duration"]}
    words += option_words({**numbers, **served.load, **served.more})
    words += [word for one in served.scenarios[asked["scenario"]] for word in ("--option", one)]
    return [*words, *served.allowed.arguments(), "--results", served.results]


def form_values(form: Mapping[str, str]) -> dict[str, str]:
    """The fields of a form, which may lack some, without blanks around them."""
    return {name: form.get(name, "").strip() for name in FORM_FIELDS}


def _problems(asked: Mapping[str, str], served: ServedSettings) -> Iterator[tuple[str, str]]:
    """The mistakes in a form, each with its field."""
    if asked["scenario"] not in served.scenarios:
        yield "scenario", f"choose one of {', '.join(served.scenarios)}"
    pools = [PoolConfig()]  # for the other fields, if those of the form are wrong
    try:
        pools = _pools(asked["pools"])
    except UsageError as error:
        yield from (("pools", problem) for problem in error.problems)
    load = {**served.load, "users": asked["users"], "duration": asked["duration"]}
    settings = {"name": "comparison", "scenario": asked["scenario"], "rounds": asked["rounds"]}
    try:
        validated(Experiment, {**settings, **served.more, "load": load, "pool": pools}, "")
    except UsageError as error:
        yield from map(_placed, error.problems)


def _pools(text: str) -> list[PoolConfig]:
    """The pools of a text; raises UsageError with everything that is wrong with them."""
    texts, made, problems = _split(text), list[PoolConfig](), list[str]()
    for one in texts:
        try:
            made.append(parse_pool(one))
        except UsageError as error:
            problems += (problem.removeprefix("--pool ") for problem in error.problems)
    for one in dict.fromkeys(one for one in texts if texts.count(one) > 1):
        settings = one.rpartition(":")[2]
        problems.append(f"{one} is given twice; with names it works: a:{settings} b:{settings}")
    if len(texts) < 2 and not problems:
        problems.append("a comparison needs at least two pools, like 5+10 20+0")
    if problems:
        raise UsageError(*problems)
    return made


def _split(text: str) -> list[str]:
    """The pools in a text, in the syntax of a shell; raises UsageError for a lone quote."""
    try:
        return shlex.split(_COMMA.sub(" ", text))
    except ValueError:
        raise UsageError(f"{text}: a quotation mark has no counterpart") from None


def _placed(problem: str) -> tuple[str, str]:
    """A mistake in an experiment, without its place there, and the field that caused it."""
    problem = problem.removeprefix(": ")
    for beginning, name in _PLACES.items():
        if problem.startswith(beginning):
            return name, problem.removeprefix(beginning)
    return next((name for words, name in _WORDS.items() if words in problem), ""), problem
