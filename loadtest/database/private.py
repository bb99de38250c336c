"""The private MariaDB that the tool starts when it is given no database of yours."""

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
from types import TracebackType

import psutil
import pymysql
from sqlalchemy import URL

from loadtest.database import keeper
from loadtest.database.engine import DRIVER
from loadtest.errors import LoadtestError, UsageError

MOST_CONNECTIONS = 10_000
READY_SECONDS = 60.0
DATABASE = USER = "loadtest"
_START = "start.sql"
_SYSTEM_PATH = os.pathsep.join([os.environ.get("PATH", ""), "/usr/sbin", "/usr/local/sbin"])
# Files that the server opens besides its connections: tables, logs, its own sockets.
_FILES_BESIDE_CONNECTIONS = 1_500
# What a fresh MariaDB 10.11 takes is 125 MB; without room for its tables it ends itself.
_LEAST_BYTES = 150_000_000


class PrivateServer:
    """A MariaDB of our own on a free loopback port, with a fresh folder and a random password.

    It is gone, with its folder, when it is closed or when this process ends in whatever way.
    Raises UsageError where MariaDB is not installed, the file limit is too low or the disk too
    full, LoadtestError where it does not start.
    """

    def __init__(self, connections: int = 0) -> None:
        self.limit = _connection_limit()
        self.check(connections)
        _check_disk()
        server, installer = _program("mariadbd"), _program("mariadb-install-db")
        self.user = _unprivileged_user()
        self.password = secrets.token_urlsafe(24)
        self.port = free_port()
        try:
            # Not in the folder, which is gone as soon as the server is.
            self._log = tempfile.TemporaryFile()  # noqa: SIM115 - until close()
            self.folder = Path(tempfile.mkdtemp(prefix="loadtest-mariadb-"))
            self._kept = self._begin(installer, server)
        except OSError as error:
            raise LoadtestError(f"cannot start a private MariaDB: {error.strerror}") from None
        try:
            self._wait_until_ready()
        except BaseException:
            self.close()
            raise

    @property
    def url(self) -> URL:
        """Its address, with the password."""
        return URL.create(DRIVER, USER, self.password, "127.0.0.1", self.port, DATABASE)

    @property
    def process(self) -> psutil.Process:
        """The server's process. Raises LoadtestError while there is none."""
        found = psutil.Process(self._kept.pid).children()
        if not found:
            raise LoadtestError("the private MariaDB does not run")
        return found[0]

    def check(self, connections: int) -> None:
        """Raise UsageError if a run may open more connections than this server can take."""
        if connections > self.limit:
            raise UsageError(
                f"this run may open {connections} connections; within this system's limit of open "
                f"files the private MariaDB takes {self.limit}: raise it (ulimit -n "
                f"{connections + _FILES_BESIDE_CONNECTIONS}), or use fewer users or a smaller pool"
            )

    def shut_down(self) -> None:
        """Stop the server in good order, its folder stays; returns when it is gone."""
        before = self.process
        keeper.order(self._kept, keeper.DOWN)
        before.wait(READY_SECONDS)

    def start_again(self) -> None:
        """Start a server that was shut down, at the same address; returns when it answers.

        Raises LoadtestError if it does not start.
        """
        keeper.order(self._kept, keeper.UP)
        self._wait_until_ready()

    def close(self) -> None:
        """Stop the server and remove its folder."""
        with suppress(KeyboardInterrupt):  # who does not want to wait: it is killed then
            keeper.stop(self._kept)
        # Its keeper does that, unless somebody has killed it.
        shutil.rmtree(self.folder, ignore_errors=True)
        self._log.close()

    @property
    def running(self) -> bool:
        """Whether it has not ended by itself, or by somebody else."""
        return self._kept.poll() is None

    @property
    def last_error(self) -> str:
        """The last error in its log that says what happened; empty without one."""
        log = self._log.fileno()  # the server writes on where this file is read to
        lines = os.pread(log, os.fstat(log).st_size, 0).decode(errors="replace").splitlines()
        errors = [line.partition("[ERROR]")[2].strip() for line in lines if "[ERROR]" in line]
        return next((error for error in reversed(errors) if "got signal" not in error), "")

    def __enter__(self) -> PrivateServer:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    @property
    def _start_file(self) -> Path:
        """Makes the account, and the database: it is there until the server has answered."""
        return self.folder / _START

    def _begin(self, installer: str, server: str) -> subprocess.Popen[bytes]:
        """The keeper has the folder from here on: what kills the tool leaves nothing behind."""
        try:
            return keeper.keep(
                ["/bin/sh", "-c", self._script(installer, server)],
                remove=self.folder,
                user=self.user,
                output=self._log,
            )
        except OSError:
            shutil.rmtree(self.folder, ignore_errors=True)
            raise

    def _write_start_file(self) -> None:
        start = self._start_file
        start.touch(0o600)
        start.write_text(
            # Only this account can reach the server: root has no password, but no address either.
            "DELETE FROM mysql.global_priv WHERE User <> 'mariadb.sys';\nFLUSH PRIVILEGES;\n"
            f"CREATE DATABASE {DATABASE};\n"
            f"CREATE USER {USER}@'127.0.0.1' IDENTIFIED BY '{self.password}';\n"
            f"GRANT ALL ON *.* TO {USER}@'127.0.0.1' WITH GRANT OPTION;\n"
        )
        if self.user:
            for path in (self.folder, start):
                shutil.chown(path, self.user, _group_of(self.user))

    def _script(self, installer: str, server: str) -> str:
        """What the keeper runs: make the server's files the first time, then become the server."""
        self._write_start_file()
        install = [
            installer,
            "--no-defaults",
            f"--datadir={self.folder / 'data'}",
            f"--tmpdir={self.folder}",  # in /tmp two that start at once remove each other's tables
            "--auth-root-authentication-method=normal",
            "--skip-test-db",
        ]
        here, make, serve = map(
            shlex.join, (["cd", str(self.folder)], install, self._command(server))
        )
        begin = f"{make} && exec {serve} --init-file={shlex.quote(str(self._start_file))}"
        return f"{here} && if [ -e {_START} ]; then {begin}; else exec {serve}; fi"

    def _command(self, server: str) -> list[str]:
        return [
            server,
            "--no-defaults",
            f"--datadir={self.folder / 'data'}",
            f"--socket={self.folder / 'socket'}",
            f"--tmpdir={self.folder}",
            f"--port={self.port}",
            "--bind-address=127.0.0.1",
            "--skip-name-resolve",
            f"--max-connections={self.limit}",
            "--back-log=4096",
            "--table-open-cache=400",
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
                    read_timeout=2,  # somebody else may have taken the port, and say nothing
                ).close()
            except (pymysql.Error, OSError):
                time.sleep(0.05)
            else:
                self._start_file.unlink(missing_ok=True)
                return
        keeper.stop(self._kept)
        self._log.seek(0)
        log = self._log.read()[-1500:].decode(errors="replace")
        raise LoadtestError(f"the private MariaDB did not start; the end of its log:\n{log}")


