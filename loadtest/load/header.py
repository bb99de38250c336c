"""What the first line of a result file says of a run before it begins."""

from __future__ import annotations

import shlex
from argparse import Namespace
from pathlib import Path
from typing import Any

from loadtest.config import PoolConfig
from loadtest.database.application import Application
from loadtest.database.preflight import ServerFacts
from loadtest.load.options import Added, actions, load_facts, repeat_command
from loadtest.loads import GREENLETS
from loadtest.results import as_typed


def header(
    environment: Any,
    options: Namespace,
    added: Added,
    pool: PoolConfig,
    server: ServerFacts,
    application: Application | None,
) -> dict[str, Any]:
    """What runs: on which pool, under which load, on which server, and how to do it again."""
    runner = environment.runner
    files = [as_typed(Path(file)) for file in environment.parsed_locustfiles or []]
    users = runner.target_user_count or options.num_users or 1
    model = getattr(runner, "model", GREENLETS)
    return {
        "pool": pool.model_dump(),
        "application": application.name if application else None,
        "load": {"model": model, **load_facts(options, users, runner.worker_count)},
        "scenario": {
            "files": files,
            "user_classes": [cls.__name__ for cls in environment.user_classes],
            "options": {a.dest: getattr(options, a.dest) for a in actions(added.scenarios)},
        },
        "server": {
            "version": server.version,
            "private": options.private_server,
            "variables": server.variables,
        },
        "command": shlex.join(repeat_command(options, added, files, model)),
    }
