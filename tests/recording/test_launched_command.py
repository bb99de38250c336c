"""How the launcher ends: with the command's exit code, and with its signals passed on."""

from __future__ import annotations

import os
import pty
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import ROOT, without_database
from tests.processes import running
from tests.recording.test_launcher import APPLICATION, recorded, recording


class TestCommand:
    """How the launcher ends."""

    def test_a_command_that_is_not_found(self, tmp_path: Path) -> None:
        said = recording(tmp_path, "no-such-command")
        assert said.returncode == 127
        assert said.stderr == (
            "loadtest record: cannot run no-such-command: No such file or directory\n"
        )
        assert list((tmp_path / "reports").iterdir()) == []

    def test_a_command_that_cannot_be_run(self, tmp_path: Path) -> None:
        (tmp_path / "shop").write_text("")
        said = recording(tmp_path, "./shop")
        assert said.returncode == 126
        assert said.stderr == "loadtest record: cannot run ./shop: Permission denied\n"

    def test_a_command_that_a_signal_ends(self, tmp_path: Path) -> None:
        assert recording(tmp_path, "sh", "-c", "kill -9 $$").returncode == 128 + 9

    def test_where_the_ends_of_children_are_ignored(self, tmp_path: Path) -> None:
        ignoring = "import signal, os, sys; signal.signal(signal.SIGCHLD, signal.SIG_IGN); "
        command = [sys.executable, "-m", "loadtest", "record", "--", "sh", "-c", "exit 3"]
        started = f"{ignoring}os.execv(sys.executable, {command})"
        log, environment = tmp_path / "log", {"PYTHONPATH": str(ROOT)}
        with running(log, sys.executable, "-c", started, cwd=tmp_path, env=environment) as process:
            assert process.wait(20) == 3

    def test_without_a_folder_it_runs_unrecorded(self, tmp_path: Path) -> None:
        (tmp_path / "reports").write_text("")
        said = recording(tmp_path, sys.executable, "-c", APPLICATION + "use(); print('done')")
        assert (said.returncode, said.stdout) == (0, "done\n")
        assert "cannot create a results folder in reports: " in said.stderr
        assert "nothing is recorded" in said.stderr

    @pytest.mark.parametrize(
        ("arguments", "message"),
        [
            ([], "write -- and the command"),
            (["gunicorn", "shop.web:app"], "unrecognized arguments: gunicorn shop.web:app"),
            (["--"], "the command is missing"),
        ],
    )
    def test_wrong_usage(self, arguments: list[str], message: str) -> None:
        command = [sys.executable, "-m", "loadtest", "record", *arguments]
        said = subprocess.run(command, check=False, capture_output=True, text=True, cwd=ROOT)
        assert said.returncode == 2
        assert message in said.stderr

    def test_it_imports_only_the_standard_library(self, tmp_path: Path) -> None:
        script = """
import sys
from loadtest.__main__ import main
try:
    main()
except SystemExit:
    print(sorted(name for name in sys.modules if name.partition(".")[0] in (
        "typer", "click", "rich", "numpy", "sqlalchemy", "pydantic", "msgspec")))
"""
        said = subprocess.run(
            [sys.executable, "-c", script, "record", "--", "true"],
            check=True,
            cwd=tmp_path,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
            capture_output=True,
            text=True,
        )
        assert said.stdout == "[]\n"

    @pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
    def test_signals_reach_the_command_once(self, tmp_path: Path, number: int) -> None:
        script = """
import signal
arrived = []
def note(number, frame):
    arrived.append(number)
for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
    signal.signal(number, note)
use()
open("ready", "w").close()
while not arrived:
    time.sleep(0.01)
time.sleep(0.3)
print(arrived)
sys.exit(5)
"""
        (tmp_path / "shop.py").write_text(APPLICATION + script)
        command = [sys.executable, "-m", "loadtest", "record", "--", sys.executable, "shop.py"]
        log = tmp_path / "log"
        with running(log, *command, cwd=tmp_path, env={"PYTHONPATH": str(ROOT)}) as process:
            process.until((tmp_path / "ready").exists, "the application")
            process.signal(number)
            assert process.wait() == 5
            assert f"[{int(number)}]" in process.output
        (run,) = recorded(tmp_path)
        assert run.finished

    def test_what_the_terminal_sends_is_not_sent_twice(self, tmp_path: Path) -> None:
        script = """
import signal
arrived = []
signal.signal(signal.SIGINT, lambda *_: arrived.append(1))
print("ready", flush=True)
until = time.monotonic() + 20
while not arrived and time.monotonic() < until:
    time.sleep(0.01)
time.sleep(0.3)
print(f"arrived {len(arrived)}", flush=True)
"""
        (tmp_path / "shop.py").write_text("import time\n" + script)
        said = in_a_terminal(
            tmp_path, "\x03", "loadtest", "record", "--", sys.executable, "shop.py"
        )
        assert "arrived 1" in said


def in_a_terminal(folder: Path, keys: str, module: str, *arguments: str) -> str:
    """The output of `python -m` in a terminal of its own, in which keys are pressed when ready."""
    child, terminal = pty.fork()
    if not child:
        os.chdir(folder)
        environment = {**without_database(), "PYTHONPATH": str(ROOT)}
        os.execvpe(sys.executable, [sys.executable, "-m", module, *arguments], environment)
    said = b""
    try:
        while b"arrived" not in said:
            said += os.read(terminal, 1000)
            if b"ready" in said and keys:
                os.write(terminal, keys.encode())
                keys = ""
    finally:
        os.waitpid(child, 0)
        os.close(terminal)
    return said.decode()
