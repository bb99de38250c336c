"""The README of `examples/` lists every mistake of every application."""

from __future__ import annotations

import re

import pytest

from tests.examples.applications import EXAMPLES

README = (EXAMPLES / "README.md").read_text()
COLUMNS = {"fastapi_shop": 2, "flask_shop": 3, "order_worker": 4}
# It is a setting of the pool and no module.
EVERYWHERE = {"null_pool"}


@pytest.mark.parametrize("application", COLUMNS)
def test_each_mistake_of_an_application_is_in_the_table(application: str) -> None:
    table = README.partition("## Mistakes")[2]
    rows = [re.split(r" *\| *", line)[1:] for line in table.splitlines() if line.startswith("| `")]
    listed = {row[0].strip("`") for row in rows if row[COLUMNS[application]] == "yes"}
    modules = {path.stem for path in (EXAMPLES / application / "mistakes").glob("*.py")}
    assert listed - EVERYWHERE == modules - {"__init__"}
    assert len(listed) >= 5


def test_files_and_variables_of_the_readme_exist() -> None:
    sources = "".join(path.read_text() for path in EXAMPLES.rglob("*.py"))
    variables = set(re.findall(r"`([A-Z]+_[A-Z_]+)`", README))
    assert len(variables) == 8
    assert {name for name in variables if f'"{name}"' not in sources} == set()
    named = re.findall(r"^\| `(\w+(?:\.\w+)?)` \| ", README.partition("## Start")[0], re.MULTILINE)
    assert {path.name for path in EXAMPLES.iterdir()} - {"README.md", "__pycache__"} == set(named)
