"""The README: its commands are such as the programs take, and what it names is there."""

from locust.argument_parser import get_parser

import re
import shlex
from importlib.util import find_spec
from typing import Any

import pytest
from typer.main import get_command

from loadtest.cli.main import app
from loadtest.load import plugin  # noqa: F401 - it adds the options to Locust's parser
from tests.conftest import ROOT

README = (ROOT / "README.md").read_text()
OURS = re.compile(r"(?:scenarios|tests|deploy|reports/example)/[\w./]*")


def commands() -> list[list[str]]:
    """What is typed in its examples, word by word."""
    blocks = "".join(re.findall(r"```console\n(.*?)```", README, flags=re.DOTALL))
    lines = re.findall(r"^\w*\$ (.*)", blocks.replace("\\\n", " "), flags=re.MULTILINE)
    return [shlex.split(line, comments=True) for line in lines]


def arguments(*program: str) -> list[list[str]]:
    """What follows a program in the examples that begin with it."""
    return [words[len(program) :] for words in commands() if words[: len(program)] == [*program]]


@pytest.mark.parametrize("words", arguments("loadtest"), ids=" ".join)
def test_a_command_of_the_tool_is_one_it_takes(words: list[str]) -> None:
    group: Any = get_command(app)
    name, *rest = words
    assert group.commands[name].make_context(name, rest).params


@pytest.mark.parametrize("words", arguments("locust"), ids=" ".join)
def test_a_command_of_locust_has_known_options(words: list[str]) -> None:
    _, unknown = get_parser(default_config_files=[]).parse_known_args(words)
    assert unknown == []


def test_modules_that_are_run_are_there() -> None:
    modules = [words[0] for words in arguments("python", "-m")]
    assert {"loadtest.threads", "benchmarks.soak", "benchmarks.overhead"} <= set(modules)
    assert [module for module in modules if not find_spec(module)] == []


def test_files_in_commands_are_there() -> None:
    named = {found for words in commands() for word in words for found in OURS.findall(word)}
    assert len(named) > 10
    assert [path for path in named if not (ROOT / path).exists()] == []


def test_links_and_pictures_lead_somewhere() -> None:
    prose = re.sub(r"```.*?```", "", README, flags=re.DOTALL)
    targets = re.findall(r"\]\(([^)\s]+)\)", prose)
    headings = re.findall(r"^#+ (.*)", prose, flags=re.MULTILINE)
    known = {re.sub(r"[^\w -]", "", text).lower().replace(" ", "-") for text in headings}
    within = {target[1:] for target in targets if target.startswith("#")}
    files = {t.partition("#")[0] for t in targets if not t.startswith(("#", "http"))}
    assert len(within) > 5
    assert within - known == set()
    assert len(files) > 10
    assert [path for path in files if not (ROOT / path).exists()] == []
