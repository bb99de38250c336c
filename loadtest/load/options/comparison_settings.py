"""The settings of this Locust process that a comparison from the live page takes over."""

from __future__ import annotations

import shlex
import sys
from argparse import Namespace
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from loadtest.live.comparing.comparison_form import ServedSettings
from loadtest.load import locust_internals as internals
from loadtest.load.options.pool_options import pool_config
from loadtest.load.options.run_options import Added, Group, warmup_seconds
from loadtest.load.setup.database_setup import DatabaseSetup
from loadtest.load.web_ui_internals import selectable_classes
from loadtest.model.command_words import pool_text
from loadtest.model.errors import UsageError
from loadtest.model.load import GREENLETS, LoadConfig
from loadtest.model.pool import PoolConfig
from loadtest.runfile.folders import as_typed

_ROUNDS, _OTHER_POOLS = "5", ("20+0", "5+10")
# The defaults of these options; `loadtest compare` has defaults of its own.
_NO_WARMUP, _FIRST_SEED = "0s", 1
_CHOSEN_USERS = (
    "Locust was started for some user classes only ({names}), but a comparison runs all users of a "
    "scenario: start Locust without names of classes, or run loadtest compare with an experiment "
    "that has user_classes."
)
_ONE_FILE = (
    "Locust was started with a file for results ({file}), but a comparison has several runs: start "
    "Locust with a folder as --results."
)
_LOOPBACK = ("127.", "localhost", "::1")


def served_settings(environment: Any, database: DatabaseSetup, added: Added) -> ServedSettings:
    """The current settings; database: that of this process. added: the added options.

    A private server of this process is not taken over: a comparison starts its own.
    """
    options = environment.parsed_options
    # A picked class is no limit: the class picker chooses again before each run.
    classes = selectable_classes(environment.web_ui)
    scenarios = {
        as_typed(file): list(_of_scenario(file, classes, options, added))
        for file in _files(environment, classes)
    }
    return ServedSettings(
        scenarios=scenarios,
        defaults={"scenario": next(iter(scenarios), ""), **_defaults(environment, options)},
        load=_load(environment, options),
        more=_more(options),
        allowed=database.allowed,
        database_url="" if database.server else options.database_url,
        results=options.results,
        refusal=_refusal(options),
        local=not options.web_login and options.web_host.startswith(_LOOPBACK),
    )


def _refusal(options: Namespace) -> str:
    """Why a comparison is not possible with these options; empty if it is."""
    if options.results.endswith(".jsonl"):
        return _ONE_FILE.format(file=options.results)
    if options.user_classes and not options.class_picker:
        return _CHOSEN_USERS.format(names=", ".join(options.user_classes))
    return ""


def _files(environment: Any, classes: Sequence[type]) -> list[Path]:
    """The locustfiles that define users; all of them, if their users are defined elsewhere."""
    given = [Path(file) for file in environment.parsed_locustfiles or []]
    homes = {_home(cls) for cls in classes}
    return [file for file in given if file.resolve() in homes] or given


def _home(cls: type) -> Path | None:
    """The file that defines a class; None if it has none."""
    file = getattr(sys.modules.get(cls.__module__), "__file__", None)
    return Path(file).resolve() if file else None


def _of_scenario(
    file: Path, classes: Sequence[type], options: Namespace, added: Added
) -> Iterator[str]:
    """The values of its options that differ from their defaults, as NAME=VALUE."""
    users = [cls for cls in classes if _home(cls) == file.resolve()]
    for group in added.scenarios:
        own = group.scenario or object
        if any(issubclass(cls, own) for cls in users or classes):
            yield from _changed(group, options)


def _changed(group: Group, options: Namespace) -> Iterator[str]:
    for action in group.actions:
        value = getattr(options, action.dest, action.default)
        if value == action.default:
            continue
        first, last = action.option_strings[0], action.option_strings[-1]  # `--x`, `--no-x`
        if isinstance(value, bool):
            yield f"{(first if value else last).lstrip('-')}=true"
        else:
            yield f"{last.lstrip('-')}={value}"


def _load(environment: Any, options: Namespace) -> dict[str, Any]:
    """The load besides its users and its measured time; stages are left out, they set both."""
    model = getattr(environment.runner, "model", GREENLETS)
    given = {
        "warmup": options.warmup if options.warmup != _NO_WARMUP else None,
        "prefill": options.prefill or None,
        "model": model if model != GREENLETS else None,
    }
    if options.arrival_rate:
        given |= {"arrival_rate": options.arrival_rate, "arrivals": options.arrivals}
    return {name: value for name, value in given.items() if value is not None}


def _more(options: Namespace) -> dict[str, Any]:
    """The application under test, the private server's program, and the seed, if they are given."""
    given = {name: getattr(options, name) for name in ("session", "engine", "server")}
    given["seed"] = options.seed if options.seed != _FIRST_SEED else None
    return {name: value for name, value in given.items() if value}


def _defaults(environment: Any, options: Namespace) -> dict[str, str]:
    """The values of the form's other fields at first: those of the run, or the usual ones."""
    load = LoadConfig()
    users = internals.target_users(environment.runner) or options.num_users or load.users
    return {
        "pools": " ".join(_two_pools(options)),
        "rounds": _ROUNDS,
        "duration": f"{_measured_seconds(options) or load.duration:g}s",
        "users": str(users),
    }


def _two_pools(options: Namespace) -> list[str]:
    """The current pool, and one to compare it with."""
    try:
        pool = pool_config(options)
    except UsageError:
        return list(_OTHER_POOLS)
    if not (options.session or options.engine) and pool.poolclass != "NullPool":
        sizes = {"pool_size": pool.pool_size, "max_overflow": pool.max_overflow}
        pool = PoolConfig(name=pool.name, **{**pool.named, **sizes})
    first = pool_text(pool)
    return [shlex.quote(first), next(other for other in _OTHER_POOLS if other != first)]


def _measured_seconds(options: Namespace) -> float:
    """The measured time of the current options; 0 if it has no limit."""
    try:
        return max(0.0, (options.run_time or 0) - warmup_seconds(options))
    except UsageError:
        return 0.0
