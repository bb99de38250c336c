"""Finds and identifies the server program of a private server, MariaDB's or MySQL's."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from loadtest.model.errors import UsageError
from loadtest.model.server_name import parse_server

ServerKind = Literal["mariadb", "mysql"]

LOADTEST_SERVER = "LOADTEST_SERVER"
SERVER_PROGRAMS: dict[ServerKind, str] = {"mariadb": "mariadbd", "mysql": "mysqld"}
SERVER_TITLES: dict[ServerKind, str] = {"mariadb": "MariaDB", "mysql": "MySQL"}
_INSTALLER = "mariadb-install-db"
_OLDEST_MYSQL = (8, 0)
# Server programs are often in folders that a user's PATH leaves out.
_SYSTEM_PATH = os.pathsep.join([os.environ.get("PATH", ""), "/usr/sbin", "/usr/local/sbin"])
_VERSION_SECONDS = 20
_DATA = "data"
# A fresh folder takes 126 MB (MariaDB 10.11), 155 MB (MariaDB 11.8) or 197 MB (MySQL 9.7).
_LEAST_BYTES: dict[ServerKind, int] = {"mariadb": 200_000_000, "mysql": 300_000_000}
# In a fresh data folder root has no password. The server's internal accounts are locked.
_NO_OTHER_ACCOUNT: dict[ServerKind, str] = {
    "mariadb": "DELETE FROM mysql.global_priv WHERE User <> 'mariadb.sys';\nFLUSH PRIVILEGES;",
    "mysql": "DROP USER root@localhost;",
}
_ONLY: dict[ServerKind, list[str]] = {
    "mariadb": [],
    # The X protocol would listen on another port; the default folder for LOAD DATA may not exist.
    "mysql": ["--mysqlx=OFF", "--secure-file-priv="],
}
_OTHERWISE = (
    "give a server program with --server PATH, or your own database with "
    "--database-url mysql+pymysql://USER:PASSWORD@HOST/DATABASE"
)
_INSTALL: dict[ServerKind, str] = {
    "mariadb": "install MariaDB's server (on Debian and Ubuntu: apt-get install mariadb-server)",
    "mysql": "install MySQL 8.0 or newer (on Ubuntu: apt-get install mysql-server)",
}


@dataclass(frozen=True)
class ServerProgram:
    """A server program of this machine.

    kind: mariadb or mysql. path: the program. version: as --version reports it, like 11.8.9.
    installer: the program that creates a data folder; MySQL's server needs none.
    """

    kind: ServerKind
    path: str
    version: str
    installer: str = ""

    @property
    def title(self) -> str:
        """Its name and version in messages: `MySQL 9.7.4`."""
        return f"{SERVER_TITLES[self.kind]} {self.version}"

    @property
    def least_bytes(self) -> int:
        """The free disk space that it needs (bytes); with less, the server stops."""
        return _LEAST_BYTES[self.kind]

    @property
    def no_other_account(self) -> str:
        """The statements that remove all accounts of a fresh data folder that can log in."""
        return _NO_OTHER_ACCOUNT[self.kind]

    def install_command(self, folder: Path) -> list[str]:
        """The command that creates the server's data below a folder."""
        # In /tmp, two MariaDB servers that start at the same time remove each other's tables.
        where = [f"--datadir={folder / _DATA}", f"--tmpdir={folder}"]
        if self.kind == "mysql":
            return [self.path, "--no-defaults", "--initialize-insecure", *where]
        more = ["--auth-root-authentication-method=normal", "--skip-test-db"]
        return [self.installer, "--no-defaults", *where, *more]

    def serve_command(self, folder: Path) -> list[str]:
        """The command that serves the data below a folder, on loopback and a socket file there."""
        return [
            self.path,
            "--no-defaults",
            f"--datadir={folder / _DATA}",
            f"--socket={folder / 'socket'}",
            f"--tmpdir={folder}",
            "--bind-address=127.0.0.1",
            "--skip-name-resolve",
            "--back-log=4096",
            "--table-open-cache=400",
            *_ONLY[self.kind],
        ]


