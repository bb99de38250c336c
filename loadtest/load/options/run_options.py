"""The options that the plugin adds to Locust's command line and to the web UI's start form."""

from __future__ import annotations

import argparse
import math
from argparse import Namespace
from dataclasses import dataclass
from typing import Any

from loadtest.load.locust_internals import read_negations, show_in_form
from loadtest.load.options.pool_options import Asked, add_application, add_pool
from loadtest.model.errors import UsageError
from loadtest.model.field_types import parse_duration
from loadtest.model.load import (
    ARRIVALS,
    DROP_AFTER_SECONDS,
    Stage,
    highest_level,
    parse_stages,
    stages_seconds,
    users_for,
)

# As in this project's [tool.locust], which Locust reads in this folder only.
DEFAULTS = {
    "web_host": "127.0.0.1",
    "stop_timeout": 10.0,
    "exit_code_on_error": 0,
    "master_bind_host": "127.0.0.1",
}
ALLOWANCES = {
    "--allow-overload": "allow more than 80 %% of the free connections of your own server",
    "--no-abort": "continue if your own server refuses other clients or does not report its status",
    "--keep-tables": "keep the scenario's tables on your own server",
}
LoadParts = tuple[float, tuple[Stage, ...]]
"""The parts of a run: its warm-up (s), and the stages of the measured time after it."""


class Group:
    """A group of options in `--help`, each also a field of the web UI's start form.

    scenario: the class whose options these are, if any. actions: the options as argparse has them.
    """

    def __init__(self, parser: Any, title: str, scenario: type | None = None) -> None:
        self.title, self.scenario = title, scenario
        self._group = parser.add_argument_group(title)
        self.actions: list[Any] = []

    def add_argument(self, *flags: str, include_in_web_ui: bool = True, **arguments: Any) -> None:
        """Add an option as argparse does; include_in_web_ui: whether the start form shows it."""
        action = self._group.add_argument(*flags, **arguments)
        show_in_form(action, include_in_web_ui)
        self.actions.append(action)

    def concerns(self, classes: tuple[type, ...]) -> bool:
        """Whether a run of these user classes uses the options."""
        return self.scenario is None or any(issubclass(cls, self.scenario) for cls in classes)


@dataclass(frozen=True)
class Added:
    """The added options: those of the tool, and those of the scenarios."""

    own: list[Group]
    scenarios: list[Group]


def add_options(parser: Any, user_classes: list[Any]) -> Added:
    """Add the options of the pool, of the run and of the scenarios."""
    parser.set_defaults(**DEFAULTS)
    read_negations(parser)
    pool = Group(parser, "Connection pool (SQLAlchemy's own names)")
    run = Group(parser, "Load test")
    add_pool(pool)
    _load_group(run)
    _run_group(run)
    add_application(run)
    scenarios = [Group(parser, f"Scenario {cls.__name__}", cls) for cls in user_classes]
    for cls, group in zip(user_classes, scenarios, strict=True):
        cls.add_options(group)
    return Added([pool, run], scenarios)


def actions(groups: list[Group]) -> list[Any]:
    """The options of several groups, as argparse has them."""
    return [action for group in groups for action in group.actions]


def _load_group(group: Group) -> None:
    add = group.add_argument
    add(
        "--arrival-rate",
        type=float,
        default=0.0,
        help="offered rate: begin this many requests per second, even if earlier ones have not "
        "ended (open loop); 0: each user waits for its request to end (closed loop)",
    )
    add(
        "--arrivals",
        choices=ARRIVALS,
        default="poisson",
        help="open loop: arrivals independent of each other (poisson) or evenly spaced (even)",
    )
    add(
        "--drop-after",
        type=float,
        default=DROP_AFTER_SECONDS,
        help="open loop: drop an arrival that finds no free user within this many seconds",
    )
    add(
        "--stages",
        default="",
        help="load in stages: calm=10s:50/s,rush=5s:50-500/s (requests per second) or "
        "10s:20,10s:20-200 (users)",
    )
    add(
        "--rate-shared-by",
        type=int,
        default=1,
        help="processes that share the offered rate",
        include_in_web_ui=False,
    )


