"""Shuts out Locust's settings from environment variables and configuration files.

A run of this tool has all its settings on its command line. Other settings are ignored, and those
that differ are reported.
"""

from __future__ import annotations

import locust  # noqa: F401 - first: gevent patches what the others import

import glob
import os
from argparse import Namespace
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from configargparse import ConfigFileParserException

from loadtest.load import locust_internals as internals

_PREFIX = "LOCUST_"
# Locust reads this variable without its parser.
_USER_CLASSES = "LOCUST_USER_CLASSES"
_REASON = "Ignored, because loadtest sets up its own runs: "
_shut_out: dict[str, str] = {}


def shut_out(more: Mapping[str, str] | None = None) -> None:
    """Make Locust's parsers in this process use only the command line.

    more: variables that were already removed from the environment.
    """
    _shut_out.update(more or {})
    actions = internals.actions_of(internals.new_parser())
    variables = {getattr(action, "env_var", None) for action in actions}
    for name in sorted(os.environ):
        # This tool's own variables begin with another prefix.
        if name.startswith(_PREFIX) and name in {*variables, _USER_CLASSES}:
            _shut_out[name] = os.environ.pop(name)
    internals.ignore_configuration_files()


def ignored(arguments: Sequence[str]) -> str:
    """The line that names the ignored settings that differ from a run's; empty without any.

    arguments: the run's. A file that Locust cannot read is named without its settings.
    """
    return described(arguments, _shut_out, internals.CONFIGURATION_FILES)


def described(
    arguments: Sequence[str], environment: Mapping[str, str], patterns: Sequence[str]
) -> str:
    """Like `ignored`, for these variables and the files of these patterns."""
    run = _Run(arguments)
    named = [*_files(run, patterns), *_variables(run, environment)]
    return f"{_REASON}{', '.join(named)}" if named else ""


class _Run:
    """The settings of a run, and how other settings differ from them."""

    def __init__(self, arguments: Sequence[str]) -> None:
        self._parser = internals.new_parser()
        self._parser.error = _refuse
        self._settings = self._parsed(arguments)
        actions = internals.actions_of(self._parser)
        self._by_key = {
            key: action
            for action in actions
            for key in self._parser.get_possible_config_keys(action)
        }
        self._by_variable = {getattr(action, "env_var", None): action for action in actions}

    def _parsed(self, arguments: Sequence[str]) -> Namespace:
        found: Namespace = self._parser.parse_known_args([*arguments], env_vars={})[0]
        return found

    def key_differs(self, key: str, value: Any) -> bool:
        """Whether a setting in a configuration file differs from the run's, or is unknown."""
        return self._differs(self._by_key.get(key), key, value)

    def variable_differs(self, name: str, value: str) -> bool:
        """Whether an environment variable's setting differs from the run's."""
        return bool(value) and self._differs(self._by_variable.get(name), name, value)

    def _differs(self, action: Any, key: str, value: Any) -> bool:
        if action is None:
            return True
        try:
            arguments = self._parser.convert_item_to_command_line_arg(action, key, value)
            given = self._parsed(arguments)
        except (ValueError, SystemExit):  # an invalid value, or --help
            return True
        return bool(getattr(given, action.dest, None) != getattr(self._settings, action.dest, None))


def _refuse(message: str) -> None:
    raise ValueError(message)


def _files(run: _Run, patterns: Sequence[str]) -> Iterator[str]:
    for pattern in patterns:
        for name in glob.glob(os.path.expanduser(pattern)):
            try:
                found = _settings(name)
            except (OSError, ValueError, ConfigFileParserException):
                yield pattern
                continue
            keys = [key for key, value in found.items() if run.key_differs(key, value)]
            if keys:
                yield f"{pattern} ({', '.join(keys)})"


def _settings(path: str) -> dict[str, Any]:
    with open(path, encoding="utf-8") as stream:
        return internals.settings_in(stream)


def _variables(run: _Run, environment: Mapping[str, str]) -> list[str]:
    return [name for name, value in environment.items() if run.variable_differs(name, value)]
