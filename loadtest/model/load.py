"""The load: users or arrivals, in stages if need be."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from itertools import accumulate
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, Field, model_validator

from loadtest.model.errors import UsageError
from loadtest.model.field_types import (
    Name,
    NotNegative,
    Positive,
    Seconds,
    Strict,
    Whole,
    validated,
)

ARRIVALS = ("poisson", "even")
DROP_AFTER_SECONDS = 1.0
LEAST_USERS, MOST_USERS = 100, 10_000
GREENLETS, THREADS = "greenlets", "threads"
# The models of users, and the Python module that runs each.
USER_MODELS = {GREENLETS: "locust", THREADS: "loadtest.threads"}
_STAGE = re.compile(
    r"^(?:(?P<name>[^=]+)=)?(?P<duration>[^:]+):(?P<level>[\d.]+)(?:-(?P<to>[\d.]+))?(?P<rate>/s)?"
    r"(?:\+(?P<at_once>\d+))?$"
)
_HOW = "write 10s:50 (users), rush=5s:50-500/s (requests per second) or 2s:0/s+50 (50 at once)"


def _part_of_a_path(name: str) -> str:
    if "." in name:
        raise ValueError(
            "the name of a stage must have no dots, because dots separate the parts of an "
            f"objective's path (stages.NAME.error_rate); write {name.replace('.', '-')!r}"
        )
    return name


class Stage(Strict):
    """A number of users, or an offered rate (1/s), for some seconds, rising or falling to `to`.

    name: the name in reports and objectives, without dots; the default is the stage's number.
    at_once: arrivals that are all due when the stage begins.
    """

    name: Annotated[Name, AfterValidator(_part_of_a_path)] = ""
    duration: Annotated[Seconds, Field(gt=0)]
    users: Annotated[Whole, Field(ge=1)] | None = None
    arrival_rate: NotNegative | None = None
    to: NotNegative | None = None
    at_once: Annotated[Whole, Field(ge=0)] = 0

    @model_validator(mode="after")
    def _one_kind(self) -> Self:
        if (self.users is None) == (self.arrival_rate is None):
            raise ValueError("give either users or an arrival_rate")
        if self.users is not None and self.at_once:
            raise ValueError("at_once: requires an arrival_rate")
        if self.users is not None and self.to is not None and (self.to < 1 or self.to % 1):
            raise ValueError("to: the number of users must be a whole number of at least 1")
        return self

    @property
    def start(self) -> float:
        """The users or the rate at the beginning."""
        return float(self.users or self.arrival_rate or 0)

    @property
    def end(self) -> float:
        """The users or the rate at the end."""
        return self.start if self.to is None else self.to

    @property
    def most(self) -> float:
        """The most users, or the highest offered rate (1/s) plus the arrivals at once."""
        return max(self.start, self.end) + self.at_once

    def __str__(self) -> str:
        level = f"{self.start:g}" if self.to is None else f"{self.start:g}-{self.end:g}"
        rate = "" if self.arrival_rate is None else "/s"
        burst = f"+{self.at_once}" if self.at_once else ""
        name = f"{self.name}=" if self.name else ""
        return f"{name}{self.duration:g}s:{level}{rate}{burst}"


def named_stages(stages: Sequence[Stage]) -> tuple[Stage, ...]:
    """The stages, each with a name, by default its number. Raises ValueError if they clash."""
    result = tuple(
        stage if stage.name else stage.model_copy(update={"name": str(number)})
        for number, stage in enumerate(stages, start=1)
    )
    names = [stage.name for stage in result]
    twice = [name for name in names if names.count(name) > 1]
    if twice:
        raise ValueError(f"two stages have the name {twice[0]!r}; rename one of them")
    if len({stage.arrival_rate is None for stage in result}) > 1:
        raise ValueError(
            "some stages have users and others an arrival_rate; use one kind for all stages"
        )
    return result


def parse_stages(text: str) -> tuple[Stage, ...]:
    """The stages of an option: `calm=10s:50/s,rush=5s:50-500/s,10s:500/s`; none in an empty one.

    Raises UsageError with the mistake and the syntax.
    """
    try:
        return named_stages([_stage(part.strip()) for part in text.split(",") if part.strip()])
    except ValueError as error:
        raise UsageError(f"--stages {text}: {error}") from None


def _stage(text: str) -> Stage:
    match = _STAGE.match(text)
    if not match:
        raise ValueError(f"stage {text!r}: {_HOW}")
    given = match.groupdict()
    given["arrival_rate" if given.pop("rate") else "users"] = given.pop("level")
    data = {name: value for name, value in given.items() if value is not None}
    return validated(Stage, data, f"--stages {text}")


def stages_seconds(stages: Sequence[Stage]) -> float:
    """The total duration of the stages, in seconds."""
    return sum(stage.duration for stage in stages)


def stage_begins(stages: Sequence[Stage]) -> list[tuple[float, str]]:
    """When each stage begins (s after the first), and its name."""
    ends = accumulate((stage.duration for stage in stages), initial=0.0)
    return [(begin, stage.name) for begin, stage in zip(ends, stages, strict=False)]


def highest_level(stages: Sequence[Stage]) -> float:
    """The most users, or the highest offered rate (1/s), of any stage."""
    return max(stage.most for stage in stages)


def start_command(model: str) -> list[str]:
    """The command with which you start a run by hand with this model of users."""
    return ["locust"] if model == GREENLETS else ["python", "-m", USER_MODELS[model]]


def _models(text: str) -> str:
    names = text.split(",")
    if len(set(names)) < len(names) or not set(names) <= USER_MODELS.keys():
        raise ValueError(f"write {GREENLETS}, {THREADS}, or {GREENLETS},{THREADS} to compare both")
    return text


def users_for(arrival_rate: float) -> int:
    """The default number of users in an open loop: the arrivals of ten seconds, within bounds."""
    return min(MOST_USERS, max(LEAST_USERS, math.ceil(10 * arrival_rate)))


class LoadConfig(Strict):
    """Users in a closed loop, or requests at an offered rate (1/s) in an open one.

    In an open loop `users` limits the concurrent requests, and an arrival that finds no free user
    is dropped after `drop_after`. The warm-up precedes the measured duration. Times are seconds.
    stage: parts of the measured time with their own loads; they set the duration and the load.
    prefill: open pool_size connections before the load begins. model: the model of users; give
    two models to compare both. processes: those of the load generator, which share the load.
    """

    model: Annotated[str, AfterValidator(_models)] = GREENLETS
    users: Annotated[Whole, Field(ge=1)] = 50
    spawn_rate: Positive | None = None
    arrival_rate: Positive | None = None
    arrivals: Literal["poisson", "even"] | None = None
    drop_after: Annotated[Seconds, Field(gt=0)] | None = None
    duration: Annotated[Seconds, Field(gt=0)] = 30.0
    warmup: Annotated[Seconds, Field(ge=0)] = 5.0
    prefill: bool = False
    processes: Annotated[Whole, Field(ge=1)] = 1
    stage: tuple[Stage, ...] = ()

    @model_validator(mode="after")
    def _what_stages_say(self) -> Self:
        if not self.stage:
            return self
        # From here on it is frozen.
        object.__setattr__(self, "stage", named_stages(self.stage))
        said = {"duration": stages_seconds(self.stage)}
        if self.highest_rate is None:
            said["users"] = int(highest_level(self.stage))
        given = self.model_fields_set - {"stage"}
        other = [name for name in said if name in given and getattr(self, name) != said[name]]
        if other or self.arrival_rate:
            raise ValueError(f"{', '.join(other) or 'arrival_rate'}: remove it, stages set it")
        for name, value in said.items():
            object.__setattr__(self, name, value)
        return self

    @model_validator(mode="after")
    def _open_or_closed(self) -> Self:
        if self.highest_rate is not None:
            if "users" not in self.model_fields_set:
                object.__setattr__(self, "users", users_for(self.highest_rate))
            return self
        for name in ("arrivals", "drop_after"):
            if getattr(self, name) is not None:
                raise ValueError(f"{name}: requires an arrival_rate")
        return self

    @property
    def models(self) -> tuple[str, ...]:
        """The models of its users, each by its name."""
        return tuple(self.model.split(","))

    @property
    def highest_rate(self) -> float | None:
        """The highest offered rate (1/s) of an open loop; None in a closed one."""
        if self.stage and self.stage[0].arrival_rate is not None:
            return highest_level(self.stage)
        return self.arrival_rate

    @property
    def users_per_second(self) -> float:
        """The users started per second: `spawn_rate`, by default all within one second."""
        return self.spawn_rate or float(self.users)
