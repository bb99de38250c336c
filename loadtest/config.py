"""What a person configures: a pool, a load, an experiment. Frozen, strict, all mistakes at once."""

from __future__ import annotations

import re
import tomllib
from collections import Counter
from pathlib import Path
from typing import Annotated, Any, Literal, NamedTuple, Self

from pydantic import AfterValidator, BeforeValidator, Field, model_validator

from loadtest import faults
from loadtest.errors import UsageError
from loadtest.faults import Fault
from loadtest.fields import Name, Positive, Seconds, Strict, Whole, validated
from loadtest.loads import LoadConfig
from loadtest.objectives import parse_objective
from loadtest.servers import Servers, parse_server

_SHORT_POOL = re.compile(r"^(\d+)\+(\d+|inf)$")
# An application's own pool, whatever its class.
AS_IS = "as-is"
# As many rounds as it takes to decide; after how many that is looked at.
AUTO = "auto"
LOOKS = (5, 10, 15, 20)
# A difference that is surely smaller than this is none that anybody should act on.
MARGIN = 0.05
POOLCLASSES = ("QueuePool", "NullPool", "FairPool", AS_IS)
_POOLCLASSES = "QueuePool, NullPool or FairPool"
_ONE_CONNECTION = ("StaticPool", "AssertionPool")
_SHORT_NAMES = {"QueuePool": "", "FairPool": "fair-"}
_QUEUE_ONLY = {"pool_size", "max_overflow", "pool_timeout", "pool_use_lifo"}
ResetOnReturn = Literal["rollback", "commit", "none"]
IsolationLevel = Literal[
    "READ UNCOMMITTED", "READ COMMITTED", "REPEATABLE READ", "SERIALIZABLE", "AUTOCOMMIT"
]


def _known_poolclass(name: str) -> str:
    if name in ("StaticPool", "SingletonThreadPool", "AssertionPool"):
        raise ValueError(f"{name} is not made for many users at once; use {_POOLCLASSES}")
    if name not in POOLCLASSES:
        raise ValueError(f"unknown pool class {name!r}; use {_POOLCLASSES}")
    return name


class PoolConfig(Strict):
    """A connection pool's settings under the names that `sqlalchemy.create_engine` gives them.

    name: what reports call it; without one, the short form (`5+10`, `3000+inf`, `nullpool`).
    Times are seconds.
    """

    name: Name = ""
    poolclass: Annotated[str, AfterValidator(_known_poolclass)] = "QueuePool"
    pool_size: Annotated[Whole, Field(ge=0)] = 5
    max_overflow: Annotated[Whole, Field(ge=-1)] = 10
    pool_timeout: Annotated[Seconds, Field(ge=0)] = 30.0
    pool_recycle: Annotated[Whole, Field(ge=-1)] = -1
    pool_pre_ping: bool = False
    pool_use_lifo: bool = False
    pool_reset_on_return: ResetOnReturn = "rollback"
    isolation_level: IsolationLevel | None = None

    @model_validator(mode="after")
    def _short_form_as_name(self) -> Self:
        if "name" not in self.model_fields_set:
            overflow = "inf" if self.max_overflow == -1 else self.max_overflow
            queue = f"{_SHORT_NAMES.get(self.poolclass, '')}{self.pool_size}+{overflow}"
            others = {"NullPool": "nullpool", AS_IS: AS_IS}
            short = others.get(self.poolclass, queue)
            object.__setattr__(self, "name", short)  # from here on it is frozen
        return self

    @model_validator(mode="after")
    def _possible(self) -> Self:
        queue_only = sorted(self.model_fields_set & _QUEUE_ONLY)
        if self.poolclass == "NullPool" and queue_only:
            raise ValueError(f"NullPool keeps no connections and takes no {', '.join(queue_only)}")
        changed = sorted(self.model_fields_set - {"name", "poolclass"})
        if self.poolclass == AS_IS and changed:
            raise ValueError(f"{AS_IS} is a pool with settings, it takes no {', '.join(changed)}")
        return self

    @property
    def most_connections(self) -> int | None:
        """The most connections one process can open; None where nothing limits it."""
        if self.poolclass in _ONE_CONNECTION:
            return 1
        unknown = self.poolclass in ("NullPool", AS_IS)
        if unknown or not self.pool_size or self.max_overflow == -1:
            return None
        return self.pool_size + self.max_overflow

    @property
    def kept_connections(self) -> int | None:
        """The most idle connections one process keeps; None where nothing limits it."""
        if self.poolclass == "NullPool":
            return 0
        return 1 if self.poolclass in _ONE_CONNECTION else self.pool_size or None

    def connections_for(self, users: int) -> int:
        """The most connections that this many users of one process can have at once."""
        most = self.most_connections
        return users if most is None else min(users, most)

    def renamed(self, name: str) -> PoolConfig:
        """The same settings under another name."""
        return self.model_copy(update={"name": name})

    def arguments(self) -> dict[str, Any]:
        """The settings as keyword arguments by name, those that this pool class takes."""
        if self.poolclass == AS_IS:
            return {"poolclass": AS_IS}
        left_out = {"name"} | (_QUEUE_ONLY if self.poolclass == "NullPool" else set())
        return self.model_dump(exclude=left_out)

    def check_application(self, application: str) -> None:
        """Raise ValueError if this pool does not go with an application; empty: there is none."""
        if self.poolclass == AS_IS and not application:
            raise ValueError(f"{AS_IS} is an application's own pool; name its engine or session")
        if self.isolation_level and application:
            raise ValueError("isolation_level is the application's own matter; leave it out")


