"""Which part may import which: the arrows between the parts of the house, followed to the end."""

from pathlib import Path

import pytest

import loadtest
from tests.imports import Imports, part_of

HOUSE = Imports(Path(loadtest.__file__).parent)
MEASURING = ("pool", "database", "recording", "live", "load")
READING = ("analysis", "report")
# Each part, and the parts that its modules may reach.
BELOW: dict[str, tuple[str, ...]] = {
    "charts": (),
    "model": (),
    "runfile": ("model",),
    "analysis": ("runfile", "model"),
    "report": ("analysis", "runfile", "model", "charts"),
    "pool": ("runfile", "model"),
    "database": ("pool", "runfile", "model"),
    "recording": ("database", "pool", "runfile", "model"),
    "live": ("recording", "database", "pool", "runfile", "model", "charts"),
    "load": ("live", "recording", "database", "pool", "runfile", "model", "charts"),
    "experiment": (*MEASURING, *READING, "runfile", "model", "charts"),
    "cli": ("experiment", *MEASURING, *READING, "runfile", "model", "charts"),
}
# Applications import these.
LIGHT = ("loadtest.model.interval", "loadtest.model.distribution", "loadtest.runfile.writer")
HEAVY = {"pydantic", "msgspec", "locust", "gevent", "scipy", "matplotlib"}


def climbing(house: Imports) -> dict[str, set[str]]:
    """The modules that reach a part which is not below theirs, and what they reach there."""
    found: dict[str, set[str]] = {}
    for part, below in BELOW.items():
        others = [name for name in house.modules if part_of(name) not in (part, "", *below)]
        found |= house.reaching(house.of_part(part), others)
    return found


def test_arrows_point_downwards() -> None:
    assert climbing(HOUSE) == {}


def test_there_is_no_cycle() -> None:
    assert HOUSE.cycle() == []


def test_the_root_has_packages_and_what_python_starts() -> None:
    parts = {part_of(name) for name in HOUSE.modules} - {"", "__main__", "threads"}
    assert parts <= BELOW.keys()


@pytest.mark.parametrize("part", ["pool", "database", "recording"])
def test_the_instrument_knows_nothing_of_locust(part: str) -> None:
    assert HOUSE.reaching(HOUSE.of_part(part), {"locust", "gevent"}) == {}


def test_reading_needs_nothing_of_the_measuring_half() -> None:
    never = {"locust", "gevent", "sqlalchemy"}
    assert HOUSE.reaching(HOUSE.of_part(*READING), never) == {}


def test_a_command_never_imports_locust() -> None:
    commands = [*HOUSE.of_part("cli"), "loadtest.__main__"]
    assert len(commands) > 10
    assert HOUSE.reaching(commands, {"locust", "gevent", *HOUSE.of_part("load")}) == {}


def test_the_processes_that_ask_a_scenario_import_no_analysis() -> None:
    asking = ["loadtest.experiment.scenario_check", "loadtest.experiment.trial.trial_process"]
    assert HOUSE.reaching(asking, {"scipy", *HOUSE.of_part(*READING)}) == {}


def test_what_applications_import_is_light() -> None:
    assert HOUSE.reaching([*LIGHT, *HOUSE.of_part("pool", "recording")], HEAVY) == {}


class TestTheTestItself:
    """A house in a folder of its own, built with a forbidden import, is found wanting."""

    def house(self, folder: Path, modules: dict[str, str]) -> Imports:
        for name, content in modules.items():
            path = folder / "loadtest" / f"{name}.py"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(content)
        return Imports(folder / "loadtest")

    def test_a_direct_arrow_upwards(self, tmp_path: Path) -> None:
        modules = {"model/pool": "import loadtest.pool.measure", "pool/measure": ""}
        house = self.house(tmp_path, modules)
        assert climbing(house) == {"loadtest.model.pool": {"loadtest.pool.measure"}}

    def test_one_inside_a_function_and_by_way_of_another(self, tmp_path: Path) -> None:
        modules = {
            "analysis/verdict": "from loadtest.runfile.reader import read_run",
            "runfile/reader": "def f():\n    from loadtest.database import engine",
            "database/engine": "import sqlalchemy",
        }
        house = self.house(tmp_path, modules)
        assert climbing(house) == {
            "loadtest.analysis.verdict": {"loadtest.database.engine"},
            "loadtest.runfile.reader": {"loadtest.database.engine"},
        }

    def test_one_in_the_package_that_comes_first(self, tmp_path: Path) -> None:
        house = self.house(tmp_path, {"pool/__init__": "import pydantic", "pool/measure": ""})
        assert house.reached("loadtest.pool.measure") & HEAVY == {"pydantic"}

    def test_a_cycle(self, tmp_path: Path) -> None:
        modules = {
            "model/pool": "from loadtest.model.load import Load",
            "model/load": "def f():\n    from loadtest.model import pool",
        }
        house = self.house(tmp_path, modules)
        assert set(house.cycle()) == {"loadtest.model.load", "loadtest.model.pool"}

    def test_what_only_a_type_checker_reads(self, tmp_path: Path) -> None:
        imported = (
            "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    import loadtest.cli.run"
        )
        house = self.house(tmp_path, {"model/pool": imported, "cli/run": ""})
        assert climbing(house) == {}
