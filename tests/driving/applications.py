"""Applications behind HTTP as scripts, users that visit them, and commands that drive them."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from loadtest.model.interval import Interval
from loadtest.runfile.reader import Run, read_run
from tests.processes import Ended, ended_here, free_port

# A WSGI server with a thread for each request and a pool of two connections to a file. Each request
# of `/rows` takes a connection once. It stops on SIGTERM as servers do, by an exception.
ENGINE = """engine = create_engine(f"sqlite:///{sys.argv[2]}", pool_size=2, max_overflow=0)"""
APPLICATION = f"""
import os, signal, socketserver, sys
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server
from sqlalchemy import create_engine, text

{ENGINE}

class Server(socketserver.ThreadingMixIn, WSGIServer):
    daemon_threads = True

class Handler(WSGIRequestHandler):
    def log_message(self, *_):
        pass

def shop(environ, start_response):
    path = environ["PATH_INFO"]
    if path == "/rows":
        with engine.connect() as connection:
            connection.execute(text("SELECT 1")).all()
    if path == "/end":
        print("the last words", flush=True)
        os._exit(3)
    found = path in ("/health", "/rows")
    start_response("200 OK" if found else "404 Not Found", [("Content-Type", "text/plain")])
    return [b"ok"]

def stop(*_):
    raise SystemExit

signal.signal(signal.SIGTERM, stop)
print("listening", flush=True)
make_server("127.0.0.1", int(sys.argv[1]), shop, Server, Handler).serve_forever()
"""

VISITORS = """
from locust import HttpUser, constant, task

class Visitor(HttpUser):
    wait_time = constant(0.05)

    @task
    def rows(self):
        self.client.get({path!r})
"""


# The exit codes of a command that measured; on a busy machine the measurement may not be valid.
MEASURED = (0, 4)


class Driven(NamedTuple):
    """A command that has ended; results: the folder with its results."""

    process: Ended
    code: int
    results: Path
    ready: str

    @property
    def runs(self) -> Path:
        return next(self.results.glob("*-*/runs"))

    @property
    def run(self) -> Run:
        return read_run(self.runs / "as-is-1.jsonl")

    def of(self, role: str) -> list[Interval]:
        return [one for one in self.run.intervals if one.role == role]


def driving(
    folder: Path,
    *more: str,
    path: str = "/rows",
    command: Sequence[str] = (),
    engine: str = ENGINE,
    name: str = "run",
) -> tuple[str, list[str]]:
    """The URL of an application in a folder, and the arguments of `loadtest` that drive it."""
    (folder / "app.py").write_text(APPLICATION.replace(ENGINE, engine))
    (folder / "visitors.py").write_text(VISITORS.format(path=path))
    port = free_port()
    ready = f"http://127.0.0.1:{port}/health"
    words = command or [sys.executable, "app.py", str(port), "rows.db"]
    options = ["--app", shlex.join(words), "--ready", ready, "--warmup", "1s", *more]
    options += [] if "-u" in more else ["-u", "2"]
    return ready, [name, "visitors.py", "--no-try", *options]


def drive(
    folder: Path,
    *more: str,
    path: str = "/rows",
    command: Sequence[str] = (),
    engine: str = ENGINE,
    name: str = "run",
    env: dict[str, str] | None = None,
) -> Driven:
    """A command with two visitors of an application in a folder, at its end.

    engine: the code that makes its engine. name: the command's.
    """
    ready, arguments = driving(folder, *more, path=path, command=command, engine=engine, name=name)
    ended = ended_here(folder / "log", *arguments, cwd=folder, env=env)
    return Driven(ended, ended.code, folder / "reports", ready)