def _run_group(group: Group) -> None:
    add, hide = group.add_argument, {"include_in_web_ui": False}
    add(
        "--prefill",
        action="store_true",
        default=False,
        help="open pool_size connections before the load begins",
    )
    add(
        "--warmup",
        action=Asked,
        default="0s",
        help="time at the start that the results leave out",
    )
    add("--seed", type=int, default=1, help="seed of the users' random numbers")
    add(
        "--database-url",
        env_var="LOADTEST_DATABASE_URL",
        default="",
        help="mysql+pymysql://USER:PASSWORD@HOST/DATABASE (default: a private server)",
        **hide,
    )
    add(
        "--server",
        default="",
        help="server program of the private server: mariadb, mysql or a path (default: "
        "LOADTEST_SERVER, or the installed one; MariaDB if both are installed)",
        **hide,
    )
    add(
        "--results",
        default="reports",
        help="folder for results and report, or a .jsonl file for this run, without a report",
        **hide,
    )
    add(
        "--metrics-port",
        type=int,
        default=0,
        help="serve Prometheus metrics on this loopback port (the web UI serves them at /metrics)",
        **hide,
    )
    add("--run-name", default="", help="name of the results", **hide)
    add("--round", type=int, default=1, help="number of this round", **hide)
    add("--faults", default="", help="faults provoked during the run, for its header", **hide)
    add(
        "--private-server",
        action="store_true",
        default=False,
        help="the database server was started for this run only",
        **hide,
    )
    # The command that repeats the run; also the sign that the users drive an application.
    add("--driving", default="", help=argparse.SUPPRESS, **hide)
    for flag, text in ALLOWANCES.items():
        add(flag, action="store_true", default=False, help=text, **hide)
    add(
        "--connections-per-user",
        type=int,
        default=1,
        help="the most connections that one user holds at once, for the announced number",
        **hide,
    )


def stages_of(options: Namespace) -> tuple[Stage, ...]:
    """The stages of the options; raises UsageError if they are invalid."""
    stages = parse_stages(options.stages)
    wrong = {
        "--arrival-rate must not be negative": options.arrival_rate < 0,
        "--drop-after must be above zero": options.drop_after <= 0,
        "--arrival-rate: remove it, --stages sets the rate": bool(stages and options.arrival_rate),
    }
    if any(wrong.values()):
        raise UsageError(*(problem for problem, found in wrong.items() if found))
    return stages


def most_users(options: Namespace) -> int | None:
    """The most users of a run by its stages or its arrival rate; None without either."""
    stages = stages_of(options)
    most = highest_level(stages) if stages else options.arrival_rate
    return int(most) if stages and stages[0].users else users_for(most) if most else None


def settle(options: Namespace) -> None:
    """Fill in the number of users and the run time if they are not given."""
    stages = stages_of(options)
    if stages and stages[0].users:
        options.num_users = stages[0].users
    options.num_users = options.num_users or most_users(options)
    if options.num_users and (stages or options.arrival_rate):
        options.spawn_rate = options.spawn_rate or options.num_users
    if stages and not options.run_time:
        options.run_time = math.ceil(warmup_seconds(options) + stages_seconds(stages))


def warmup_seconds(options: Namespace) -> float:
    """The warm-up in seconds; raises UsageError if it leaves no time to measure."""
    try:
        warmup = parse_duration(options.warmup)
    except ValueError as error:
        raise UsageError(f"--warmup: {error}") from None
    if options.run_time and warmup >= options.run_time:
        raise UsageError(
            f"--warmup {warmup:g}s leaves no time to measure within --run-time {options.run_time}s"
        )
    return warmup


def parts_of(options: Namespace) -> LoadParts:
    """The parts of a run; raises UsageError if they are invalid."""
    return warmup_seconds(options), stages_of(options)
