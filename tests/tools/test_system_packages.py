"""`tools/system-packages` with a recorded `apt-get`: it installs what is missing and harms nothing.

The plans are what apt-get 2.6 of Debian 12 printed for `install --simulate mariadb-server`. The
installed servers were entries added to its list of installed packages.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.conftest import ROOT

PLANS = Path(__file__).parent / "plans"
FRESH = "nothing-installed.txt"
MYSQL = "mysql-installed.txt"
# What the script and the programs below call, besides what a test is about.
TOOLS = ("bash", "sh", "env", "basename", "cat", "chmod", "find", "ls", "rm", "tee", "true")
INSTALL = "install --yes --no-remove --no-install-recommends"
SIMULATE = "install --simulate --no-install-recommends"
ORACLE = "mysqld  Ver {} for Linux on x86_64 (MySQL Community Server - GPL)"
APT_GET = """\
while [ "$1" != update ] && [ "$1" != install ]; do shift; done
echo "$*" >>"$CALLS"
case "$*" in
*--simulate*) [ -e "$PLAN" ] || { echo "E: no such package" >&2; exit 100; }; cat "$PLAN" ;;
*--yes*) [ ! -e "$SYSTEM_ROOT/usr/sbin/policy-rc.d" ] || echo "with policy" >>"$CALLS" ;;
esac"""


class Machine:
    """A machine in a folder: only the programs that a test puts there, and no real root."""

    def __init__(self, folder: Path) -> None:
        self.bin, self.system, self.calls = folder / "bin", folder / "system", folder / "calls"
        self.sbin = self.system / "usr" / "sbin"
        self.data = self.system / "var" / "lib" / "mysql"
        for made in (self.bin, self.sbin, self.data):
            made.mkdir(parents=True)
        for tool in TOOLS:
            (self.bin / tool).symlink_to(str(shutil.which(tool)))
        self.program("python3")
        self.program("id", "echo 1000")
        self.program("sudo", 'shift; exec "$@"')
        self.program("apt-get", APT_GET)

    def program(self, name: str, body: str = "", folder: Path | None = None) -> Path:
        """Put an executable there."""
        path = (folder or self.bin) / name
        path.write_text(f"#!/bin/sh\n{body}\n")
        path.chmod(0o755)
        return path

    def server(self, name: str, version: str = "") -> Path:
        """Put a server there, where servers are."""
        return self.program(name, f"echo '{version}'", self.sbin)

    def set_up(
        self, what: str = "run", plan: str = FRESH, **environment: str
    ) -> subprocess.CompletedProcess[str]:
        """Run the script."""
        return subprocess.run(
            [ROOT / "tools" / "system-packages", what],
            env={
                "PATH": str(self.bin),
                "SYSTEM_ROOT": str(self.system),
                "CALLS": str(self.calls),
                "PLAN": str(PLANS / plan),
                **environment,
            },
            check=False,
            capture_output=True,
            text=True,
        )

    @property
    def asked(self) -> list[str]:
        """What apt-get was asked for, in order."""
        return self.calls.read_text().splitlines() if self.calls.exists() else []


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    """A Debian with sudo and nothing else."""
    return Machine(tmp_path)


def test_the_server_is_installed_after_a_look_at_the_plan_and_not_started(machine: Machine) -> None:
    done = machine.set_up()
    assert (done.returncode, done.stderr) == (0, "")
    assert machine.asked == [
        "update",
        f"{SIMULATE} mariadb-server",
        f"{INSTALL} mariadb-server",
        "with policy",
    ]
    assert list(machine.sbin.iterdir()) == []


def test_a_policy_of_the_machine_stays(machine: Machine) -> None:
    own = machine.program("policy-rc.d", "exit 101", machine.sbin)
    before = own.read_text()
    assert machine.set_up().returncode == 0
    assert own.read_text() == before


@pytest.mark.parametrize(
    ("plan", "harm"),
    [
        (
            MYSQL,
            [
                "remove mysql-server [8.0.43-1]",
                "remove mysql-server-8.0 [8.0.43-1]",
                "remove mysql-server-core-8.0 [8.0.43-1]",
            ],
        ),
        ("old-mariadb-core-installed.txt", ["replace mariadb-server-core [1:10.11.6-0+deb12u1]"]),
    ],
)
def test_a_plan_that_harms_a_server_is_refused(
    machine: Machine, plan: str, harm: list[str]
) -> None:
    machine.server("mysqld", ORACLE.format("5.7.44"))
    done = machine.set_up(plan=plan)
    assert done.returncode == 2
    assert machine.asked == ["update", f"{SIMULATE} mariadb-server"]
    found = [line.strip() for line in done.stderr.splitlines() if line.startswith("  it would")]
    assert found == [f"it would {each}" for each in harm]
    for way_out in ("LOADTEST_SERVER=", "LOADTEST_DATABASE_URL=", "sudo apt-get install"):
        assert way_out in done.stderr


def test_any_removal_is_refused(machine: Machine, tmp_path: Path) -> None:
    plan = tmp_path / "plan"
    plan.write_text("Purg editor [1.0]\nInst libc6 [2.36-1] (2.36-2 Debian:12 [amd64])\n")
    machine.server("mariadbd")
    machine.program("mariadb-install-db")
    done = machine.set_up("test", plan=str(plan))
    assert done.returncode == 2
    assert machine.asked[-1].startswith(SIMULATE)
    assert "it would remove editor [1.0]\n" in done.stderr
    assert "libc6" not in done.stderr
    assert "LOADTEST_SERVER" not in done.stderr


def test_data_of_another_server_is_not_taken_over(machine: Machine) -> None:
    (machine.data / "undo_001").touch()
    done = machine.set_up()
    assert done.returncode == 2
    assert f"it would take over the data in {machine.data}\n" in done.stderr
    assert machine.asked == ["update", f"{SIMULATE} mariadb-server"]


@pytest.mark.parametrize("version", ["8.0.43", "9.7.4"])
def test_a_mysql_is_a_server(machine: Machine, version: str) -> None:
    machine.server("mysqld", ORACLE.format(version))
    assert machine.set_up(plan=MYSQL).returncode == 0
    assert machine.asked == []


def test_percona_is_a_mysql(machine: Machine) -> None:
    version = "mysqld  Ver 8.4.3-3 for Linux on x86_64 (Percona Server (GPL), Release 3)"
    machine.server("mysqld", version)
    assert machine.set_up().returncode == 0
    assert machine.asked == []


@pytest.mark.parametrize(
    "version",
    [
        ORACLE.format("5.7.44"),
        "mysqld  Ver 10.11.19-MariaDB-0+deb12u1 for debian-linux-gnu on x86_64 (Debian 12)",
    ],
)
def test_an_old_mysql_and_mariadbs_link_are_no_mysql(machine: Machine, version: str) -> None:
    machine.server("mysqld", version)
    assert machine.set_up().returncode == 0
    assert f"{INSTALL} mariadb-server" in machine.asked


def test_an_installed_mariadb_is_left_alone(machine: Machine) -> None:
    machine.server("mariadbd")
    machine.program("mariadb-install-db")
    (machine.data / "ibdata1").touch()
    assert machine.set_up().returncode == 0
    assert machine.asked == []
    assert machine.set_up("test", plan=os.devnull).returncode == 0
    assert machine.asked[-2].startswith(INSTALL)
    packages = set(machine.asked[-2].removeprefix(INSTALL).split())
    programs = {"chromium", "prometheus", "valgrind"}
    assert packages >= {"libmariadb-dev", "fonts-dejavu-core", *programs}
    assert "mariadb-server" not in packages


def test_only_the_tests_need_a_compiler(machine: Machine) -> None:
    machine.program("uname", "echo aarch64")  # where pip compiles more than on x86-64
    machine.server("mysqld", ORACLE.format("9.7.4"))
    assert machine.set_up().returncode == 0
    assert machine.asked == []
    assert machine.set_up("test").returncode == 0
    assert "gcc" in machine.asked[-2].split()


def test_mariadbd_needs_its_installer(machine: Machine) -> None:
    machine.server("mariadbd")
    assert machine.set_up().returncode == 0
    assert f"{INSTALL} mariadb-server" in machine.asked


def test_a_program_that_is_named_is_the_server(machine: Machine, tmp_path: Path) -> None:
    named = machine.program("mysqld", folder=tmp_path)
    assert machine.set_up(plan=MYSQL, LOADTEST_SERVER=str(named)).returncode == 0
    assert machine.asked == []
    assert machine.set_up(plan=MYSQL, LOADTEST_SERVER=str(tmp_path / "none")).returncode == 2


def test_a_database_that_is_named_replaces_the_server_but_for_the_tests(machine: Machine) -> None:
    url = {"LOADTEST_DATABASE_URL": "mysql+pymysql://me@db/shop"}
    assert machine.set_up(**url).returncode == 0
    assert machine.asked == []
    assert machine.set_up("test", plan=MYSQL, **url).returncode == 2


def test_postgresql_is_installed_where_its_programs_are_missing(machine: Machine) -> None:
    assert machine.set_up("postgresql").returncode == 0
    assert machine.asked[-2:] == [f"{INSTALL} postgresql", "with policy"]


def test_an_installed_postgresql_is_left_alone(machine: Machine) -> None:
    debians = machine.system / "usr" / "lib" / "postgresql" / "15" / "bin"
    debians.mkdir(parents=True)
    machine.program("initdb", folder=debians)
    assert machine.set_up("postgresql").returncode == 0
    assert machine.asked == []


def test_without_root_the_packages_are_named(machine: Machine) -> None:
    machine.program("sudo", "exit 1")
    done = machine.set_up()
    assert done.returncode == 2
    assert "sudo apt-get install --no-install-recommends mariadb-server\n" in done.stderr
    assert machine.asked == [f"{SIMULATE} mariadb-server"]


def test_without_root_no_harmful_advice_is_given(machine: Machine) -> None:
    machine.program("sudo", "exit 1")
    done = machine.set_up(plan=MYSQL)
    assert done.returncode == 2
    assert "it would remove mysql-server-8.0 [8.0.43-1]\n" in done.stderr
    assert "are missing" not in done.stderr
    assert "If you want that change" in done.stderr


def test_without_apt_the_packages_are_named(machine: Machine) -> None:
    (machine.bin / "apt-get").unlink()
    done = machine.set_up()
    assert done.returncode == 2
    assert "are missing: mariadb-server\n" in done.stderr
    assert "Debian's names" in done.stderr


def test_what_apt_cannot_install_is_named(machine: Machine) -> None:
    done = machine.set_up(plan="none.txt")
    assert done.returncode == 2
    assert "E: no such package\napt-get cannot install mariadb-server" in done.stderr
    assert machine.asked == ["update", f"{SIMULATE} mariadb-server"]


def fresh_machine(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run `tools/fresh-machine`."""
    return subprocess.run(
        [ROOT / "tools" / "fresh-machine", *arguments],
        env=os.environ | environment,
        check=False,
        capture_output=True,
        text=True,
    )


@pytest.mark.parametrize(
    "arguments", [[], ["sid"], ["--keep"], ["trixie", "demo", "now"], ["bookworm", "--keep"]]
)
def test_a_fresh_machine_is_asked_for_by_name(arguments: list[str]) -> None:
    done = fresh_machine(*arguments)
    assert done.returncode == 2
    assert done.stderr.startswith("usage: tools/fresh-machine [--keep] bookworm|trixie")


def test_a_fresh_machine_needs_root(machine: Machine) -> None:
    path = os.pathsep.join([str(machine.bin), os.environ["PATH"]])
    done = fresh_machine("trixie", "true", PATH=path)
    assert done.returncode == 2
    assert "please run: sudo tools/fresh-machine trixie true\n" in done.stderr