def _connection_limit() -> int:
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard == resource.RLIM_INFINITY:
        return MOST_CONNECTIONS
    return min(MOST_CONNECTIONS, hard - _FILES_BESIDE_CONNECTIONS)


def _check_disk() -> None:
    folder = tempfile.gettempdir()
    free = shutil.disk_usage(folder).free
    if free < _LEAST_BYTES:
        raise UsageError(
            f"a private MariaDB takes {_LEAST_BYTES // 10**6} MB and more in {folder}, where "
            f"{free // 10**6} MB are left: make room, or name another folder in TMPDIR"
        )


def _program(name: str) -> str:
    found = shutil.which(name, path=_SYSTEM_PATH)
    if not found:
        raise UsageError(
            f"there is no {name} here: install MariaDB's server (on Debian and Ubuntu: "
            "apt-get install mariadb-server), or give a database of your own with "
            "--database-url mysql+pymysql://USER:PASSWORD@HOST/DATABASE"
        )
    return found


def _unprivileged_user() -> str | None:
    if os.geteuid() != 0:
        return None
    names = {entry.pw_name for entry in pwd.getpwall()}
    return next((name for name in ("mysql", "nobody") if name in names), None)


def _group_of(user: str) -> int:
    return pwd.getpwnam(user).pw_gid


def free_port() -> int:
    """A loopback port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
