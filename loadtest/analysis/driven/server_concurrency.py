"""How many requests one process of a driven application serves at once."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from pathlib import PurePath
from typing import Any

from loadtest.analysis.pool_runs import PoolRuns
from loadtest.model.driven_summary import Concurrency
from loadtest.runfile.driven_schema import DrivenPart

GUNICORN_VARIABLE = "GUNICORN_CMD_ARGS"
# Starlette runs routes that are no coroutines in AnyIO's threads, which are that many.
STARLETTE_THREADS = 40
MEASURED_AT_ONCE = "measured"
# Programs with an option for the threads of a process, and those that run ASGI applications.
_OPTIONS = {"gunicorn": "--threads", "waitress-serve": "--threads", "uwsgi": "--threads"}
_ASGI = {"uvicorn", "hypercorn", "daphne", "granian", "fastapi"}
_WORKER_CLASS = ("-k", "--worker-class")
_THREADED = ("", "sync", "gthread")


def configured_threads(words: Sequence[str], variables: Mapping[str, str]) -> Concurrency | None:
    """The threads of a server that its command or its variable sets; None if neither does.

    words: of the command. Options in a file of settings are unknown here.
    """
    program = _program(words)
    arguments = [*words]
    if program == "gunicorn":  # the command comes last, and wins
        arguments = [*_split(variables.get(GUNICORN_VARIABLE, "")), *words]
        if _value(arguments, *_WORKER_CLASS) not in _THREADED:
            return None
    option = _OPTIONS.get(program, "")
    number = _value(arguments, option) if option else ""
    if not number.isdecimal() or not int(number):
        return None
    return Concurrency(requests=int(number), source=f"{program} {option}")


def thread_facts(words: Sequence[str], variables: Mapping[str, str]) -> dict[str, Any]:
    """The same as fields of `DrivenPart`; none without an option."""
    found = configured_threads(words, variables)
    return {"threads": found.requests, "threads_from": found.source} if found else {}


def driven_part(pool: PoolRuns) -> DrivenPart | None:
    """The application that the runs of a pool drove, by the first header that has it."""
    return next((run.header.driven for run in pool.runs if run.header.driven), None)


def server_concurrency(pool: PoolRuns) -> Concurrency:
    """The most requests of one process that may need a connection at once.

    The threads that are set, those of Starlette, or else the most users of a pool that were
    measured: an upper bound.
    """
    driven = driven_part(pool)
    if driven and driven.threads:
        return Concurrency(requests=driven.threads, source=driven.threads_from)
    words = _split(driven.command) if driven else []
    if found := configured_threads(words, {}):
        return found
    if _runs_asgi(words) and _has_threaded_routes(pool):
        return Concurrency(requests=STARLETTE_THREADS, source="Starlette's threads")
    return Concurrency(requests=_most_at_once(pool), source=MEASURED_AT_ONCE)


def _most_at_once(pool: PoolRuns) -> int:
    """The most connections in use and checkouts waiting of one process in a second."""
    rows = [round_.of_pools for round_ in pool.rounds]
    most = [one.gauge("in_use").max + one.gauge("waiting").max for one in rows]
    return max((int(one.max(initial=0)) for one in most), default=0)


def _has_threaded_routes(pool: PoolRuns) -> bool:
    """Whether routes of Starlette used the pool, and all from threads: the driver blocks.

    Names of Django's routes do not begin with a slash.
    """
    routes = any(name.partition(" ")[2].startswith("/") for name in pool.tasks)
    in_loop = pool.settings.poolclass.startswith("Async") or pool.counters["blocking_checkouts"]
    return routes and not in_loop


def _runs_asgi(words: Sequence[str]) -> bool:
    program = _program(words)
    worker = _value(words, *_WORKER_CLASS) if program == "gunicorn" else ""
    return program in _ASGI or "uvicorn" in worker.lower()


def _program(words: Sequence[str]) -> str:
    """The name of a program, also as `python -m NAME`."""
    if not words:
        return ""
    name = PurePath(words[0]).name
    if name.startswith("python") and "-m" in words[1:-1]:
        name = words[words.index("-m") + 1].partition(".")[0]
    return "waitress-serve" if name == "waitress" else name


def _value(words: Sequence[str], *options: str) -> str:
    """The last value of an option; empty without it."""
    found = ""
    for word, after in zip(words, [*words[1:], ""], strict=True):
        name, equals, value = word.partition("=")
        if name in options:
            found = value if equals else after
    return found


def _split(text: str) -> list[str]:
    try:
        return shlex.split(text)
    except ValueError:  # the server refuses it, too
        return []
