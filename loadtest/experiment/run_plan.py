"""The plan of one run, and the settings that its process gets."""

from __future__ import annotations

import json
import os
import shlex
from dataclasses import dataclass
from pathlib import Path

from pydantic import TypeAdapter

from loadtest.experiment import deadlines
from loadtest.experiment.driving.repeated_command import repeated_command
from loadtest.model.allowances import NO_ALLOWANCES, Allowances
from loadtest.model.command_words import option_words
from loadtest.model.experiment import Experiment
from loadtest.model.json_types import json_types
from loadtest.model.load import GREENLETS, LoadConfig, start_command
from loadtest.model.pool import PoolConfig
from loadtest.runfile.folders import as_typed

STOP_TIMEOUT_SECONDS = 10
# The time of a run besides its load: starting Locust, preparing tables, draining.
SECONDS_BESIDE_LOAD = 2.5
# The environment variables of the processes that check a scenario and that run it.
EXPERIMENT, RUN = "LOADTEST_EXPERIMENT", "LOADTEST_RUN"


@dataclass(frozen=True)
class RunPlan:
    """The plan of one run: experiment, pool, round, and the model of its users.

    experiment: with the application of the run, if there are several. server: the private server's
    program, as the experiment names it.
    """

    experiment: Experiment
    pool: PoolConfig
    round: int
    model: str = GREENLETS
    server: str = ""

    @property
    def seconds(self) -> float:
        """The duration of its load (s), including the warm-up."""
        return self.experiment.load.warmup + self.experiment.load.duration

    @property
    def limit(self) -> float:
        """The longest time that the run may take after its load begins (s)."""
        load = self.experiment.load
        planned = self.seconds + load.users / load.users_per_second + SECONDS_BESIDE_LOAD
        return planned + STOP_TIMEOUT_SECONDS + deadlines.MARGIN_SECONDS

    @property
    def seed(self) -> int:
        """The seed of the round: the same for all its pools, another for every round."""
        return self.experiment.seed + self.round - 1

    @property
    def database(self) -> str:
        """The key of its database among those of the experiment."""
        return next((one.name for one in self.experiment.application if one.name), self.server)

    def file_in(self, folder: Path) -> Path:
        """Its result file in a folder of results."""
        return folder / "runs" / f"{self.pool.name}-{self.round}.jsonl"

    def arguments(self) -> list[str]:
        """Locust's arguments that repeat this run."""
        experiment, load = self.experiment, self.experiment.load
        own_pool = bool(experiment.named_engine or experiment.application)
        arguments = ["-f", as_typed(experiment.scenario), "--headless", "--only-summary"]
        arguments += ["-u", str(load.users), "-r", f"{load.users_per_second:g}"]
        arguments += ["-t", f"{self.seconds:.0f}s", "--warmup", f"{load.warmup:g}s"]
        options = {
            **_load_options(load),
            "stop_timeout": STOP_TIMEOUT_SECONDS,
            "exit_code_on_error": 0,
            "seed": self.seed,
            "pool_name": self.pool.name,
            "session": experiment.session or None,
            "engine": experiment.engine or None,
            "server": self.server or None,
            **self._driving(),
            **_pool_options(self.pool, changes_only=own_pool),
            **experiment.options,
        }
        return [*arguments, *option_words(options), *experiment.user_classes]

    def command(self) -> str:
        """The command line that repeats this run by hand."""
        if self.experiment.application:
            return shlex.join(repeated_command(self.experiment, self.pool, self.seed))
        return shlex.join([*start_command(self.model), *self.arguments()])

    def _driving(self) -> dict[str, object]:
        """The options with which users drive an application; empty without one."""
        if not self.experiment.application:
            return {}
        (application,) = self.experiment.application
        return {"driving": self.command(), "host": application.origin}


def _load_options(load: LoadConfig) -> dict[str, object]:
    return {
        "arrival_rate": f"{load.arrival_rate:g}" if load.arrival_rate else None,
        "arrivals": load.arrivals,
        "drop_after": f"{load.drop_after:g}" if load.drop_after else None,
        "stages": ",".join(map(str, load.stage)) or None,
        "prefill": load.prefill,
        "processes": load.processes if load.processes > 1 else None,
    }


def _pool_options(pool: PoolConfig, *, changes_only: bool) -> dict[str, object]:
    """The pool's size and overflow, and the settings that differ from SQLAlchemy's defaults.

    changes_only: instead, the settings that are named; the others are an application's own.
    """
    if changes_only:
        off = {f"no_{name}": True for name, value in pool.named.items() if value is False}
        return {**pool.named, **off}
    default = PoolConfig()
    return {
        name: value
        for name, value in pool.arguments().items()
        if name in ("pool_size", "max_overflow") or value != getattr(default, name)
    }


@dataclass(frozen=True)
class RunSettings:
    """All settings of a run: its plan, its result file, and what the user allows on the server.

    private: whether the tool started the server. master_port: a free port, for a run of several
    processes.
    """

    plan: RunPlan
    result: Path
    private: bool = False
    allowed: Allowances = NO_ALLOWANCES
    master_port: int | None = None

    def arguments(self) -> list[str]:
        """Locust's arguments: those that repeat the run, its result file, and notes for it."""
        plan = self.plan
        here = {
            "results": self.result,
            "run_name": plan.experiment.name,
            "round": plan.round,
            "private_server": self.private,
            "master_bind_port": self.master_port,
            "master_port": self.master_port,
            # Only noted in the result: this tool provokes the faults, not Locust.
            "faults": " ".join(map(str, plan.experiment.fault)) or None,
        }
        return [*plan.arguments(), *option_words(here), *self.allowed.arguments()]

    def environment(self) -> dict[str, str]:
        """The environment variable that carries the settings to the process of the run."""
        return {RUN: json.dumps(json_types(_SETTINGS.dump_python, self, exclude_unset=True))}

    @staticmethod
    def taken() -> RunSettings | None:
        """The settings from this process's environment, which are removed; None without any."""
        told = os.environ.pop(RUN, "")
        return _SETTINGS.validate_json(told) if told else None


_SETTINGS = TypeAdapter(RunSettings)
