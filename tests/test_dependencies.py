"""Every dependency is used and has its reason in the documentation; nothing else is needed."""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
from pathlib import Path

from tests.conftest import ROOT
from tests.test_arrows import HOUSE

# What comes along with Locust and Jinja2.
BROUGHT = {"configargparse", "gevent", "flask", "markupsafe"}
# PyMySQL looks for it when a server wants that login.
FOR_OTHERS = {"cryptography"}
# The packages that have another name than what is imported.
IMPORTED_AS = {"opentelemetry-api": "opentelemetry"}


def declared() -> set[str]:
    """The packages that an installation brings."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    extras = project["optional-dependencies"]
    return named(project["dependencies"] + extras["load"] + extras["metrics"])


def named(texts: list[str]) -> set[str]:
    """The names of packages in a list of dependencies."""
    return {re.split(r"[^\w-]", text)[0] for text in texts}


def imported(packages: set[str]) -> set[str]:
    """The names under which packages are imported."""
    return {IMPORTED_AS.get(name, name) for name in packages}


def test_each_has_its_reason_in_the_documentation() -> None:
    page = (ROOT / "docs" / "explanation" / "dependencies.md").read_text()
    table = page.partition("Each dependency has a reason:\n\n")[2].partition("\n\n")[0]
    _, _, *rows = [re.split(r"\s*\|\s*", line.strip("| ")) for line in table.lower().splitlines()]
    told = {name: reason for names, reason in rows for name in names.split(", ")}

    assert told.keys() == declared()
    assert all(told.values())


def test_each_is_used_and_nothing_else_is() -> None:
    names = {name.partition(".")[0] for found in HOUSE.direct.values() for name in found}
    packages = names - sys.stdlib_module_names - {"loadtest", "__future__"}

    assert packages - BROUGHT == imported(declared() - FOR_OTHERS)


def test_the_oldest_sqlalchemy_that_is_allowed_has_an_environment_of_its_own(
    tmp_path: Path,
) -> None:
    made = tmp_path / "constraints.txt"
    command = ["make", "--silent", f"OLDEST={tmp_path}", str(made)]
    subprocess.run(command, cwd=ROOT, check=True)

    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    allowed = [text for text in project["dependencies"] if text.startswith("sqlalchemy")]
    pins = made.read_text().splitlines()
    others = [pin for pin in pins if not pin.startswith("sqlalchemy")]
    own = (ROOT / "constraints.txt").read_text().splitlines()
    assert [re.sub(r">=([\d.]+),<[\d.]+", r"==\1", text) for text in allowed] == pins[-2:]
    assert others == [pin for pin in own if not pin.lower().startswith("sqlalchemy==")]


def test_a_recorded_application_installs_only_what_a_recording_and_metrics_import() -> None:
    names = {name for module in HOUSE.of_part("recording") for name in HOUSE.reached(module)}
    packages = names - HOUSE.modules.keys() - sys.stdlib_module_names - {"__future__"}

    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    metrics = imported(named(project["optional-dependencies"]["metrics"]))
    assert packages == named(project["dependencies"]) | metrics


def test_without_the_packages_of_metrics_a_recording_can_be_imported() -> None:
    hidden = "import sys; sys.modules.update({'prometheus_client': None, 'opentelemetry': None})\n"
    script = f"{hidden}import loadtest.recording.process_recorder"
    subprocess.run([sys.executable, "-c", script], cwd=ROOT, check=True)


def test_without_the_packages_of_load_tests_the_command_names_them() -> None:
    script = "import sys; sys.modules['typer'] = None\nfrom loadtest.__main__ import main\nmain()"
    command = [sys.executable, "-c", script, "run"]
    ended = subprocess.run(command, cwd=ROOT, check=False, capture_output=True, text=True)

    assert ended.returncode == 1
    assert "pip install 'pool-loadtest[load]'" in ended.stderr
    assert "Traceback" not in ended.stderr
