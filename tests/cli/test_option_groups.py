"""Groups of options: Typer reads the fields of a dataclass, the command gets it whole."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any

import pytest
import typer
from typer.main import get_command

from loadtest.cli.option_groups import spread_out

got: list[Any] = []


@dataclass(frozen=True)
class Load:
    """A group."""

    users: Annotated[int, typer.Option("--users", "-u", help="How many.")] = 50
    time: str = "30s"


@dataclass(frozen=True)
class Search(Load):
    """The same with another default, and an option more."""

    time: str = "10s"
    fault: Annotated[list[str] | None, typer.Option("--fault")] = None


def search(
    context: typer.Context, name: str, *, seed: int = 1, load: Search, quiet: bool = False
) -> None:
    """Find something."""
    got.append((context.get_parameter_source("users"), name, seed, load, quiet))


def command() -> Any:
    app = typer.Typer(add_completion=False)
    app.command()(spread_out(search))
    return get_command(app)


def test_the_options_stand_where_their_group_stands() -> None:
    names = [parameter.name for parameter in command().params]
    assert names == ["name", "seed", "users", "time", "fault", "quiet"]
    assert command().help == "Find something."


@pytest.mark.parametrize(
    ("words", "load"),
    [
        ([], Search()),
        (["-u", "7", "--time", "2s"], Search(users=7, time="2s")),
        (["--fault", "kill", "--fault", "freeze"], Search(fault=["kill", "freeze"])),
    ],
)
def test_the_command_gets_the_group(words: list[str], load: Search) -> None:
    command()(["it", "--seed", "3", *words], standalone_mode=False)
    source, *others = got.pop()
    assert others == ["it", 3, load, False]
    assert source.name == ("COMMANDLINE" if "-u" in words else "DEFAULT")


def test_a_command_without_groups_stays_as_it_is() -> None:
    def plain(name: str, seed: int = 1) -> None:
        got.append((name, seed))

    app = typer.Typer(add_completion=False)
    app.command()(spread_out(plain))
    get_command(app)(["it", "--seed", "2"], standalone_mode=False)
    assert got.pop() == ("it", 2)
