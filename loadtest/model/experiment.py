"""A scenario under one load with several pools, and the TOML file that describes it."""

from __future__ import annotations

import tomllib
from collections import Counter
from pathlib import Path
from typing import Annotated, Any, NamedTuple, Self

from pydantic import Field, model_validator

from loadtest.model import fault
from loadtest.model.driven_application import DrivenApplication, application_names
from loadtest.model.errors import UsageError
from loadtest.model.experiment_fields import (
    Applications,
    ObjectiveText,
    OptionValue,
    Rounds,
    SomePools,
)
from loadtest.model.fault import Fault
from loadtest.model.field_types import Name, Positive, Strict, Whole, validated
from loadtest.model.load import GREENLETS, LoadConfig
from loadtest.model.objective import of_request, parse_objective
from loadtest.model.pool import PoolConfig
from loadtest.model.server_name import ServerNames, parse_server
from loadtest.model.suggestion import did_you_mean, did_you_mean_file

# `auto` runs as many rounds as a decision needs. Interim analyses follow these rounds.
AUTO = "auto"
INTERIM_ROUNDS = (5, 10, 15, 20)
# Differences smaller than this share do not matter in practice.
MARGIN = 0.05


def variant_name(pool: str, *variant: str) -> str:
    """The name in results of a pool with another model, or on another server, than the first.

    With several applications, every pool has such a name.
    """
    return ".".join([pool, *variant])


def with_processes_name(pool: str, number: int) -> str:
    """The name in results of a pool of a search, in an application with this many processes."""
    return variant_name(pool, "1-process" if number == 1 else f"{number}-processes")


class Subject(NamedTuple):
    """What a run measures: a pool, the model of its users, and the private server's program.

    server: as the experiment names it; empty for the installed one. application: the name of the
    application behind HTTP; empty without one or without a name.
    """

    pool: PoolConfig
    model: str
    server: str = ""
    application: str = ""


