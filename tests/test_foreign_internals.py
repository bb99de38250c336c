"""Private attributes of other packages, and undocumented parts of Locust, stay in three modules."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

import loadtest

HOUSE = Path(loadtest.__file__).parent
# The last one is on PYTHONPATH of applications and can import nothing of ours.
ALLOWED = (
    "pool/sqlalchemy_internals.py",
    "load/locust_internals.py",
    "load/web_ui_internals.py",
    "recording/injected/sitecustomize.py",
)
# Python documents these, or exports them in `__all__`.
PUBLIC = {"asyncio._get_running_loop", "os._exit", "sys._current_frames", "sys._getframe"}
NAMED_TUPLE = {"_asdict", "_fields", "_make", "_replace"}
# Of the tool's own plugin, which hangs on Locust's environment.
OWN = {"cast(Any, self.environment).loadtest._refuse"}
_PRIVATE = re.compile(r"_[a-z]\w*")

# What docs.locust.io has, by module; and of objects that go by these names, their attributes.
LOCUST_MODULES = {
    "locust": {"LoadTestShape", "TaskSet", "User", "events", "stats", "task"},
    "locust.clients": {"HttpSession"},
    "locust.contrib.fasthttp": {"FastHttpSession"},
    "locust.env": {"Environment"},
    "locust.exception": {
        *("InterruptTaskSet", "RescheduleTask", "RescheduleTaskImmediately"),
        *("StopTest", "StopUser"),
    },
    "locust.runners": {"LocalRunner", "MasterRunner", "WorkerRunner"},
}
_MESSAGES = {"register_message", "send_message"}
LOCUST_ATTRIBUTES = {
    "runner": {"environment", "greenlet", "quit", "start", "stop", "user_count", *_MESSAGES},
    "environment": {
        *("events", "parsed_locustfiles", "parsed_options", "process_exit_code", "runner"),
        *("shape_class", "stop_timeout", "user_classes", "web_ui", "loadtest"),
    },
    "web_ui": {"app", "auth_required_if_enabled", "template_args"},
}


def private_uses(tree: ast.AST) -> Iterator[str]:
    """Private names in a module that none of its own classes defines."""
    own = set(_defined(tree))
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and _PRIVATE.fullmatch(node.attr):
            text = ast.unparse(node)
            if (node.attr not in own or text.startswith("super()")) and not _public(node, text):
                yield text
        elif isinstance(node, ast.Call):
            yield from _named_in_call(node)
        elif isinstance(node, ast.ImportFrom) and not str(node.module).startswith("loadtest"):
            yield from (each.name for each in node.names if _PRIVATE.fullmatch(each.name))


def _defined(tree: ast.AST) -> Iterator[str]:
    """The names that the classes of a module define: methods, fields, attributes of `self`."""
    for cls in ast.walk(tree):
        for node in ast.walk(cls) if isinstance(cls, ast.ClassDef) else ():
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                yield node.name
            elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
                yield node.id
            elif isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store):
                yield from [node.attr] if ast.unparse(node.value) == "self" else []


def _public(node: ast.Attribute, text: str) -> bool:
    return text in PUBLIC | OWN or node.attr in NAMED_TUPLE


def _named_in_call(call: ast.Call) -> Iterator[str]:
    """Private names as keywords, and as strings in `getattr` and its like."""
    yield from (each.arg for each in call.keywords if each.arg and _PRIVATE.fullmatch(each.arg))
    for argument in call.args:
        text = argument.value if isinstance(argument, ast.Constant) else None
        if isinstance(text, str) and _PRIVATE.fullmatch(text):
            yield text


def undocumented_imports(tree: ast.AST) -> Iterator[str]:
    """What a module imports of Locust that is not documented."""
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and str(node.module).partition(".")[0] == "locust":
            known = LOCUST_MODULES.get(str(node.module), set())
            yield from (f"{node.module}.{n.name}" for n in node.names if n.name not in known)
        elif isinstance(node, ast.Import):
            yield from (each.name for each in node.names if each.name.startswith("locust."))


def undocumented_attributes(tree: ast.AST) -> Iterator[str]:
    """What a module on Locust's side uses of Locust's objects that is not documented."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute):
            name = _last_name(node.value).lstrip("_")
            if name in LOCUST_ATTRIBUTES and node.attr not in LOCUST_ATTRIBUTES[name]:
                yield ast.unparse(node)


def _last_name(node: ast.expr) -> str:
    """What an attribute or a variable is called; empty for other expressions."""
    if isinstance(node, ast.Attribute):
        return node.attr
    return node.id if isinstance(node, ast.Name) else ""


def uses_of(tree: ast.AST) -> list[str]:
    """All that a module on Locust's side uses and should not."""
    return [*private_uses(tree), *undocumented_imports(tree), *undocumented_attributes(tree)]


def found_in(folder: Path) -> dict[str, list[str]]:
    """What the modules in a folder use and should not."""
    found: dict[str, list[str]] = {}
    for path in sorted(folder.rglob("*.py")):
        name = path.relative_to(folder).as_posix()
        tree = ast.parse(path.read_text(encoding="utf-8"))
        uses = [*private_uses(tree), *undocumented_imports(tree)]
        if name.startswith(("live/", "load/")):  # others have environments, too
            uses += undocumented_attributes(tree)
        if uses and name not in ALLOWED:
            found[name] = uses
    return found


def test_no_other_module_uses_private_attributes_or_undocumented_parts_of_locust() -> None:
    assert found_in(HOUSE) == {}


@pytest.mark.parametrize("name", ALLOWED)
def test_the_modules_are_there(name: str) -> None:
    tree = ast.parse((HOUSE / name).read_text(encoding="utf-8"))
    assert uses_of(tree), "they are what this test is about"


@pytest.mark.parametrize(
    ("text", "used"),
    [
        ("pool._recycle", "pool._recycle"),
        ("class A:\n    def f(self):\n        return self.pool._pool", "self.pool._pool"),
        ("class A(Pool):\n    def f(self):\n        return self._do_get()", "self._do_get"),
        (
            "class A(Pool):\n    def _do_get(self):\n        return super()._do_get()",
            "super()._do_get",
        ),
        ("getattr(pool, '_return_conn')", "_return_conn"),
        ("Pool(_dispatch=events)", "_dispatch"),
        ("from sqlalchemy.pool import _finalize_fairy", "_finalize_fairy"),
        ("from locust.user.task import TaskSet", "locust.user.task.TaskSet"),
        ("from locust.exception import StopTest, RPCError", "locust.exception.RPCError"),
        ("import locust.main", "locust.main"),
        ("self.runner.clients.running", "self.runner.clients"),
        ("environment.update_user_class", "environment.update_user_class"),
        ("web_ui.update_template_args()", "web_ui.update_template_args"),
    ],
)
def test_each_of_these_is_found(text: str, used: str) -> None:
    assert uses_of(ast.parse(text)) == [used]


@pytest.mark.parametrize(
    "text",
    [
        "class A:\n    def f(self, b):\n        self._own = b._own",
        "class A:\n    _made: int = 0\n    def f(self):\n        return self._made",
        "class A:\n    def _own(self):\n        self._own()",
        "os._exit(1)",
        "Point._fields",
        "self.runner.start(1, 2)",
        "from locust import events",
        "import locust",
    ],
)
def test_none_of_these_is_found(text: str) -> None:
    assert uses_of(ast.parse(text)) == []
