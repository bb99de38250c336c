"""README and documentation: commands that the programs take, links that lead somewhere."""

from locust.argument_parser import get_parser

import ast
import re
import runpy
import shlex
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
import yaml
from typer.main import get_command

import loadtest
from loadtest.cli.main import app
from loadtest.load import plugin  # noqa: F401 - it adds the options to Locust's parser
from tests.conftest import ROOT

DOCS = ROOT / "docs"
# Pages that `make docs` makes from the program, with the function of docs/generated.py for each.
MADE = {DOCS / "reference" / f"{name}.md": name for name in ("commands", "metrics")}
# The README, and the other sources of the documentation.
PAGES = [ROOT / "README.md", *sorted(set(DOCS.rglob("*.md")) - MADE.keys())]
OURS = re.compile(r"(?:scenarios|tests|deploy|reports/example)/[\w./]*")


def commands() -> list[list[str]]:
    """What is typed in the examples of all pages, word by word."""
    found: dict[tuple[str, ...], None] = {}
    for page in PAGES:
        blocks = "".join(re.findall(r"```console\n(.*?)```", page.read_text(), flags=re.DOTALL))
        lines = re.findall(r"^\w*\$ (.*)", blocks.replace("\\\n", " "), flags=re.MULTILINE)
        lines += re.findall(r"^\| `(loadtest .*?)` \|", page.read_text(), flags=re.MULTILINE)
        found |= dict.fromkeys(tuple(shlex.split(line, comments=True)) for line in lines)
    return [_without_variables(list(words)) for words in found]


def _without_variables(words: list[str]) -> list[str]:
    while words and "=" in words[0] and not words[0].startswith("-"):
        words = words[1:]
    return words


def arguments(*program: str) -> list[list[str]]:
    """What follows a program in the examples that begin with it."""
    return [words[len(program) :] for words in commands() if words[: len(program)] == [*program]]


@pytest.mark.parametrize("words", arguments("loadtest"), ids=" ".join)
def test_a_command_of_the_tool_is_one_it_takes(words: list[str]) -> None:
    assert _taken(words)


def _taken(words: list[str]) -> bool:
    """Whether the tool has this command with these options; it raises otherwise."""
    group: Any = get_command(app)
    name, *rest = words
    return bool(group.commands[name].make_context(name, rest).params)


@pytest.mark.parametrize("words", arguments("locust"), ids=" ".join)
def test_a_command_of_locust_has_known_options(words: list[str]) -> None:
    _, unknown = get_parser(default_config_files=[]).parse_known_args(words)
    assert unknown == []


@pytest.mark.parametrize("words", arguments("make"), ids=" ".join)
def test_a_target_of_make_is_there(words: list[str]) -> None:
    targets = re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), flags=re.MULTILINE)
    assert [word for word in words if "=" not in word and word not in targets] == []


def test_modules_that_are_run_are_there() -> None:
    modules = [words[0] for words in arguments("python", "-m")]
    assert "loadtest.threads" in modules
    assert [module for module in modules if not find_spec(module)] == []


def test_files_in_commands_are_there() -> None:
    named = {found for words in commands() for word in words for found in OURS.findall(word)}
    assert len(named) > 10
    assert [path for path in named if not (ROOT / path).exists()] == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_and_pictures_lead_somewhere(page: Path) -> None:
    prose = _prose(page)
    targets = re.findall(r"\]\(([^)\s]+)\)", prose)
    within = [target for target in targets if "://" not in target]
    assert [target for target in within if not _leads_somewhere(page, target)] == []


def _leads_somewhere(page: Path, target: str) -> bool:
    name, _, anchor = target.partition("#")
    path = page.parent / name if name else page
    return path.exists() and (not anchor or anchor in _anchors(path))


def _anchors(path: Path) -> set[str]:
    headings = re.findall(r"^#+ (.*)", _prose(path), flags=re.MULTILINE)
    return {re.sub(r"[^\w -]", "", text).lower().replace(" ", "-") for text in headings}


def _prose(path: Path) -> str:
    return re.sub(r"```.*?```", "", path.read_text(), flags=re.DOTALL)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_python_in_a_page_is_python(page: Path) -> None:
    for block in re.findall(r"```python\n(.*?)```", page.read_text(), flags=re.DOTALL):
        ast.parse(block)


def test_the_example_of_a_pipeline_runs_commands_that_the_tool_takes() -> None:
    text = (DOCS / "how-to" / "pipeline.md").read_text()
    (block,) = re.findall(r"```yaml\n(.*?)```", text, flags=re.DOTALL)
    steps = yaml.safe_load(block)["jobs"]["pool"]["steps"]
    ran = [shlex.split(step["run"]) for step in steps if "run" in step]
    measuring = [words[1:] for words in ran if words[0] == "loadtest"]
    assert len(measuring) == 1
    assert _taken(measuring[0])


def test_pages_made_from_the_program_are_those_of_its_present_state() -> None:
    made = runpy.run_path(str(DOCS / "generated.py"))
    for path, name in MADE.items():
        assert path.read_text() == made[name](), f"{path.name} is outdated: make docs renews it"


def test_every_finding_is_explained() -> None:
    codes = set()
    for path in Path(loadtest.__file__).parent.rglob("analysis/**/*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            named = isinstance(node, ast.keyword) and node.arg == "code"
            if named and isinstance(node.value, ast.Constant):
                codes.add(str(node.value.value))
    explained = set(re.findall(r"`([a-z_0-9]+)`", (DOCS / "reference" / "findings.md").read_text()))
    assert len(codes) > 30
    assert codes - explained == set()


def test_the_readme_is_short() -> None:
    assert len((ROOT / "README.md").read_text().splitlines()) <= 200


def test_the_documentation_is_built_without_a_warning(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "sphinx", "-qW", "--keep-going", "-b", "html"]
    built = subprocess.run(
        [*command, str(DOCS), str(tmp_path)], capture_output=True, text=True, check=False
    )
    assert (built.returncode, built.stderr) == (0, "")
    assert "how-to/own-application" in (tmp_path / "llms.txt").read_text()
