"""`loadtest record -- COMMAND`: unchanged applications, their end, and why nothing is recorded."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest

from loadtest.recording import launcher
from loadtest.recording.recording_settings import RecordingSettings
from loadtest.runfile.reader import Run
from tests.conftest import ROOT, without_database
from tests.recording.recorded import ASYNC_APPLICATION, counted_in, runs_in

APPLICATION = """
import os, sys, time
from sqlalchemy import create_engine
engine = create_engine("sqlite:///shop.db")
def use():
    with engine.connect() as connection:
        connection.exec_driver_sql("SELECT 1")
"""


def recording(
    folder: Path, *command: str, env: Mapping[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    """`loadtest record -- COMMAND` in a folder."""
    path = os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])
    return subprocess.run(
        [sys.executable, "-m", "loadtest", "record", "--", *command],
        check=False,
        cwd=folder,
        env={**without_database(), "PYTHONPATH": path, **(env or {})},
        capture_output=True,
        text=True,
        timeout=60,
    )


def recorded(folder: Path) -> list[Run]:
    return runs_in(folder / "reports" / "latest" / "runs")


def test_an_unchanged_application_is_recorded_and_its_exit_code_kept(tmp_path: Path) -> None:
    (tmp_path / "shop.py").write_text(APPLICATION + "use(); print(sys.argv[1:]); sys.exit(7)")
    said = recording(tmp_path, sys.executable, "shop.py", "--port", "--", "80")
    assert said.returncode == 7
    assert said.stdout == "['--port', '--', '80']\n"
    assert said.stderr.startswith("loadtest record: Recording: reports/python-")
    (run,) = recorded(tmp_path)
    assert run.header.name == "python"
    assert counted_in(run)["checkouts"] == 1
    assert counted_in(run)["engines@shop.py:4 <module>"] == 1
    assert "--port" not in str(run.told)


def test_forks_and_other_python_processes_are_recorded(tmp_path: Path) -> None:
    script = """
use()
engine.dispose()
if not os.fork():
    use(); use()
    sys.exit()
os.wait()
import subprocess
if len(sys.argv) == 1:
    subprocess.run([sys.executable, "shop.py", "again"], check=True)
"""
    (tmp_path / "shop.py").write_text(APPLICATION + script)
    said = recording(tmp_path, sys.executable, "shop.py")
    assert said.returncode == 0
    assert sorted(counted_in(run)["checkouts"] for run in recorded(tmp_path)) == [1, 1, 2, 2]


def test_async_engines_are_recorded(tmp_path: Path) -> None:
    script = ASYNC_APPLICATION.format(address="sqlite+aiosqlite:///shop.db")
    assert recording(tmp_path, sys.executable, "-c", script).returncode == 0
    (run,) = recorded(tmp_path)
    assert counted_in(run)["engines@__main__:5 main"] == 1
    assert "aiosqlite" in run.header.versions
    assert counted_in(run)["checkouts"] == 1


def test_an_application_that_names_the_plugin_too_is_recorded_once(tmp_path: Path) -> None:
    plugin = APPLICATION.replace("shop.db", "shop.db?plugin=loadtest")
    assert recording(tmp_path, sys.executable, "-c", plugin + "use()").returncode == 0
    (run,) = recorded(tmp_path)
    assert counted_in(run)["checkouts"] == 1


def test_a_second_import_of_sqlalchemy_works_unrecorded(tmp_path: Path) -> None:
    script = """
use()
for name in [name for name in sys.modules if name.partition(".")[0] == "sqlalchemy"]:
    del sys.modules[name]
"""
    said = recording(tmp_path, sys.executable, "-c", APPLICATION + script + APPLICATION + "use()")
    assert (said.returncode, "Traceback" in said.stderr) == (0, False)
    (run,) = recorded(tmp_path)
    assert counted_in(run)["checkouts"] == 1


def test_a_recording_has_no_secrets(tmp_path: Path) -> None:
    script = """
from sqlalchemy import exc, text
with engine.connect() as connection:
    connection.execute(text("SELECT 'seed-sql' WHERE :value != ''"), {"value": "seed-parameter"})
    try:
        connection.execute(text("SELECT seed_error"))
    except exc.OperationalError:
        pass
try:
    with engine.connect() as connection:
        connection.invalidate(RuntimeError("seed-message"))
        raise RuntimeError("seed-message")
except RuntimeError:
    pass
refusing = create_engine("mysql+pymysql://seed-user:seed-password@127.0.0.1:1/shop?charset=utf8mb4")
try:
    refusing.connect()
except exc.OperationalError:
    pass
"""
    (tmp_path / "shop.py").write_text(APPLICATION + script)
    said = recording(tmp_path, sys.executable, "shop.py", "--token", "seed-argument")
    assert said.returncode == 0
    runs = recorded(tmp_path)
    assert {run.pool_name for run in runs} == {"shop", "shop-2"}
    assert counted_in(*runs)["checkout_errors"] == 1
    unpacked = tmp_path / "reports" / "latest" / "runs-unpacked"
    written = "".join(path.read_text() for path in unpacked.iterdir())
    assert "seed" not in written
    assert "127.0.0.1" not in written
    assert str(tmp_path) not in written


class TestSitecustomize:
    """What is injected does not show."""

    def test_the_next_one_runs_and_nothing_is_imported_without_sqlalchemy(
        self, tmp_path: Path
    ) -> None:
        (tmp_path / "site").mkdir()
        (tmp_path / "site" / "sitecustomize.py").write_text("import sys; sys.own = __file__")
        script = """
