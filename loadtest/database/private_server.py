"""The private server, MariaDB or MySQL, that the tool starts if no database is given."""

from __future__ import annotations

import os
import pwd
import resource
import secrets
import shlex
import shutil
import socket
import subprocess
import tempfile
import time
from contextlib import suppress
from pathlib import Path

import psutil
import pymysql
from sqlalchemy import URL

from loadtest.database import server_program, supervisor
from loadtest.database.engine import DRIVER
from loadtest.database.server_program import ServerProgram
from loadtest.model.errors import LoadtestError, UsageError

MOST_CONNECTIONS = 10_000
READY_SECONDS = 60.0
DATABASE = USER = "loadtest"
_START = "start.sql"
# The shell takes the first statements from its environment, because arguments are public.
_START_VARIABLE = "LOADTEST_FIRST_STATEMENTS"
# Files that the server opens in addition to its connections: tables, logs, listening sockets.
_PRIVATE_SERVER_FILES = 1_500


class PrivateServer:
    """A server that only the tool uses, on a free loopback port, with a random password.

    The server ends and its folder is removed on close(), or when this process ends in any way.
    connections: how many a run may open. server: mariadb, mysql or the path of a server program; by
    default the installed one. Raises UsageError if there is no usable server program, the file
    limit is too low or the disk too full; LoadtestError if the server does not start.
    """

    def __init__(self, connections: int = 0, server: str = "") -> None:
        self.limit = _connection_limit()
        self.check(connections)
        self.program = server_program.find_server_program(server)
        _check_disk(self.program)
        self.user = _unprivileged_user()
        self.password = secrets.token_urlsafe(24)
        self.port = free_port()
        try:
            # Not in the folder, which is removed as soon as the server ends.
            self._log = tempfile.TemporaryFile()  # noqa: SIM115 - until close()
            name = f"loadtest-{self.program.kind}-{secrets.token_hex(8)}"
            self.folder = Path(tempfile.gettempdir(), name)
            self._kept = self._begin()
        except OSError as error:
            raise LoadtestError(f"cannot start a {self.title}: {error.strerror}") from None
        begun = time.monotonic()
        try:
            self._wait_until_ready()
        except BaseException:
            self.close()
            raise
        self._ready_after = time.monotonic() - begun

    @property
    def title(self) -> str:
        """Its name in messages: `private MySQL 9.7.4`."""
        return f"private {self.program.title}"

    @property
    def url(self) -> URL:
        """Its URL, with the password."""
        return URL.create(DRIVER, USER, self.password, "127.0.0.1", self.port, DATABASE)

    @property
    def ready(self) -> str:
        """The sentence that reports the start and its duration."""
        return f"The {self.title} was ready after {self._ready_after:.1f} s"

    @property
    def process(self) -> psutil.Process:
        """The server's process. Raises LoadtestError if it is not running."""
        found = psutil.Process(self._kept.pid).children()
        if not found:
            raise LoadtestError(f"the {self.title} is not running")
        return found[0]

    def check(self, connections: int) -> None:
        """Raise UsageError if a run may open more connections than this server accepts."""
        if connections > self.limit:
            raise UsageError(
                f"this run may open {connections} connections, but this system's limit of open "
                f"files allows {self.limit} on a private server: raise the limit (ulimit -n "
                f"{connections + _PRIVATE_SERVER_FILES}), or use fewer users or a smaller pool"
            )

    def shut_down(self) -> None:
        """Shut the server down cleanly and keep its folder; returns when it has ended."""
        before = self.process
        supervisor.send_order(self._kept, supervisor.DOWN)
        before.wait(READY_SECONDS)

    def start_again(self) -> None:
        """Start the server again after shut_down(), at the same address; returns when it answers.

        Raises LoadtestError if it does not start.
        """
        supervisor.send_order(self._kept, supervisor.UP)
        self._wait_until_ready()

    def close(self) -> None:
        """Stop the server and remove its folder."""
        with suppress(KeyboardInterrupt):  # Ctrl-C ends the wait; the server is killed then
            supervisor.stop_supervised(self._kept)
        # The keeper removes the folder, unless it was killed.
        shutil.rmtree(self.folder, ignore_errors=True)
        self._log.close()

    @property
    def running(self) -> bool:
        """Whether the keeper still runs; False if the server ended unexpectedly."""
        return self._kept.poll() is None

    @property
    def last_error(self) -> str:
        """The last error in the log that explains what happened; empty without one."""
        log = self._log.fileno()  # pread, because the server writes at this file's position
        lines = os.pread(log, os.fstat(log).st_size, 0).decode(errors="replace").splitlines()
        errors = [line.partition("[ERROR]")[2].strip() for line in lines if "[ERROR]" in line]
        return next((error for error in reversed(errors) if "got signal" not in error), "")

    def __enter__(self) -> PrivateServer:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def _start_file(self) -> Path:
        """Creates the account and the database; exists until the server answers."""
        return self.folder / _START

    def _begin(self) -> subprocess.Popen[bytes]:
        """Start the keeper, which creates the folder and removes it, even if the tool is killed."""
        return supervisor.start_supervised(
            ["/bin/sh", "-c", self._script()],
            remove=self.folder,
            user=self.user,
            environment={**os.environ, _START_VARIABLE: self._start_statements()},
            output=self._log,
        )

    def _start_statements(self) -> str:
        return (
            f"{self.program.no_other_account}\n"
            f"CREATE DATABASE {DATABASE};\n"
            f"CREATE USER {USER}@'127.0.0.1' IDENTIFIED BY '{self.password}';\n"
            f"GRANT ALL ON *.* TO {USER}@'127.0.0.1' WITH GRANT OPTION;\n"
        )

    def _script(self) -> str:
        """The keeper's shell script: creates the server's files once, then becomes the server."""
        install = self.program.install_command(self.folder)
        make, serve = shlex.join(install), shlex.join(self._command())
        here, start = shlex.quote(str(self.folder)), shlex.quote(str(self._start_file))
        return f"""
            start=${_START_VARIABLE}
            unset {_START_VARIABLE}
            if [ -d {here} ]; then cd {here} && exec {serve}; fi
            umask 077
            mkdir {here} && cd {here} && printf %s "$start" > {start} &&
            {make} && exec {serve} --init-file={start}
        """

    def _command(self) -> list[str]:
        return [
            *self.program.serve_command(self.folder),
            f"--port={self.port}",
            f"--max-connections={self.limit}",
        ]

    def _wait_until_ready(self) -> None:
        deadline = time.monotonic() + READY_SECONDS
        while time.monotonic() < deadline and self._kept.poll() is None:
            try:
                pymysql.connect(
                    host="127.0.0.1",
                    port=self.port,
                    user=USER,
                    password=self.password,
                    database=DATABASE,
                    ssl_disabled=True,
                    read_timeout=2,  # another program may have taken the port and not answer
                ).close()
            except (pymysql.Error, OSError):
                time.sleep(0.05)
            else:
                self._start_file.unlink(missing_ok=True)
                return
        supervisor.stop_supervised(self._kept)
        self._log.seek(0)
        log = self._log.read()[-1500:].decode(errors="replace")
        raise LoadtestError(f"the {self.title} did not start; the end of its log:\n{log}")


def has_private_account(url: URL) -> bool:
    """Whether a URL has the loopback address and the account of private servers."""
    return (url.host, url.username) == ("127.0.0.1", USER)


def _connection_limit() -> int:
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard == resource.RLIM_INFINITY:
        return MOST_CONNECTIONS
    return min(MOST_CONNECTIONS, hard - _PRIVATE_SERVER_FILES)


def _check_disk(program: ServerProgram) -> None:
    folder = tempfile.gettempdir()
    free, needed = shutil.disk_usage(folder).free, program.least_bytes
    if free < needed:
        raise UsageError(
            f"a private {program.title} needs at least {needed // 10**6} MB in {folder}, but "
            f"{free // 10**6} MB are free: free some space, or set TMPDIR to another folder"
        )


def _unprivileged_user() -> str | None:
    if os.geteuid() != 0:
        return None
    names = {entry.pw_name for entry in pwd.getpwall()}
    return next((name for name in ("mysql", "nobody") if name in names), None)


def free_port() -> int:
    """A free loopback port."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
