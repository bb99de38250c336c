"""What `tools/database-servers` does around apt, which is a small double here."""

import os
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.conftest import ROOT

TOOL = ROOT / "tools" / "database-servers"
MARIADB, MYSQL = "mariadb-server-core", "mysql-server-core"

# $ARCHIVE has a file with the version for each server that can be installed. While it has the pipe
# `reached`, downloads do not end.
DOUBLES = {
    "apt-get": r"""
shift 2
case "$1 $2" in
    "update --print-uris") echo "'http://mirror/debian/dists/sid/main/binary-all/Packages' x 0" ;;
    "--simulate install")
        [ -e "$ARCHIVE/$3" ] || { echo "E: Unable to locate package $3" >&2; exit 100; }
        echo "Inst $3 (1 Debian [all])"
        ;;
    "download --print-uris") echo "'http://mirror/$3' $3_$(cat "$ARCHIVE/$3")_all.deb 1 MD5Sum:1" ;;
    download*)
        if [ -p "$ARCHIVE/reached" ]; then exec 3>"$ARCHIVE/reached" && echo >&3 && sleep 600; fi
        touch "$2.deb"
        ;;
esac
""",
    "dpkg": "echo all",
    "dpkg-deb": r"""
package=$(basename "$2" .deb)
mkdir -p "$3/usr/bin" "$3/usr/sbin" "$3/usr/lib/all"
cd "$3/usr"
program() { printf '#!/bin/sh\n%s\n' "$2" >"$1" && chmod 755 "$1"; }
version="it  Ver $(cat "$ARCHIVE/$package")-Debian"
program lib/all/ld-linux-all.so.2 'shift 2 && exec "$@"'
for name in sbin/mariadbd sbin/mysqld bin/my_print_defaults bin/resolveip bin/perror; do
    program "$name" "case \$2 in --version) echo '$version' ;; *) echo \"\$@\" ;; esac"
done
""",
}

Run = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def archive(tmp_path: Path) -> Path:
    """What can be installed: both servers."""
    folder = tmp_path / "archive"
    folder.mkdir()
    (folder / MARIADB).write_text("11.8.9")
    (folder / MYSQL).write_text("9.7.4")
    return folder


@pytest.fixture
def cache(tmp_path: Path) -> Path:
    """The folder that the servers are in."""
    return tmp_path / "cache" / "database-servers"


@pytest.fixture
def environment(tmp_path: Path, archive: Path, cache: Path) -> dict[str, str]:
    """An environment with the doubles in front of the system's programs."""
    programs = tmp_path / "programs"
    programs.mkdir()
    for name, text in DOUBLES.items():
        (programs / name).write_text(f"#!/bin/sh\n{text}")
        (programs / name).chmod(0o755)
    path = f"{programs}{os.pathsep}{os.environ['PATH']}"
    return os.environ | {"PATH": path, "ARCHIVE": str(archive), "LOADTEST_CACHE": str(cache.parent)}


@pytest.fixture
def run(environment: dict[str, str]) -> Run:
    """Runs the tool to its end."""

    def to_its_end(*arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [TOOL, *arguments], env=environment, capture_output=True, text=True, check=False
        )

    return to_its_end


def names_in(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


def test_prints_name_version_and_program_of_each_server(run: Run, cache: Path) -> None:
    both = run()
    assert both.stdout.splitlines() == [
        f"mariadb 11.8.9 {cache}/mariadb/bin/mariadbd",
        f"mysql 9.7.4 {cache}/mysql/bin/mysqld",
    ]
    assert both.returncode == 0
    assert names_in(cache) == {"lock", "mariadb", "mysql"}


def test_a_cached_server_needs_no_apt(run: Run, archive: Path) -> None:
    first = run("mysql")
    (archive / MYSQL).unlink()
    again = run("mysql")
    assert (again.stdout, again.stderr, again.returncode) == (first.stdout, "", 0)


def test_a_server_that_cannot_be_fetched_is_named(run: Run, archive: Path, cache: Path) -> None:
    (archive / MARIADB).unlink()
    result = run()
    assert result.stdout == f"mysql 9.7.4 {cache}/mysql/bin/mysqld\n"
    assert "mariadb cannot be fetched: apt does not find all that it needs" in result.stderr
    assert f"E: Unable to locate package {MARIADB}" in result.stderr
    assert result.returncode == 1
    assert names_in(cache) == {"lock", "mysql"}


def test_a_server_that_does_not_start_is_not_kept(run: Run, archive: Path, cache: Path) -> None:
    (archive / MYSQL).write_text("unknown")
    result = run("mysql")
    assert "mysql cannot be fetched: it does not print its version" in result.stderr
    assert (result.stdout, result.returncode) == ("", 1)
    assert names_in(cache) == {"lock"}


def test_update_replaces_an_older_version_only(run: Run, archive: Path, cache: Path) -> None:
    run("mysql")
    before = (cache / "mysql").stat().st_ino
    assert "mysql: it is up to date" in run("--update", "mysql").stderr
    assert (cache / "mysql").stat().st_ino == before
    (archive / MYSQL).write_text("9.7.5")
    assert run("--update", "mysql").stdout == f"mysql 9.7.5 {cache}/mysql/bin/mysqld\n"
    assert names_in(cache) == {"lock", "mysql"}


def test_a_program_puts_its_own_options_behind_the_callers(run: Run, cache: Path) -> None:
    run("mysql")
    started = subprocess.run(
        [cache / "mysql" / "bin" / "mysqld", "--no-defaults", "--init-file=a b"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert started.stdout.startswith(
        f"--no-defaults --init-file=a b --basedir={cache}/mysql --plugin-dir={cache}/mysql/"
    )


def test_a_second_call_waits_and_an_interrupted_one_leaves_nothing(
    environment: dict[str, str], archive: Path, cache: Path
) -> None:
    os.mkfifo(archive / "reached")
    pipes = {"env": environment, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    with (
        subprocess.Popen([TOOL, "mysql"], **pipes) as first,
        (archive / "reached").open() as downloading,
    ):
        assert downloading.readline() == "\n"
        (archive / "reached").unlink()
        with subprocess.Popen([TOOL, "mariadb"], **pipes) as second:
            said = second.stderr.readline()
            assert said == "another call is fetching servers: waiting for it\n"
            first.terminate()
            assert downloading.read() == ""  # its end: all of the call's programs are gone
            assert first.wait() == 130
            assert second.wait() == 0
    assert names_in(cache) == {"lock", "mariadb"}


def test_an_unknown_name_is_refused(run: Run, cache: Path) -> None:
    result = run("postgresql")
    assert (result.stdout, result.returncode) == ("", 2)
    assert "usage: tools/database-servers [--update] [mariadb|mysql ...]" in result.stderr
    assert not cache.exists()
