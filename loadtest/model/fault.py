"""The faults that an experiment provokes: their kind, time, length and syntax.

`experiment.faults` provokes them; `analysis.fault_effects` derives their effect on a pool.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, BeforeValidator, Field, model_validator

from loadtest.model.errors import UsageError
from loadtest.model.field_types import Seconds, Strict, Whole, validated

_FAULT = re.compile(
    r"^(?P<kind>[^@:+]+)(?::(?P<how>[^@]+))?(?:@(?P<at>[^+]+)(?:\+(?P<length>.+))?)?$"
)
_HOW = "write freeze@10s+2s, kill:50%@5s or connect-delay:150ms"
# MariaDB takes no fewer.
LEAST_MAX_CONNECTIONS = 10


@dataclass(frozen=True)
class FaultKind:
    """A kind of fault.

    takes: the possible settings, at most one of them, exactly one if it `needs` one. length:
    whether it has a length; a fault that `lasts` goes on for the whole run without one. done: the
    effect on the server, which must be a private one; empty for faults that any server survives.
    """

    takes: tuple[str, ...] = ()
    needs: bool = True
    length: Literal["must", "may", "none"] = "must"
    lasts: bool = False
    done: str = ""


FAULT_KINDS = {
    "kill": FaultKind(("connections", "share"), needs=False, length="none"),
    "restart": FaultKind(length="may", done="restarted"),
    "freeze": FaultKind(done="frozen"),
    "refuse": FaultKind(),
    "connect-delay": FaultKind(("delay",), length="may", lasts=True),
    "latency": FaultKind(("delay",), length="may", lasts=True),
    "idle-drop": FaultKind(("idle",), length="may", lasts=True),
    "max-connections": FaultKind(("connections",), done="limited"),
}
_SETTINGS = ("delay", "idle", "share", "connections")


def _known(kind: str) -> str:
    if kind not in FAULT_KINDS:
        raise ValueError(f"unknown fault {kind!r}; the faults are {', '.join(FAULT_KINDS)}")
    return kind


def _parts_of_one(value: Any) -> Any:
    """A share from `50%`; anything else unchanged."""
    percent = re.fullmatch(r"(\d+(?:\.\d+)?)\s*%", str(value).strip())
    return float(percent[1]) / 100 if percent else value


Share = Annotated[float, BeforeValidator(_parts_of_one), Field(gt=0, le=1)]


class Fault(Strict):
    """A fault that begins `at` a second of the measured time and lasts for `length` seconds.

    kill: kills connections of the run on the server: all, a `share` or a number of `connections`.
    restart: shuts the server down, and starts it again after the length. freeze: stops its process,
    then continues it. refuse: refuses new connections. connect-delay: makes each new connection
    `delay` slower. latency: delays all data by `delay`, each way. idle-drop: closes a connection
    that was idle for `idle`. max-connections: lowers the server's max_connections.
    connect-delay, latency and idle-drop last for the whole run unless they have a length.
    """

    kind: Annotated[str, AfterValidator(_known)]
    at: Annotated[Seconds, Field(ge=0)] = 0.0
    length: Annotated[Seconds, Field(gt=0)] | None = None
    delay: Annotated[Seconds, Field(gt=0)] | None = None
    idle: Annotated[Seconds, Field(gt=0)] | None = None
    share: Share | None = None
    connections: Annotated[Whole, Field(ge=1)] | None = None

    @model_validator(mode="after")
    def _complete(self) -> Self:
        problems = [*self._wrong_length(), *self._wrong_settings()]
        if problems:
            raise ValueError("; ".join(problems))
        return self

    def _wrong_length(self) -> list[str]:
        length = self.of.length
        if length == "must" and self.length is None:
            return [f"{self.kind} needs a length"]
        if length == "none" and self.length is not None:
            return [f"{self.kind} has no length: it is over at once"]
        if self.lasting and self.at:
            return [f"{self.kind} with a start time also needs a length"]
        return []

    def _wrong_settings(self) -> list[str]:
        takes, given = self.of.takes, [n for n in _SETTINGS if getattr(self, n) is not None]
        wrong = [name for name in given if name not in takes]
        problems = [f"{self.kind} has no setting {', '.join(wrong)}"] if wrong else []
        if self.of.needs and takes and not set(given) & set(takes):
            problems.append(f"{self.kind} needs {takes[0]}")
        if len(given) - len(wrong) > 1:
            problems.append(f"{self.kind} accepts only one of {', '.join(takes)}")
        if self.kind == "max-connections" and 0 < self.value < LEAST_MAX_CONNECTIONS:
            problems.append(f"max_connections must be at least {LEAST_MAX_CONNECTIONS}")
        return problems

    @property
    def of(self) -> FaultKind:
        """The properties of its kind."""
        return FAULT_KINDS[self.kind]

    @property
    def lasting(self) -> bool:
        """Whether the fault lasts from the first second to the last."""
        return self.of.lasts and self.length is None

    @property
    def end(self) -> float:
        """The end of the fault, in seconds of the measured time; infinite if it lasts."""
        return math.inf if self.lasting else self.at + (self.length or 0.0)

    @property
    def value(self) -> float:
        """The value of its setting: seconds, a share or a number; zero without a setting."""
        found = [getattr(self, name) for name in _SETTINGS]
        return next((float(value) for value in found if value is not None), 0.0)

    def __str__(self) -> str:
        units = {"delay": f"{self.value:g}s", "idle": f"{self.value:g}s"}
        units |= {"share": f"{100 * self.value:g}%", "connections": f"{self.value:g}"}
        how = [f":{unit}" for name, unit in units.items() if getattr(self, name) is not None]
        at = "" if self.lasting else f"@{self.at:g}s"
        return "".join([self.kind, *how, at, f"+{self.length:g}s" if self.length else ""])


def check_faults(faults: Sequence[Fault], measured: float) -> None:
    """Raise ValueError if two faults overlap that cannot, or one ends too late.

    measured: the length of the measured time, in seconds.
    """
    for number, one in enumerate(faults):
        if not one.lasting and one.end > measured:
            raise ValueError(f"fault {one} ends after the measured time of {measured:g} s")
        for other in faults[number + 1 :]:
            same = one.kind == other.kind or {one.kind, other.kind} == {"freeze", "restart"}
            if same and one.at < other.end and other.at < one.end:
                raise ValueError(f"faults {one} and {other} overlap: move one of them")


def parse_fault(text: str) -> Fault:
    """A fault from the command line: `KIND`, `:` how, `@` time, `+` length, as in `kill:50%@5s`.

    Raises UsageError if the text is not a fault.
    """
    match = _FAULT.match(text.strip())
    if not match:
        raise UsageError(f"--fault {text}: {_HOW}")
    data = {name: value for name, value in match.groupdict().items() if value is not None}
    if how := data.pop("how", ""):
        takes = FAULT_KINDS[data["kind"]].takes if data["kind"] in FAULT_KINDS else ()
        data["share" if "share" in takes and "%" in how else (*takes, "delay")[0]] = how
    return validated(Fault, data, f"--fault {text}")
