"""What the modules of a package import, directly and by way of others."""

import ast
from collections.abc import Iterable, Iterator
from functools import cached_property
from graphlib import CycleError, TopologicalSorter
from pathlib import Path


class Imports:
    """The imports of all modules below a package's folder, those inside functions included.

    What only a type checker reads (`if TYPE_CHECKING:`) does not count.
    """

    def __init__(self, root: Path) -> None:
        self.package = root.name
        self.modules = {self._name(path, root): path for path in root.rglob("*.py")}

    @staticmethod
    def _name(path: Path, root: Path) -> str:
        parts = path.relative_to(root.parent).with_suffix("").parts
        return ".".join(parts).removesuffix(".__init__")

    @cached_property
    def direct(self) -> dict[str, frozenset[str]]:
        """The names in the import statements of each module."""
        return {name: frozenset(self._named(name)) for name in self.modules}

    def _named(self, module: str) -> Iterator[str]:
        for node in _nodes(ast.parse(self.modules[module].read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                yield from (alias.name for alias in node.names)
            elif isinstance(node, ast.ImportFrom):
                assert node.module, f"{module} has a relative import"
                names = [f"{node.module}.{alias.name}" for alias in node.names]
                modules = [name for name in names if name in self.modules]
                yield from modules
                if len(modules) < len(names):
                    yield node.module

    def of_part(self, *parts: str) -> list[str]:
        """The modules in these folders of the package."""
        return [name for name in self.modules if part_of(name) in parts]

    def reached(self, module: str) -> set[str]:
        """All that is imported along with a module; other packages by their first name."""
        found: set[str] = set()
        left = {module}
        while left:
            name = left.pop()
            known = name if name in self.modules else name.partition(".")[0]
            if known not in found:
                found.add(known)
                left |= self._next(known)
        return found

    def _next(self, module: str) -> set[str]:
        parent = {module.rpartition(".")[0]} - {""}  # Python imports the package first
        return {*self.direct[module], *parent} if module in self.modules else set()

    def reaching(self, modules: Iterable[str], never: Iterable[str]) -> dict[str, set[str]]:
        """The modules that reach what they never should, and what that is."""
        found = {module: self.reached(module) & set(never) for module in modules}
        return {module: names for module, names in found.items() if names}

    def cycle(self) -> list[str]:
        """One cycle of imports; empty if there is none."""
        own = {name: names & self.modules.keys() for name, names in self.direct.items()}
        try:
            TopologicalSorter(own).prepare()
        except CycleError as error:
            return list(error.args[1])
        return []


def part_of(module: str) -> str:
    """The folder that a module is in, or its own name; empty for the package."""
    return module.partition(".")[2].partition(".")[0]


def _nodes(tree: ast.AST) -> Iterator[ast.AST]:
    for child in ast.iter_child_nodes(tree):
        if not (isinstance(child, ast.If) and ast.unparse(child.test) == "TYPE_CHECKING"):
            yield child
            yield from _nodes(child)
