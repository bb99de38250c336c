"""Mistakes in options, told in the words of the command line."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from loadtest.model.errors import UsageError
from loadtest.model.suggestion import did_you_mean, did_you_mean_file

if TYPE_CHECKING:
    from loadtest.model.field_types import M

# Less similar names are not those of a bundled scenario.
_MISSPELT = 0.75
# The option of a setting that has another name in an experiment.
_FLAGS = {
    "duration": "--time",
    "stage": "--stages",
    "options": "--option",
    "command": "--app",
    "env": "--app-env",
    "cwd": "--app-cwd",
    "prepare": "--app-prepare",
    "stop_timeout": "--app-stop-timeout",
}


def validated_options(
    model: type[M], data: Mapping[str, Any], flags: Mapping[str, str] = MappingProxyType({})
) -> M:
    """A model from options; UsageError lists every mistake, each with its option.

    flags: options with other names than usual, by the name of the setting.
    """
    from loadtest.model.field_types import validated

    with naming_options(flags):
        made = validated(model, data, "")
    return made


@contextmanager
def naming_options(flags: Mapping[str, str] = MappingProxyType({})) -> Iterator[None]:
    """Makes a UsageError about settings without a place name the options that set them."""
    try:
        yield
    except UsageError as error:
        raise UsageError(
            *(_with_option(one, {**_FLAGS, **flags}) for one in error.problems)
        ) from None


def _with_option(problem: str, flags: Mapping[str, str]) -> str:
    problem = problem.removeprefix(": ").replace("warm-up plus duration", "--warmup plus --time")
    key, colon, rest = problem.partition(": ")
    name = key.partition(".")[0]
    if not (colon and re.fullmatch(r"[a-z_]+", name)):
        return problem
    return f"{flags.get(name, '--' + name.replace('_', '-'))}: {rest}"


def refuse_the_same(pools: list[str]) -> None:
    """Raise UsageError if a pool is given twice without names that tell the two apart."""
    for text in pools:
        if pools.count(text) > 1:
            settings = text.rpartition(":")[2]
            raise UsageError(
                f"--pool {text} is given twice. To compare a pool with itself, name them: --pool "
                f"a:{settings} --pool b:{settings}"
            )


def refuse_what_is_no_scenario(path: Path) -> None:
    """Raise UsageError, with what to give instead, if a path is not that of a Python file."""
    if path.is_dir():
        example = min(path.glob("[!_]*.py"), default=path / "NAME.py")
        raise UsageError(f"{path} is a folder; give one of its files, like {example}")
    if not path.is_file():
        near = did_you_mean_file(path) or bundled_instead(path)
        raise UsageError(f"there is no scenario {path}{near}")
    if path.suffix == ".toml":
        raise UsageError(f"{path} is an experiment, not a scenario: loadtest compare {path}")
    if path.suffix != ".py":
        raise UsageError(f"{path} is not a scenario: give a Python file, NAME.py")


def bundled_instead(path: Path) -> str:
    """The end of a sentence about a missing file: how to copy the bundled one; else empty."""
    from loadtest.experiment.bundled_scenarios import scenario_names

    names = scenario_names()
    if path.stem in names:
        return f": copy it with loadtest scenarios {path.stem} -o {path.parent}"
    near = did_you_mean(path.stem, names, _MISSPELT)
    return f"{near} Copy it with loadtest scenarios NAME -o {path.parent}" if near else ""
