"""A PostgreSQL that only the tests use."""

from __future__ import annotations

import os
import pwd
import re
import secrets
import shutil
import signal
import subprocess
import tempfile
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

import psycopg
from sqlalchemy import URL

from loadtest.database.private_server import free_port
from loadtest.database.supervisor import die_with_parent

_DEBIANS = Path("/usr/lib/postgresql")
_USER = "loadtest"
_READY_SECONDS = 60


def postgresql_folder() -> Path | None:
    """The folder of the programs of PostgreSQL, the newest; None if it is not installed."""
    on_path = shutil.which("initdb")
    debians = sorted(_DEBIANS.glob("*/bin/initdb"), key=lambda path: int(path.parts[-3]))
    found = [Path(on_path), *debians] if on_path else debians
    return found[-1].resolve().parent if found else None


class PrivatePostgresql:
    """A server on a free loopback port with a random password; it ends with `close`.

    It refuses to run as root, so root starts it as `postgres`, else as `nobody`. connections: how
    many were opened so far, from the server's log.
    """

    def __init__(self, programs: Path) -> None:
        self._programs = programs
        self._password = secrets.token_urlsafe(24)
        self._port = free_port()
        self._folder = Path(tempfile.mkdtemp(prefix="loadtest-postgresql-"))
        self._log = self._folder / "log"
        self._process: subprocess.Popen[bytes] | None = None
        try:
            self._begin()
            self._wait_until_ready()
        except BaseException:
            self.close()
            raise

    @property
    def url(self) -> URL:
        """Its URL, with the password."""
        where = "127.0.0.1", self._port, "postgres"
        return URL.create("postgresql+psycopg", _USER, self._password, *where)

    @property
    def connections(self) -> int:
        return len(re.findall(r"connection authorized: ", self._log.read_text()))

    def close(self) -> None:
        """End the server and remove its folder."""
        if self._process:
            with suppress(ProcessLookupError):
                self._process.send_signal(signal.SIGINT)  # a fast shutdown
            self._process.wait(30)
        shutil.rmtree(self._folder)

    def _begin(self) -> None:
        user = _unprivileged_user()
        password = self._folder / "password"
        password.write_text(self._password)
        if user:
            for path in (self._folder, password):
                shutil.chown(path, user)
        run: dict[str, Any] = {"user": user, "extra_groups": []} if user else {}
        data = self._folder / "data"
        with self._log.open("wb") as log:
            run |= {"cwd": self._folder, "stdout": log, "stderr": log}
            subprocess.run([*self._initdb(data, password)], check=True, **run)
            run["preexec_fn"] = die_with_parent
            self._process = subprocess.Popen([*self._server(data)], **run)

    def _initdb(self, data: Path, password: Path) -> list[str]:
        how = ["--no-sync", "--encoding=UTF8", "--locale=C", "--auth=scram-sha-256"]
        who = [f"--username={_USER}", f"--pwfile={password}"]
        return [str(self._programs / "initdb"), f"--pgdata={data}", *how, *who]

    def _server(self, data: Path) -> list[str]:
        settings = {
            **{"listen_addresses": "127.0.0.1", "port": self._port, "unix_socket_directories": ""},
            **{"fsync": "off", "log_connections": "on", "logging_collector": "off"},
        }
        given = [f"--{name}={value}" for name, value in settings.items()]
        return [str(self._programs / "postgres"), "-D", str(data), *given]

    def _wait_until_ready(self) -> None:
        assert self._process
        address = self.url.set(drivername="postgresql").render_as_string(hide_password=False)
        deadline = time.monotonic() + _READY_SECONDS
        while True:
            try:
                psycopg.connect(address).close()
                return
            except psycopg.OperationalError as error:
                if self._process.poll() is not None or time.monotonic() > deadline:
                    raise RuntimeError(self._log.read_text()[-2000:]) from error
                time.sleep(0.05)


def _unprivileged_user() -> str | None:
    """The user that the server runs as if this process is root's."""
    if os.geteuid() != 0:
        return None
    users = {one.pw_name for one in pwd.getpwall()}
    return "postgres" if "postgres" in users else "nobody"