class Experiment(Strict):
    """A scenario under one load with several pools, repeated in rounds.

    session, engine: the address of an application's own, MODULE:NAME; at most one of them.
    application: those that the users drive over HTTP, if any; several are compared.
    server: the programs of private servers; empty: the installed one.
    objective: the limits that a pool must meet. margin: the share by which two pools may differ
    and still count as equal.
    """

    name: Name
    scenario: Path
    user_classes: tuple[str, ...] = ()
    rounds: Rounds = 5
    seed: Whole = 1
    baseline: str = ""
    objective: ObjectiveText = ""
    margin: Annotated[Positive, Field(lt=1)] = MARGIN
    session: str = ""
    engine: str = ""
    application: Applications = ()
    server: ServerNames = ()
    load: LoadConfig = LoadConfig()
    options: dict[str, OptionValue] = Field(default_factory=dict)
    fault: tuple[Fault, ...] = ()
    pool: SomePools

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        fault.check_faults(self.fault, self.load.duration)
        self._check_application()
        self._check_driven()
        self._name_applications()
        self._check_servers()
        self._check_names()
        self._check_objective()
        if (seconds := self.load.warmup + self.load.duration) % 1:
            raise ValueError(
                f"warm-up plus duration is {seconds:g} s: the sum must be whole seconds"
            )
        return self

    def _check_application(self) -> None:
        own = self.named_engine or ("behind HTTP" if self.application else "")
        for pool in self.pool:
            pool.check_application(own)
        if own:  # from here on it is frozen
            kept = tuple(pool.of_application() for pool in self.pool)
            object.__setattr__(self, "pool", kept)
        if self.named_engine and self.fault:
            raise ValueError(
                f"fault {self.fault[0]}: not possible on an application's own database"
            )

    def _check_driven(self) -> None:
        """Raise ValueError for settings that an application behind HTTP does not have."""
        load = self.load
        if not self.application:
            if load.processes > 1:
                raise ValueError("processes: requires an application behind HTTP (--app)")
            return
        other = {
            "session": self.session,
            "engine": self.engine,
            "several servers": self.server[1:],
            "prefill": load.prefill,
            "users as threads": load.models != (GREENLETS,),
        }
        if given := [name for name, used in other.items() if used]:
            raise ValueError(f"not possible with an application behind HTTP: {', '.join(given)}")
        if self.server and not any(one.needs_database for one in self.application):
            raise ValueError(
                "server: the application has a database of its own; put {database_url} into env to "
                "have a private server started"
            )

    def _name_applications(self) -> None:
        """Give each of several applications a name of its own."""
        given = self.application
        if len(given) < 2:
            return
        names = application_names([one.name for one in given], [one.command for one in given])
        named = zip(given, names, strict=True)
        kept = tuple(one.model_copy(update={"name": name}) for one, name in named)
        object.__setattr__(self, "application", kept)  # from here on it is frozen

    def _check_servers(self) -> None:
        if len(self.server) > 1 and len(self.load.models) > 1:
            raise ValueError("compare either several servers or several models of users, not both")

    def _check_names(self) -> None:
        names = [subject.pool.name for subject in self.subjects]
        problems = [
            f"two pools have the name {name!r}; rename one of them"
            for name, count in Counter(names).items()
            if count > 1
        ]
        given = [pool.name for pool in self.pool]
        if self.baseline and self.baseline not in given:
            near = did_you_mean(self.baseline, given)
            problems.append(f"the baseline {self.baseline!r} is not one of the pools {given}{near}")
        if problems:
            raise ValueError("; ".join(problems))

    def _check_objective(self) -> None:
        stages = [stage.name for stage in self.load.stage]
        for bound in parse_objective(self.objective):
            if of_request(bound.path) and not self.application:
                raise ValueError(
                    f"objective {bound.text!r}: requests have names only if they drive an "
                    "application behind HTTP"
                )
            kind, _, rest = bound.path.partition(".")
            name = rest.partition(".")[0]
            if kind == "stages" and name not in stages:
                there = f"{', '.join(stages) or 'none'}{did_you_mean(name, stages)}"
                raise ValueError(f"objective {bound.text!r}: unknown stage; this load has: {there}")

    @property
    def named_engine(self) -> str:
        """The application under test as the experiment names it; empty without one."""
        return self.session or self.engine

    @property
    def processes(self) -> tuple[int, ...]:
        """The numbers of processes of a driven application that are asked for; empty: any."""
        return tuple(number for one in self.application for number in one.processes)

    @property
    def interim_rounds(self) -> tuple[int, ...]:
        """The rounds after which an interim analysis decides whether to go on; the last ends it."""
        return INTERIM_ROUNDS if self.rounds == "auto" else (self.rounds,)

    @property
    def servers(self) -> tuple[str, ...]:
        """The server programs as the experiment names them; an empty one is the installed one."""
        return self.server or ("",)

    @property
    def subjects(self) -> tuple[Subject, ...]:
        """The runs of each round: every pool, with every model of users, server and application.

        The names of pools end in the model and the server, except for the first of each, and in the
        application, if there are several.
        """
        variants = [
            (model, server, application)
            for model in self.load.models
            for server in self.servers
            for application in [one.name for one in self.application] or [""]
        ]
        return tuple(
            Subject(self._variant(pool, *variant), *variant)
            for pool in self.pool
            for variant in variants
        )

    def _variant(self, pool: PoolConfig, model: str, server: str, application: str) -> PoolConfig:
        own = [model] if model != self.load.models[0] else []
        own += [parse_server(server).name] if server != self.servers[0] else []
        own += [application] if len(self.application) > 1 else []
        return pool.renamed(variant_name(pool.name, *own)) if own else pool

    @property
    def by_application(self) -> dict[str, Experiment]:
        """The experiment with each of its applications alone, by the application's name.

        Pools and baseline have the names that they have in results. Without several applications,
        it is this experiment.
        """
        if len(self.application) < 2:
            return {one.name: self for one in self.application} or {"": self}
        return {one.name: self._with_only(one) for one in self.application}

    def _with_only(self, application: DrivenApplication) -> Experiment:
        own = {
            "application": (application,),
            "pool": tuple(
                one.renamed(variant_name(one.name, application.name)) for one in self.pool
            ),
            "baseline": self.baseline and variant_name(self.baseline, application.name),
        }
        return self.model_copy(update=own)

    def with_processes(self, number: int) -> Experiment:
        """The same with one number of processes of its application."""
        own = tuple(one.with_processes(number) for one in self.application)
        return self.model_copy(update={"application": own})

    def with_model(self, model: str) -> Experiment:
        """The same with other models of users; raises UsageError for an unknown one."""
        load = self.model_dump(exclude_unset=True).get("load", {})
        return self.changed(f"--model {model}", load={**load, "model": model})

    def changed(self, where: str, **settings: Any) -> Experiment:
        """The same with other settings; raises UsageError, with `where`, if they are invalid."""
        data = self.model_dump(exclude_unset=True)
        return validated(Experiment, {**data, **settings}, where)


def read_experiment(path: Path) -> Experiment:
    """The experiment in a TOML file, its scenario as a path that exists.

    Raises UsageError with the file's name and each key that is wrong.
    """
    try:
        data = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        near = did_you_mean_file(path)
        raise UsageError(f"{path}: cannot be read: {error.strerror}{near}") from None
    except UnicodeDecodeError:
        raise UsageError(f"{path}: cannot be read: it is not text in UTF-8") from None
    except (ValueError, RecursionError) as error:  # not all of them TOMLDecodeErrors
        raise UsageError(f"{path}: not valid TOML: {error}") from None
    experiment = validated(Experiment, data, str(path))
    scenario = path.parent / experiment.scenario
    if not _is_file(scenario):
        near = did_you_mean_file(scenario)
        raise UsageError(f"{path}: scenario: there is no file {scenario}{near}")
    beside = [_beside(path.parent, one) for one in experiment.application]
    return experiment.model_copy(update={"scenario": scenario, "application": tuple(beside)})


def _beside(folder: Path, application: DrivenApplication) -> DrivenApplication:
    """An application whose working directory is relative to a folder."""
    if application.cwd is None:
        return application
    return application.model_copy(update={"cwd": folder / application.cwd})


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except OSError:  # no file could have such a name
        return False
