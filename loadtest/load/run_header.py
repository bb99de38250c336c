"""The first line of a result file, written before the run begins."""

from __future__ import annotations

import shlex
from argparse import Namespace
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from loadtest.database.application import Application
from loadtest.database.preflight.server_probe import ServerFacts
from loadtest.load.locust_internals import processes, target_users
from loadtest.load.options.pool_options import pool_default
from loadtest.load.options.run_options import Added, actions, stages_of, warmup_seconds
from loadtest.load.users.user_levels import other_classes
from loadtest.model.fault import parse_fault
from loadtest.model.load import GREENLETS, Stage, highest_level, start_command
from loadtest.model.pool import PoolConfig
from loadtest.model.server_name import parse_server
from loadtest.runfile.folders import as_typed

# The options that belong to this machine or this run only.
_NOT_REPEATED = {
    "database_url",
    "results",
    "metrics_port",
    "run_name",
    "round",
    "private_server",
    "faults",
    "rate_shared_by",
}

# Of the pool of a driven application, which only its recording knows.
_UNKNOWN_SIZES = {"pool_size": None, "max_overflow": None}


def header(
    environment: Any,
    options: Namespace,
    added: Added,
    pool: PoolConfig,
    server: ServerFacts,
    application: Application | None,
) -> dict[str, Any]:
    """The pool, the load, the scenario, the server, and the command to repeat the run."""
    runner = environment.runner
    files = [as_typed(Path(file)) for file in environment.parsed_locustfiles or []]
    users = target_users(runner) or options.num_users or 1
    if environment.shape_class:  # the target is the first number of the shape
        users = max(users, options.num_users or 0)
    model = getattr(runner, "model", GREENLETS)
    return {
        "pool": {**dict(pool), **(_UNKNOWN_SIZES if options.driving else {})},
        "application": application.name if application else None,
        "application_pool": application.settings if application else None,
        "driver": application.engine.dialect.driver if application else None,
        "load": {"model": model, **load_facts(options, users, processes(runner))},
        "scenario": {
            "files": files,
            "user_classes": [cls.__name__ for cls in environment.user_classes],
            "other_classes": other_classes(environment.user_classes),
            "options": {a.dest: getattr(options, a.dest) for a in actions(added.scenarios)},
        },
        "server": {
            "name": parse_server(options.server).name if options.server else "",
            "version": server.version,
            "private": options.private_server,
            "variables": server.variables,
            "lacks": list(server.lacks),
        },
        "command": options.driving or shlex.join(repeat_command(options, added, files, model)),
    }


def load_facts(options: Namespace, users: int, processes: int) -> dict[str, Any]:
    """The load of the options, for a result file; the duration is None without a limit."""
    warmup, limit = warmup_seconds(options), options.run_time
    stages = stages_of(options)
    closed = stages and stages[0].users
    return {
        "users": int(highest_level(stages)) if closed else users,
        "spawn_rate": options.spawn_rate,
        **_open_loop(options, stages),
        "stages": [stage.model_dump() for stage in stages],
        "duration": limit - warmup if limit else None,
        "warmup": warmup,
        "prefill": options.prefill,
        "seed": options.seed,
        "processes": processes,
        "faults": [
            parse_fault(text).model_dump(exclude_none=True) for text in options.faults.split()
        ],
    }


def _open_loop(options: Namespace, stages: Sequence[Stage]) -> dict[str, Any]:
    opened = options.arrival_rate or (stages and stages[0].users is None)
    said = {"arrivals": options.arrivals, "drop_after": options.drop_after} if opened else {}
    return {"arrival_rate": options.arrival_rate or None, **said}


def repeat_command(
    options: Namespace, added: Added, files: list[str], model: str = GREENLETS
) -> list[str]:
    """The command line that repeats this run; it never contains a password."""
    command = [*start_command(model), "-f", ",".join(files), "--headless"]
    command += ["-u", str(options.num_users or 1), "-r", f"{options.spawn_rate or 1:g}"]
    if options.run_time:
        command += ["-t", f"{options.run_time}s"]
    if options.processes:
        command += ["--processes", str(options.processes)]
    for action in actions([*added.own, *added.scenarios]):
        value = getattr(options, action.dest, action.default)
        default = pool_default(options, action.dest, action.default)
        if action.dest in _NOT_REPEATED or value == default:
            continue
        first, last = action.option_strings[0], action.option_strings[-1]  # `--x`, `--no-x`
        command += [first if value else last] if isinstance(value, bool) else [last, str(value)]
    return command + list(options.user_classes or [])
