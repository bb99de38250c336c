"""The options that the plugin adds to Locust's command line and to the web UI's start form."""

from __future__ import annotations

import math
from argparse import Namespace
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from loadtest.load.locust_internals import seconds_in, show_in_form
from loadtest.load.options.pool_options import add_application, add_pool, pool_config, settle_pool
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
    "--allow-overload": "on a server that others use, take more than 80 %% of the free connections",
    "--no-abort": "go on when that server refuses connections of others or cannot be watched",
    "--keep-tables": "leave the scenario's tables there at the end",
}
LoadParts = tuple[float, tuple[Stage, ...]]
"""What a run consists of: its warm-up (s), and the stages of the measured time after it."""
_NUMBERS: dict[type, str] = {int: "whole number", float: "number"}


class Group:
    """A group of options in `--help`, each also a field of the web UI's start form.

    actions: what was added, as argparse has it.
    """

    def __init__(self, parser: Any, title: str) -> None:
        self.title = title
        self._group = parser.add_argument_group(title)
        self.actions: list[Any] = []

    def add_argument(self, *flags: str, include_in_web_ui: bool = True, **arguments: Any) -> None:
        """As argparse's, and whether the start form shows it."""
        action = self._group.add_argument(*flags, **arguments)
        show_in_form(action, include_in_web_ui)
        self.actions.append(action)


@dataclass(frozen=True)
class Added:
    """The options that were added: of the tool, and of the scenarios."""

    own: list[Group]
    scenarios: list[Group]

    @property
    def headings(self) -> dict[str, str]:
        """The groups of the start form: their titles, each with the name of its first option."""
        shown = {
            group.title: [action.dest for action in group.actions if action.include_in_web_ui]
            for group in [*self.own, *self.scenarios]
        }
        return {title: names[0] for title, names in shown.items() if names}


def add_options(parser: Any, user_classes: list[Any]) -> Added:
    """Add the pool's options, the run's, and those that the scenarios bring."""
    parser.set_defaults(**DEFAULTS)
    pool = Group(parser, "Connection pool (SQLAlchemy's own names)")
    run = Group(parser, "Load test")
    add_pool(pool)
    _load_group(run)
    _run_group(run)
    add_application(run)
    scenarios = [Group(parser, f"Scenario {cls.__name__}") for cls in user_classes]
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
        help="open loop: begin this many tasks per second; users are the most tasks under way at "
        "once (0: closed loop, a user begins the next task when the last has ended)",
    )
    add(
        "--arrivals",
        choices=ARRIVALS,
        default="poisson",
        help="open loop: independent of each other (poisson) or evenly spaced (even)",
    )
    add(
        "--drop-after",
        type=float,
        default=DROP_AFTER_SECONDS,
        help="open loop: seconds after which an arrival that found no free user is dropped",
    )
    add(
        "--stages",
        default="",
        help="the load in stages, instead of one number: calm=10s:50/s,rush=5s:50-500/s "
        "(arrivals a second) or 10s:20,10s:20-200 (users)",
    )
    add(
        "--rate-shared-by",
        type=int,
        default=1,
        help="processes that share the arrival rate",
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
    add("--warmup", default="0s", help="time at the start that is kept out of the results")
    add("--seed", type=int, default=1, help="seed of the users' random numbers")
    add(
        "--database-url",
        env_var="LOADTEST_DATABASE_URL",
        default="",
        help="mysql+pymysql://USER:PASSWORD@HOST/DATABASE; without it a private server is started",
        **hide,
    )
    add(
        "--server",
        default="",
        help="program of the private server: mariadb, mysql or a path (LOADTEST_SERVER; default: "
        "what is installed, MariaDB if both are)",
        **hide,
    )
    add(
        "--results",
        default="reports",
        help="folder for results, or a .jsonl file for this run alone (then no report is made)",
        **hide,
    )
    add(
        "--metrics-port",
        type=int,
        default=0,
        help="serve Prometheus metrics on this loopback port (the web UI has them at /metrics)",
        **hide,
    )
    add("--run-name", default="", help="what the results are called", **hide)
    add("--round", type=int, default=1, help="which repetition this is", **hide)
    add("--faults", default="", help="faults that are provoked meanwhile, for the record", **hide)
    add(
        "--private-server",
        action="store_true",
        default=False,
        help="the database was started for this run alone",
        **hide,
    )
    for flag, text in ALLOWANCES.items():
        add(flag, action="store_true", default=False, help=text, **hide)


def check_form(options: Namespace, form: Mapping[str, str], added: Added) -> Namespace:
    """The options as a start form wants them.

    Raises UsageError with what is wrong in it; Locust would answer HTTP 500, or run.
    """
    wanted, wrong = dict(vars(options)), []
    for action in actions([*added.own, *added.scenarios]):
        name = action.dest
        if name not in form:
            continue
        try:
            wanted[name] = _typed(wanted[name], form[name])
        except ValueError:
            wrong.append(f"{name}: {form[name]!r} is not a {_NUMBERS[type(wanted[name])]}")
    if wrong:
        raise UsageError("; ".join(wrong))
    wanted["run_time"] = _seconds(form.get("run_time", ""))
    result = Namespace(**wanted)
    pool_config(result)
    warmup_seconds(result)
    stages_of(result)
    return result


def _typed(known: Any, text: str) -> Any:
    """A field's text as a value like the one it replaces; ValueError if it is none."""
    if isinstance(known, bool):
        return text == "true"
    return type(known)(text) if type(known) in _NUMBERS else text


def _seconds(run_time: str) -> int | None:
    """A run time as Locust reads it; None if there is none, or none that it can read."""
    try:
        return seconds_in(run_time) if run_time else None
    except ValueError:
        return None  # Locust answers this one itself


def stages_of(options: Namespace) -> tuple[Stage, ...]:
    """The stages that the options ask for; UsageError if they cannot be."""
    stages = parse_stages(options.stages)
    if options.arrival_rate < 0 or options.drop_after <= 0:
        raise UsageError("--arrival-rate and --drop-after: a number above zero")
    if stages and options.arrival_rate:
        raise UsageError("--arrival-rate: the stages say that")
    return stages


def most_users(options: Namespace) -> int | None:
    """How many users a run has at most by its stages or its arrival rate; None if by neither."""
    stages = stages_of(options)
    most = highest_level(stages) if stages else options.arrival_rate
    return int(most) if stages and stages[0].users else users_for(most) if most else None


def settle(options: Namespace) -> None:
    """Fill in the pool, the number of users and the run time where they were left open."""
    settle_pool(options)
    stages = stages_of(options)
    if stages and stages[0].users:
        options.num_users = stages[0].users
    options.num_users = options.num_users or most_users(options)
    if options.num_users and (stages or options.arrival_rate):
        options.spawn_rate = options.spawn_rate or options.num_users
    if stages and not options.run_time:
        options.run_time = math.ceil(warmup_seconds(options) + stages_seconds(stages))


def warmup_seconds(options: Namespace) -> float:
    """How long the warm-up is, in seconds; UsageError if it leaves no time to measure."""
    try:
        warmup = parse_duration(options.warmup)
    except ValueError as error:
        raise UsageError(f"--warmup: {error}") from None
    if options.run_time and warmup >= options.run_time:
        raise UsageError(
            f"--warmup {warmup:g}s leaves nothing to measure of --run-time {options.run_time}s"
        )
    return warmup


def parts_of(options: Namespace) -> LoadParts:
    """The parts of a run; UsageError if they cannot be."""
    return warmup_seconds(options), stages_of(options)
