"""The scenarios and the example applications that come with the tool."""

from __future__ import annotations

import ast
import shutil
import tomllib
from collections.abc import Sequence
from filecmp import cmp
from pathlib import Path

import loadtest
from loadtest.model.errors import UsageError
from loadtest.model.suggestion import did_you_mean


def scenarios_folder() -> Path:
    """The folder of the scenarios: inside the installed package, or at the top of the checkout."""
    return _bundled("scenarios")


def examples_folder() -> Path:
    """The folder of the example applications, found like that of the scenarios."""
    return _bundled("examples")


def _bundled(name: str) -> Path:
    package = Path(loadtest.__file__).resolve().parent
    inside = package / name
    return inside if inside.is_dir() else package.parent / name


def scenario_names() -> list[str]:
    """All names; the fault drills, whose names begin with `_`, come last."""
    found = {path.stem for path in scenarios_folder().glob("*.toml")}
    return sorted(found, key=lambda name: (name.startswith("_"), name))


def first_line_of(name: str) -> str:
    """The first line of a scenario's docstring, or of the comment above its experiment."""
    scenario = scenarios_folder() / f"{name}.py"
    if scenario.exists():
        told = ast.get_docstring(ast.parse(scenario.read_text(encoding="utf-8"))) or ""
    else:
        told = (
            (scenarios_folder() / f"{name}.toml")
            .read_text(encoding="utf-8")
            .removeprefix("#")
            .strip()
        )
    return told.partition("\n")[0]


def copy_scenario(name: str, to: Path) -> list[Path]:
    """Copy an experiment and its scenario into a folder; returns the copies.

    Creates the folder if needed. Raises UsageError for an unknown name, and instead of overwriting
    a different file.
    """
    if name not in scenario_names():
        known = scenario_names()
        near = did_you_mean(name, known)
        raise UsageError(f"there is no scenario {name}; choose from {', '.join(known)}{near}")
    experiment = scenarios_folder() / f"{name}.toml"
    scenario = tomllib.loads(experiment.read_text(encoding="utf-8"))["scenario"]
    sources = [scenarios_folder() / scenario, experiment]
    copies = [to / source.name for source in sources]
    _refuse_to_overwrite(sources, copies)
    try:
        to.mkdir(parents=True, exist_ok=True)
        for source, path in zip(sources, copies, strict=True):
            shutil.copyfile(source, path)
    except OSError as error:
        raise UsageError(f"cannot write in {to}: {error.strerror}") from None
    return copies


def _refuse_to_overwrite(sources: Sequence[Path], copies: Sequence[Path]) -> None:
    pairs = zip(sources, copies, strict=True)
    others = [copy for source, copy in pairs if copy.exists() and not cmp(source, copy, False)]
    if others:
        raise UsageError(
            *(f"{path} exists and differs: choose another -o FOLDER" for path in others)
        )
