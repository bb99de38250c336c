"""Applications behind HTTP from the texts of their options, which may begin with a name."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from loadtest.cli.option_mistakes import naming_options, validated_options
from loadtest.model.errors import UsageError
from loadtest.model.suggestion import did_you_mean

if TYPE_CHECKING:
    from loadtest.model.driven_application import DrivenApplication

_URLS = ("http://", "https://")
_READY, _VARIABLE = "--ready", "--app-env"


def applications_of(
    commands: Sequence[str], ready: Sequence[str], options: Mapping[str, Sequence[str]]
) -> tuple[DrivenApplication, ...]:
    """The applications with these commands, `COMMAND` or `NAME:COMMAND`.

    ready: a URL for all, one for each in the same order, or with names. options: the texts of the
    other options by setting; one with a name is for the application of this name.
    Raises UsageError.
    """
    from loadtest.model.driven_application import DrivenApplication

    split = [_named(text) for text in commands]
    names = _names(split)
    urls = _urls(ready, names)
    made = []
    for name, (_, command), url in zip(names, split, urls, strict=True):
        data: dict[str, Any] = {"command": command, "ready": url}
        data |= {"name": name} if name else {}
        for setting, texts in options.items():
            data |= _setting(setting, texts, name, names)
        made.append(validated_options(DrivenApplication, data, {"processes": "--app-processes"}))
    return tuple(made)


def _named(text: str) -> tuple[str, str]:
    """The name of an application, empty without one, and its command."""
    from loadtest.model.field_types import is_name

    head, colon, rest = text.partition(":")
    return (head, rest) if colon and is_name(head) else ("", text)


def _names(split: Sequence[tuple[str, str]]) -> list[str]:
    """The names of the applications; a single one may have none."""
    from loadtest.model.driven_application import application_names

    given = [name for name, _ in split]
    if len(split) < 2:
        return given
    with naming_options():
        try:
            return application_names(given, [command for _, command in split])
        except ValueError as error:
            raise UsageError(f"--app: {error}") from None


def _urls(texts: Sequence[str], names: Sequence[str]) -> list[str]:
    """The URL of each application."""
    named, others = dict[str, str](), list[str]()
    for text in texts:
        name, _, rest = text.partition(":")
        if not rest.startswith(_URLS):
            others.append(text)
            continue
        if name not in names:
            there = ", ".join(filter(None, names)) or "none with a name"
            raise UsageError(
                f"{_READY} {text}: there is no application {name}; there is: {there}"
                f"{did_you_mean(name, names)}"
            )
        if name in named:
            raise UsageError(f"{_READY} is given twice for {name}; give it once")
        named[name] = rest
    return _distributed(named, others, names)


def _distributed(
    named: Mapping[str, str], others: Sequence[str], names: Sequence[str]
) -> list[str]:
    """The URL of each application: its own, else one for all, else the one in its place."""
    if missing := [name for name in names if name not in named and not others]:
        raise UsageError(f"{_READY} is missing for the application {missing[0]}")
    if len(others) == len(names) and not named:
        return list(others)
    if len(others) > 1:
        given = f"{len(others) + len(named)} times for {len(names)} applications"
        if len(names) == 1:
            given = f"{len(others)} times for one application"
        raise UsageError(
            f"{_READY} is given {given}: give it once, once for each in the same order, or with "
            f"names, like {_READY} {names[0] or 'NAME'}:http://127.0.0.1:8800/health"
        )
    return [named[name] if name in named else others[0] for name in names]


def _setting(setting: str, texts: Sequence[str], name: str, names: Sequence[str]) -> dict[str, Any]:
    """A setting of one application: its own value, else that of all; none if there is neither."""
    own, common = list[str](), list[str]()
    for text in texts:
        head, colon, rest = text.partition(":")
        if not (colon and head in names and head):
            common.append(text)
        elif head == name:
            own.append(rest)
    if setting == "env":
        variables = environment_variables(common) | environment_variables(own)
        return {"env": variables} if variables else {}
    found = own or common
    if len(found) > 1:
        option = f"--app-{setting.replace('_', '-')}"
        raise UsageError(f"{option} is given {len(found)} times for one application; give it once")
    return {setting: found[0]} if found else {}


def environment_variables(texts: Sequence[str]) -> dict[str, str]:
    """Environment variables by name; UsageError, without a value, for one that is given twice."""
    found: dict[str, str] = {}
    for text in texts:
        name, equals, value = text.partition("=")
        if not equals:
            raise UsageError(f"{_VARIABLE}: write NAME=VALUE")
        if name in found:
            raise UsageError(f"{_VARIABLE} {name} is given twice; give it once")
        found[name] = value
    return found
