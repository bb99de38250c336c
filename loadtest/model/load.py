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
# What users are, and the Python module that runs such.
USER_MODELS = {GREENLETS: "locust", THREADS: "loadtest.threads"}
_STAGE = re.compile(
    r"^(?:(?P<name>[^=]+)=)?(?P<duration>[^:]+):(?P<level>[\d.]+)(?:-(?P<to>[\d.]+))?(?P<rate>/s)?"
    r"(?:\+(?P<at_once>\d+))?$"
)
_HOW = "write 10s:50 (users), rush=5s:50-500/s (arrivals a second, rising) or 2s:0/s+50 (at once)"


def _part_of_a_path(name: str) -> str:
    if "." in name:
        raise ValueError(
            "the name of a stage has no dots, since dots separate the parts of an objective's path "
            f"(stages.NAME.error_rate); write {name.replace('.', '-')!r}"
        )
    return name


class Stage(Strict):
    """So many users, or arrivals per second, for so many seconds, rising or falling to `to`.

    name: what reports and objectives call it, without dots; its number where none is given.
    at_once: arrivals that are all due when it begins.
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
            raise ValueError("at_once: goes with an arrival_rate")
        if self.users is not None and self.to is not None and (self.to < 1 or self.to % 1):
            raise ValueError("to: there are whole users only, and one at least")
        return self

    @property
    def start(self) -> float:
        """The users or the rate that it begins with."""
        return float(self.users or self.arrival_rate or 0)

    @property
    def end(self) -> float:
        """The users or the rate that it ends with."""
        return self.start if self.to is None else self.to

    @property
    def most(self) -> float:
        """The most users, or the most arrivals per second, those at once counted to a second."""
        return max(self.start, self.end) + self.at_once

    def __str__(self) -> str:
        level = f"{self.start:g}" if self.to is None else f"{self.start:g}-{self.end:g}"
        rate = "" if self.arrival_rate is None else "/s"
        burst = f"+{self.at_once}" if self.at_once else ""
        name = f"{self.name}=" if self.name else ""
        return f"{name}{self.duration:g}s:{level}{rate}{burst}"


def named_stages(stages: Sequence[Stage]) -> tuple[Stage, ...]:
    """The stages, those without a name called by their number. Raises ValueError if they clash."""
    result = tuple(
        stage if stage.name else stage.model_copy(update={"name": str(number)})
        for number, stage in enumerate(stages, start=1)
    )
    names = [stage.name for stage in result]
    twice = [name for name in names if names.count(name) > 1]
    if twice:
        raise ValueError(f"two stages have the name {twice[0]!r}; give one of them another")
    if len({stage.arrival_rate is None for stage in result}) > 1:
        raise ValueError("some stages have users and others an arrival_rate; give all the same")
    return result


def parse_stages(text: str) -> tuple[Stage, ...]:
    """The stages of an option: `calm=10s:50/s,rush=5s:50-500/s,10s:500/s`; none in an empty one.

    Raises UsageError with what is wrong and how it is written.
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
    """How long they last together."""
    return sum(stage.duration for stage in stages)


def stage_begins(stages: Sequence[Stage]) -> list[tuple[float, str]]:
    """When each stage begins (s after the first), and its name."""
    ends = accumulate((stage.duration for stage in stages), initial=0.0)
    return [(begin, stage.name) for begin, stage in zip(ends, stages, strict=False)]


def highest_level(stages: Sequence[Stage]) -> float:
    """The most users, or arrivals per second, of any of them."""
    return max(stage.most for stage in stages)


def start_command(model: str) -> list[str]:
    """How a person starts a run by hand whose users are of this model."""
    return ["locust"] if model == GREENLETS else ["python", "-m", USER_MODELS[model]]


def _models(text: str) -> str:
    names = text.split(",")
    if len(set(names)) < len(names) or not set(names) <= USER_MODELS.keys():
        raise ValueError(f"write {GREENLETS}, {THREADS}, or {GREENLETS},{THREADS} to compare both")
    return text


def users_for(arrival_rate: float) -> int:
    """How many users an open loop has unless told otherwise: work of ten seconds for each rate."""
    return min(MOST_USERS, max(LEAST_USERS, math.ceil(10 * arrival_rate)))


class LoadConfig(Strict):
    """Users in a closed loop, or arrivals at a rate (per second) in an open one.

    In an open loop users are the most that may be under way, and an arrival that finds none free
    is dropped after a while. The warm-up comes before the measured duration. Times are seconds.
    stage: parts of the measured time with loads of their own; then they say duration and load.
    prefill: open pool_size connections before the load begins. model: what users are; two models
    for a comparison of both.
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
            raise ValueError(f"{', '.join(other) or 'arrival_rate'}: the stages say that")
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
                raise ValueError(f"{name}: goes with an arrival_rate")
        return self

    @property
    def models(self) -> tuple[str, ...]:
        """The models of its users, each by its name."""
        return tuple(self.model.split(","))

    @property
    def highest_rate(self) -> float | None:
        """The most arrivals per second of an open loop; None in a closed one."""
        if self.stage and self.stage[0].arrival_rate is not None:
            return highest_level(self.stage)
        return self.arrival_rate

    @property
    def users_per_second(self) -> float:
        """How fast users are started; all within a second unless `spawn_rate` says otherwise."""
        return self.spawn_rate or float(self.users)
