"""The program of a private server is found, identified, or refused with what to do."""

import shlex
from pathlib import Path

import pytest

from loadtest.database import server_program
from loadtest.database.server_program import ServerProgram, find_server_program
from loadtest.model.errors import UsageError

MARIADB = "mariadbd  Ver 11.8.9-MariaDB-0+deb13u1 for debian-linux-gnu on x86_64"
MYSQL = "/usr/sbin/mysqld  Ver 9.7.4 for Linux on x86_64 (MySQL Community Server - GPL)"


@pytest.fixture(autouse=True)
def system(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The only folder in which programs are installed; no server is asked for."""
    folder = tmp_path / "sbin"
    folder.mkdir()
    monkeypatch.setattr(server_program, "_SYSTEM_PATH", str(folder))
    monkeypatch.delenv("LOADTEST_SERVER", raising=False)
    return folder


def program(path: Path, says: str, code: int = 0) -> Path:
    """A program that answers --version so."""
    path.write_text(f"#!/bin/sh\necho {shlex.quote(says)}\nexit {code}\n")
    path.chmod(0o755)
    return path


def mariadb(folder: Path) -> Path:
    program(folder / "mariadb-install-db", "")
    return program(folder / "mariadbd", MARIADB)


def test_mariadb_is_taken_where_both_are(system: Path) -> None:
    server = mariadb(system)
    program(system / "mysqld", MYSQL)

    found = find_server_program()
    assert found == ServerProgram(
        "mariadb", str(server), "11.8.9", str(system / "mariadb-install-db")
    )
    assert found.title == "MariaDB 11.8.9"


def test_mysql_is_taken_where_it_is_alone(system: Path) -> None:
    server = program(system / "mysqld", MYSQL)

    assert find_server_program() == ServerProgram("mysql", str(server), "9.7.4")
    assert find_server_program().title == "MySQL 9.7.4"


def test_debians_mysqld_is_known_as_the_mariadb_that_it_is(system: Path) -> None:
    (system / "mysqld").symlink_to(mariadb(system))

    assert find_server_program().kind == "mariadb"
    with pytest.raises(UsageError, match="MySQL's mysqld is not installed: install MySQL"):
        find_server_program("mysql")


def test_a_server_is_asked_for_by_kind_path_and_environment(
    system: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    mariadb(system)
    mysql = program(system / "mysqld", MYSQL)
    new = program(tmp_path / "new", MYSQL.replace("9.7.4", "8.4.6"))

    assert find_server_program("mysql").path == str(mysql)
    assert find_server_program(str(new)).version == "8.4.6"
    assert find_server_program(f"lts:{new}").version == "8.4.6"
    monkeypatch.setenv("LOADTEST_SERVER", "mysql")
    assert find_server_program().path == str(mysql)
    assert find_server_program("mariadb").kind == "mariadb"


def test_an_unpacked_mariadb_brings_its_installer(tmp_path: Path) -> None:
    for folder in ("sbin", "bin"):
        (tmp_path / "opt" / folder).mkdir(parents=True)
    server = program(tmp_path / "opt" / "sbin" / "mariadbd", MARIADB)
    installer = program(tmp_path / "opt" / "bin" / "mariadb-install-db", "")

    assert find_server_program(str(server)).installer == str(installer)


@pytest.mark.parametrize(
    ("says", "code", "message"),
    [
        (MYSQL.replace("9.7.4", "5.7.44"), 0, "is MySQL 5.7.44; a private server needs MySQL 8.0"),
        ("Python 3.11.2", 0, "is not a MariaDB or MySQL server, because --version prints 'Pyt"),
        (MYSQL, 1, "does not run .exit code 1.: give a server program with --server PATH"),
        (MARIADB, 0, "has no mariadb-install-db: install MariaDB's"),
    ],
)
def test_a_program_that_cannot_be_used_is_refused(
    tmp_path: Path, says: str, code: int, message: str
) -> None:
    server = program(tmp_path / "server", says, code)

    with pytest.raises(UsageError, match=message) as refused:
        find_server_program(str(server))
    assert str(server) in str(refused.value)


def test_what_is_no_program_is_refused(tmp_path: Path) -> None:
    text = tmp_path / "text"
    text.write_text("#!/nowhere/sh\n")
    text.chmod(0o755)

    with pytest.raises(UsageError, match="does not run"):
        find_server_program(str(text))
    with pytest.raises(UsageError, match="there is no such program; give a server program"):
        find_server_program(str(tmp_path / "nothing"))
    with pytest.raises(UsageError, match="--server or LOADTEST_SERVER: 'oracle' is not a server"):
        find_server_program("oracle")


@pytest.mark.parametrize(
    ("asked", "missing"),
    [("", "neither mariadbd nor mysqld is installed"), ("mariadb", "mariadbd is not installed")],
)
def test_without_a_server_it_says_what_to_install(asked: str, missing: str) -> None:
    with pytest.raises(UsageError) as refused:
        find_server_program(asked)
    said = str(refused.value)
    assert said.startswith(missing)
    assert "apt-get install mariadb-server" in said
    assert "--database-url mysql+pymysql://" in said