def _some(pools: Any) -> Any:
    # Not a minimum length: pydantic counts the sound ones, and would complain of the others twice.
    if not pools:
        raise ValueError("there is no pool; add a [[pool]]")
    if not isinstance(pools, list | tuple):
        raise ValueError("write [[pool]], with two brackets, above each pool")
    return pools


def _number_of_rounds(value: Any) -> int | Literal["auto"]:
    if value == AUTO:
        return "auto"
    if isinstance(value, bool) or not re.fullmatch(r"[1-9]\d*", str(value)):
        raise ValueError(f"{value!r} is no number of rounds; write 5, or auto for what it takes")
    return int(value)


def _sound_objective(text: str) -> str:
    try:
        parse_objective(text)
    except UsageError as error:
        raise ValueError("; ".join(error.problems)) from None
    return text


class Subject(NamedTuple):
    """What a run measures: a pool, the model of its users, and the private server's program.

    server: as the experiment names it; empty for what is installed.
    """

    pool: PoolConfig
    model: str
    server: str = ""


class Experiment(Strict):
    """A scenario under one load with several pools, repeated in rounds.

    session, engine: where an application's own is, MODULE:NAME; at most one of them.
    server: the server programs of private servers; empty: what is installed.
    objective: what a pool must keep to. margin: the share by which two may differ and count as
    equal.
    """

    name: Name
    scenario: Path
    user_classes: tuple[str, ...] = ()
    rounds: Annotated[int | Literal["auto"], BeforeValidator(_number_of_rounds)] = 5
    seed: Whole = 1
    baseline: str = ""
    objective: Annotated[str, AfterValidator(_sound_objective)] = ""
    margin: Annotated[Positive, Field(lt=1)] = MARGIN
    session: str = ""
    engine: str = ""
    server: Servers = ()
    load: LoadConfig = LoadConfig()
    options: dict[str, str | int | float | bool] = Field(default_factory=dict)
    fault: tuple[Fault, ...] = ()
    pool: Annotated[tuple[PoolConfig, ...], BeforeValidator(_some)]

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        faults.check(self.fault, self.load.duration)
        self._check_application()
        self._check_servers()
        self._check_names()
        self._check_objective()
        if (seconds := self.load.warmup + self.load.duration) % 1:
            raise ValueError(
                f"load: warm-up and duration are {seconds:g} s together; write whole seconds"
            )
        return self

    def _check_application(self) -> None:
        for pool in self.pool:
            pool.check_application(self.application)
        if self.application and self.fault:
            raise ValueError(f"fault {self.fault[0]}: not with an application's own database")

    def _check_servers(self) -> None:
        if len(self.server) > 1 and len(self.load.models) > 1:
            raise ValueError("compare several servers, or several models of users, not both")

    def _check_names(self) -> None:
        names = [subject.pool.name for subject in self.subjects]
        problems = [
            f"two pools have the name {name!r}; give one of them another"
            for name, count in Counter(names).items()
            if count > 1
        ]
        given = [pool.name for pool in self.pool]
        if self.baseline and self.baseline not in given:
            problems.append(f"the baseline {self.baseline!r} is none of the pools {given}")
        if problems:
            raise ValueError("; ".join(problems))

    def _check_objective(self) -> None:
        stages = [stage.name for stage in self.load.stage]
        for bound in parse_objective(self.objective):
            kind, _, rest = bound.path.partition(".")
            if kind == "stages" and rest.partition(".")[0] not in stages:
                there = ", ".join(stages) or "none"
                raise ValueError(f"objective {bound.text!r}: the stages of this load: {there}")

    @property
    def application(self) -> str:
        """The application that is measured, as it was named; empty if there is none."""
        return self.session or self.engine

    @property
    def looks(self) -> tuple[int, ...]:
        """After how many rounds it is asked whether they are enough; the last are all there are."""
        return LOOKS if self.rounds == "auto" else (self.rounds,)

    @property
    def servers(self) -> tuple[str, ...]:
        """The server programs, each as it was named; an empty one for what is installed."""
        return self.server or ("",)

    @property
    def subjects(self) -> tuple[Subject, ...]:
        """What is measured in each round: every pool, with every model of users, on every server.

        The pools of all models and servers but the first have these at the end of their names.
        """
        variants = [(model, server) for model in self.load.models for server in self.servers]
        return tuple(
            Subject(self._variant(pool, model, server), model, server)
            for pool in self.pool
            for model, server in variants
        )

    def _variant(self, pool: PoolConfig, model: str, server: str) -> PoolConfig:
        own = [model] if model != self.load.models[0] else []
        own += [parse_server(server).name] if server != self.servers[0] else []
        return pool.renamed(".".join([pool.name, *own])) if own else pool

    def with_model(self, model: str) -> Experiment:
        """The same with another model of users, or several; raises UsageError if there is none."""
        load = self.model_dump(exclude_unset=True).get("load", {})
        return self.changed(f"--model {model}", load={**load, "model": model})

    def changed(self, where: str, **settings: Any) -> Experiment:
        """The same with other settings; raises UsageError, which says where, if they are wrong."""
        data = self.model_dump(exclude_unset=True)
        return validated(Experiment, {**data, **settings}, where)


