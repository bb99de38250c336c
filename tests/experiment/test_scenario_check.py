"""A scenario is looked at before anything is started: what is wrong with it is told at once."""

from pathlib import Path
from typing import Any

import pytest

from loadtest.experiment.rounds import check_scenario
from loadtest.model.errors import UsageError
from loadtest.model.experiment import Experiment
from loadtest.model.pool import parse_pool
from loadtest.runfile.folders import as_typed
from tests.conftest import ROOT, long

pytestmark = pytest.mark.usefixtures("warm")

HOT_ROW = ROOT / "scenarios" / "hot_row.py"
USERS = """
from locust import User, events, task
from loadtest.load import PoolUser

class Ours(PoolUser):
    @classmethod
    def add_options(cls, group):
        group.add_argument("--kind", choices=["a", "b"], default="a")
        group.add_argument("--fast", action="store_true")

class Theirs(User):
    pass

@events.init_command_line_parser.add_listener
def more(parser):
    parser.add_argument("--locusts-way", type=float, default=1.0)
"""


def experiment(scenario: Path, **more: Any) -> Experiment:
    pools = (parse_pool("poolclass=NullPool"), parse_pool("5+10"))
    return Experiment(name="test", scenario=scenario, pool=pools, **more)


def problems(scenario: Path, **more: Any) -> list[str]:
    """What is wrong with a scenario, without its folder."""
    with pytest.raises(UsageError) as refused:
        check_scenario(experiment(scenario, **more))
    folder = f"{as_typed(scenario.parent)}/"
    return [text.replace(folder, "") for text in refused.value.problems]


@pytest.fixture
def written(tmp_path: Path) -> Path:
    path = tmp_path / "shop.py"
    path.write_text(USERS)
    return path


def test_options_are_taken_whoever_added_them(written: Path) -> None:
    options: dict[str, Any] = {"kind": "b", "fast": True, "locusts-way": 2}
    check_scenario(experiment(written, options=options, user_classes=("Ours",)))


def test_all_unknown_options_are_told_with_the_known_ones() -> None:
    found = problems(HOT_ROW, options={"hot_rowz": 80, "users": 5, "hot_rows": 3, "round": False})
    names = ("hot_rowz", "users", "round")
    known = "its options are hot_rows, hot_work"
    assert found == [f"hot_row.py has no option {name}; {known}" for name in names]


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        ({"locusts_way": "many"}, "option locusts_way: invalid float value: 'many'"),
        long({"locusts_way": True}, "option locusts_way: expected one argument"),
        long({"kind": "c"}, "option kind: invalid choice: 'c' (choose from 'a', 'b')"),
        long({"fast": "true"}, "option fast: 'true' is neither true nor false"),
    ],
)
def test_values_of_another_type_are_told(
    written: Path, options: dict[str, Any], problem: str
) -> None:
    assert problems(written, options=options) == [f"shop.py: {problem}"]


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        long("import os\nx = = 3\n", "shop.py, line 2: SyntaxError: invalid syntax"),
        long(
            "\n\nimport no_such", "shop.py, line 3: ModuleNotFoundError: No module named 'no_such'"
        ),
        ("print('[1]')\nimport helper\n", "helper.py, line 2: KeyError: 'x'"),
        long("raise SystemExit('set SHOP first')", "shop.py, line 1: SystemExit: set SHOP first"),
        ("import os\nos._exit(3)", "shop.py ends the process during the import."),
        ("", "shop.py has no PoolUser: derive its users from loadtest.load.PoolUser"),
    ],
)
def test_what_cannot_run_is_told_with_its_place(tmp_path: Path, content: str, problem: str) -> None:
    (tmp_path / "helper.py").write_text("def f():\n    raise KeyError('x')\nf()\n")
    (tmp_path / "shop.py").write_text(content)
    assert problems(tmp_path / "shop.py") == [problem]


def test_users_that_are_chosen_must_be_there_and_ask_for_connections(written: Path) -> None:
    assert problems(written, user_classes=("Ours", "Others")) == [
        "shop.py has no user class Others; it has: Ours, Theirs"
    ]
    (problem,) = problems(written, user_classes=("Theirs",))
    assert problem.startswith("shop.py has no PoolUser")


@pytest.mark.parametrize(
    "content",
    [
        long("from locust import LoadTestShape\nclass Rush(LoadTestShape):\n    tick = None\n"),
        "from helper import Rush\n",
    ],
)
def test_a_shape_is_refused_also_an_imported_one(written: Path, content: str) -> None:
    shape = "from locust import LoadTestShape\nclass Rush(LoadTestShape):\n    tick = None\n"
    (written.parent / "helper.py").write_text(shape)
    written.write_text(content + USERS)

    (problem,) = problems(written)
    assert problem.startswith("shop.py has a LoadTestShape (Rush), which would replace users and")
    assert "--stages 10s:20,10s:20-200 or [[load.stage]]" in problem


def test_the_base_of_shapes_is_none(written: Path) -> None:
    written.write_text("from locust import LoadTestShape\n" + USERS)
    check_scenario(experiment(written))


def test_settings_from_outside_are_named_and_change_nothing(
    written: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(written.parent)
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    monkeypatch.setenv("LOCUST_USER_CLASSES", "Nobody")
    (written.parent / "locust.conf").write_text("kind = c\nfast = true\nno-such = 1\n")

    looked = check_scenario(experiment(written, options={"kind": "b"}))
    assert looked.warnings == []
    assert looked.ignored == (
        "Ignored, because loadtest sets up its own runs: locust.conf (kind, fast, no-such), "
        "LOCUST_USER_CLASSES"
    )
