"""One meaning per name: what two modules define under one name is listed here, with the reason."""

import ast
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import loadtest

HOUSE = Path(loadtest.__file__).parent
SHARED = {
    "draw": "every figure's module draws its own",
    "HELP": "every figure's module says how to read its own",
    "logger": "one logger for the whole tool",
    "main": "the entry of a program: the command, and Locust with users as threads",
    "record": "the command, and the function that an application calls instead",
    "INTERRUPTED": "one exit code, in three places that begin before anything else is imported",
}
# A command has the name of what it is about; a module of `model` that of the term. What is measured
# of driven applications, and what is reported of them, is a package each.
MODULES = {
    *("capacity", "doctor", "whatif", "report", "experiment", "load", "pool", "prediction"),
    *("run", "export", "driven"),
}


def public(path: Path) -> Iterator[str]:
    """The functions, classes and constants that a module defines for others."""
    for node in ast.parse(path.read_text()).body:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            yield from filter(_is_public, [node.name])
        elif isinstance(node, ast.Assign | ast.AnnAssign):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            names = [one for target in targets for one in ast.walk(target)]
            yield from (one.id for one in names if isinstance(one, ast.Name) and _is_public(one.id))


def _is_public(name: str) -> bool:
    return not name.startswith("_")


def shared(house: Path) -> dict[str, list[str]]:
    """The names that more than one module below a folder defines, and these modules."""
    homes: dict[str, list[str]] = defaultdict(list)
    for path in sorted(house.rglob("*.py")):
        for name in dict.fromkeys(public(path)):
            homes[name].append(str(path.relative_to(house)))
    return {name: modules for name, modules in homes.items() if len(modules) > 1}


def test_a_name_is_defined_in_one_module_or_listed_with_a_reason() -> None:
    unlisted = {name: homes for name, homes in shared(HOUSE).items() if name not in SHARED}
    assert unlisted == {}


def test_the_list_has_no_name_that_is_defined_once() -> None:
    assert SHARED.keys() <= shared(HOUSE).keys()


def test_modules_and_packages_have_names_of_their_own() -> None:
    paths = [path for path in HOUSE.rglob("*.py") if path.name != "__init__.py"]
    stems = [path.stem for path in paths] + [path.name for path in HOUSE.rglob("*/")]
    packages = [name for name in stems if not name.startswith("__")]
    assert {name for name in packages if packages.count(name) > 1} == MODULES


def test_what_is_shared_is_found(tmp_path: Path) -> None:
    (tmp_path / "part").mkdir()
    (tmp_path / "one.py").write_text("LOOKS, _MOST = 1, 2\nclass Rate: ...\ndef decided(): ...")
    (tmp_path / "part" / "two.py").write_text("LOOKS: int = 3\n_MOST = 4\nasync def decided(): ...")
    both = ["one.py", "part/two.py"]
    assert shared(tmp_path) == {"LOOKS": both, "decided": both}