def parse_pool(text: str) -> PoolConfig:
    """A pool from the command line: `20+0`, `small:20+0`, `pool_size=20,max_overflow=0`, `as-is`.

    Raises UsageError with everything that is wrong with it.
    """
    where = f"--pool {text}"
    head, colon, rest = text.partition(":")
    data: dict[str, str] = {"name": head} if colon else {}
    settings = rest if colon else text
    short = _SHORT_POOL.match(settings.strip())
    if settings.strip() == AS_IS:
        data["poolclass"] = AS_IS
    elif short:
        data |= {"pool_size": short[1], "max_overflow": "-1" if short[2] == "inf" else short[2]}
    else:
        _add_settings(data, settings, where)
    return validated(PoolConfig, data, where)


def _add_settings(data: dict[str, str], settings: str, where: str) -> None:
    for part in settings.split(","):
        key, equals, value = (piece.strip() for piece in part.partition("="))
        if not equals:
            raise UsageError(
                f"{where}: {part!r} is not a setting; write 20+0 on its own, or "
                "pool_size=20,max_overflow=0"
            )
        if key in data:
            raise UsageError(f"{where}: {key} is given twice")
        data[key] = value


def read_experiment(path: Path) -> Experiment:
    """The experiment in a TOML file, its scenario as a path that exists.

    Raises UsageError with the file's name and each key that is wrong.
    """
    try:
        data = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise UsageError(f"{path}: cannot be read: {error.strerror}") from None
    except UnicodeDecodeError:
        raise UsageError(f"{path}: cannot be read: it is no text in UTF-8") from None
    except (ValueError, RecursionError) as error:  # not all of them TOMLDecodeErrors
        raise UsageError(f"{path}: not valid TOML: {error}") from None
    experiment = validated(Experiment, data, str(path))
    scenario = path.parent / experiment.scenario
    if not _is_file(scenario):
        raise UsageError(f"{path}: scenario: there is no file {scenario}")
    return experiment.model_copy(update={"scenario": scenario})


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except OSError:  # no file could have such a name
        return False