def find_server_program(asked: str = "") -> ServerProgram:
    """The server program for a private server.

    asked: as `parse_server` reads it; empty means LOADTEST_SERVER or, without it, the installed
    one (MariaDB if both are). Raises UsageError, with what to install, if there is none, if it does
    not run, or if it is MySQL below 8.0.
    """
    asked = asked or os.environ.get(LOADTEST_SERVER, "")
    try:
        program = parse_server(asked).program if asked else ""
    except ValueError as error:
        raise UsageError(f"--server or {LOADTEST_SERVER}: {error}") from None
    if "/" in program:
        return _identified(_existing(program))
    for kind in SERVER_TITLES:
        if program in ("", kind) and (found := _installed(kind)):
            return found
    raise UsageError(_missing(program))


def refuse_beside_database(asked: bool, database: bool) -> None:
    """Raise UsageError if a server program is asked for although a database is given."""
    if asked and database:
        raise UsageError(
            "--server chooses a private server, but you gave a database (--database-url, "
            "LOADTEST_DATABASE_URL or your application's own): leave out --server"
        )


def _installed(kind: ServerKind) -> ServerProgram | None:
    """The installed server of a kind. On Debian, MariaDB's server is also called `mysqld`."""
    path = shutil.which(SERVER_PROGRAMS[kind], path=_SYSTEM_PATH)
    if path is None:
        return None
    found = _identified(path)
    return found if found.kind == kind else None


def _existing(asked: str) -> str:
    path = shutil.which(asked)
    if path is None:
        raise UsageError(f"--server {asked}: there is no such program; {_OTHERWISE}")
    return str(Path(path).absolute())


def _identified(path: str) -> ServerProgram:
    """A program identified by its --version. Raises UsageError if it is not a usable server."""
    said = _said(path)
    version = re.search(r"Ver (\d+\.\d+\.\d+)", said)
    if not version:
        raise UsageError(
            f"{path} is not a MariaDB or MySQL server, because --version prints "
            f"{said[:100]!r}: {_OTHERWISE}"
        )
    if "mariadb" in said.lower():
        return ServerProgram("mariadb", path, version[1], _installer(path))
    if tuple(map(int, version[1].split(".")[:2])) < _OLDEST_MYSQL:
        raise UsageError(
            f"{path} is MySQL {version[1]}; a private server needs MySQL 8.0 or newer, or "
            f"MariaDB: {_INSTALL['mysql']}, {_OTHERWISE}"
        )
    return ServerProgram("mysql", path, version[1])


def _said(path: str) -> str:
    try:
        answer = subprocess.run(
            [path, "--no-defaults", "--version"],
            check=False,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=_VERSION_SECONDS,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise UsageError(f"{path} does not run ({error}): {_OTHERWISE}") from None
    if answer.returncode:
        why = answer.stderr.strip()[-300:] or f"exit code {answer.returncode}"
        raise UsageError(f"{path} does not run ({why}): {_OTHERWISE}")
    return answer.stdout.strip()


def _installer(server: str) -> str:
    """MariaDB's program that creates a data folder: beside the server, or in the PATH."""
    own = Path(server).resolve().parent
    beside = [Path(server).parent, own, own.parent / "bin", own.parent / "scripts"]
    path = os.pathsep.join([*map(str, beside), _SYSTEM_PATH])
    found = shutil.which(_INSTALLER, path=path)
    if not found:
        raise UsageError(f"the MariaDB server {server} has no {_INSTALLER}: {_INSTALL['mariadb']}")
    return found


def _missing(asked: str) -> str:
    if asked == "mysql":
        return f"MySQL's mysqld is not installed: {_INSTALL['mysql']}, {_OTHERWISE}"
    which = "mariadbd is not" if asked else "neither mariadbd nor mysqld is"
    return f"{which} installed: {_INSTALL['mariadb']}, {_OTHERWISE}"