import sitecustomize, sys
print(sys.own == sitecustomize.__file__)
print([name for name in sys.modules if name.partition(".")[0] in ("loadtest", "sqlalchemy")])
print([folder for folder in sys.path if folder.endswith("injected")])
"""
        path = os.pathsep.join([str(ROOT), str(tmp_path / "site")])
        said = recording(tmp_path, sys.executable, "-c", script, env={"PYTHONPATH": path})
        assert said.stdout == "True\n[]\n[]\n"

    def test_nothing_is_imported_before_gevent_patches(self, tmp_path: Path) -> None:
        script = """
import sqlalchemy, sys
def own():
    return any(name.startswith("loadtest") for name in sys.modules)
print(own())
from gevent import monkey
monkey.patch_all()
engine = sqlalchemy.create_engine("sqlite:///shop.db")
print(own())
engine.connect().close()
"""
        said = recording(tmp_path, sys.executable, "-c", script)
        assert (said.returncode, said.stdout) == (0, "False\nTrue\n")
        (run,) = recorded(tmp_path)
        assert counted_in(run)["checkouts"] == 1

    def test_a_finder_of_an_old_library_is_passed_over(self, tmp_path: Path) -> None:
        script = """
import sys
class Old:
    def find_module(self, name, path=None):
        return None
sys.meta_path.insert(1, Old())
"""
        said = recording(tmp_path, sys.executable, "-c", script + APPLICATION + "use()")
        assert (said.returncode, said.stderr.count("Traceback")) == (0, 0)
        (run,) = recorded(tmp_path)
        assert counted_in(run)["checkouts"] == 1

    def test_a_failure_in_the_next_one_is_shown_as_ever(self, tmp_path: Path) -> None:
        (tmp_path / "sitecustomize.py").write_text("1 / 0")
        path = os.pathsep.join([str(ROOT), str(tmp_path)])
        said = recording(tmp_path, sys.executable, "-c", "print(1)", env={"PYTHONPATH": path})
        assert said.stdout == "1\n"
        assert "Error in sitecustomize; set PYTHONVERBOSE for traceback" in said.stderr


class TestReasons:
    """Why nothing is recorded."""

    @pytest.mark.parametrize(
        ("script", "reason"),
        [
            ("pass", "no process imported SQLAlchemy"),
            ("import sqlalchemy.engine.url", "SQLAlchemy was imported, but no engine was made"),
            (APPLICATION, "the engines took no connection, or the application's log names"),
            (
                "import sys; sys.modules['numpy'] = None\n" + APPLICATION + "use()",
                f"{sys.executable} cannot record: import of numpy halted",
            ),
            (
                "import sqlalchemy; sqlalchemy.__version__ = '1.4.54'\n" + APPLICATION + "use()",
                f"{sys.executable} cannot record: SQLAlchemy 1.4.54 is too old; a recording needs",
            ),
        ],
    )
    def test_a_python_program(self, tmp_path: Path, script: str, reason: str) -> None:
        said = recording(tmp_path, sys.executable, "-c", script)
        assert said.returncode == 0
        assert f"loadtest record: Nothing is recorded: {reason}" in said.stderr

    def test_a_program_in_another_language(self, tmp_path: Path) -> None:
        said = recording(tmp_path, "true")
        assert "the command is no Python program, or starts Python with -I" in said.stderr
        assert list((tmp_path / "reports").iterdir()) == []

    @pytest.mark.parametrize("flag", ["-I", "-S", "-E"])
    def test_a_python_that_does_not_load_the_recorder(self, tmp_path: Path, flag: str) -> None:
        said = recording(tmp_path, sys.executable, flag, "-c", "print(1)")
        assert said.stdout == "1\n"
        assert f"{sys.executable} is started with {flag}, so Python does not load" in said.stderr


def test_options_are_settings_of_the_recording(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: dict[str, str] = {}

    def ran(command: Sequence[str], environment: Mapping[str, str]) -> int:
        seen.update(environment)
        return 0

    monkeypatch.setattr(launcher, "_run", ran)
    options = ["--results", str(tmp_path), "--keep-megabytes", "50", "--metrics-port", "9646"]
    assert launcher.main([*options, "--", "shop"]) == 0
    found = RecordingSettings.from_environment(seen)
    assert (found.name, found.keep_megabytes, found.metrics_port) == ("shop", 50, 9646)
    assert "LOADTEST_RECORDING_MEGABYTES_PER_HOUR" not in seen


def test_a_part_that_a_daemon_compresses_meanwhile_is_one_with_checkouts(tmp_path: Path) -> None:
    assert launcher._has_checkouts(tmp_path / "shop-1.jsonl")
