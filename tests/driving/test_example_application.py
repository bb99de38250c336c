"""The experiment of the demo with an application, and its message without the packages for it."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from loadtest.experiment import bundled_scenarios
from loadtest.experiment.driving import example_application
from loadtest.experiment.driving.example_application import example_experiment
from loadtest.model.experiment import read_experiment
from tests.cli.test_cli import Loadtest, assert_usage_error
from tests.conftest import ROOT

EXPERIMENT = ROOT / "examples" / "flash_sale.toml"


def test_missing_packages_are_named_with_the_extra(
    loadtest: Loadtest, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    there = {"fastapi", "httpx"}
    found = {"find_spec": lambda name: name if name in there else None}
    monkeypatch.setattr(example_application, "find_spec", found["find_spec"])
    ended = loadtest("demo", "--app", cwd=tmp_path)
    advice = "pip install 'pool-loadtest[examples]'"
    assert_usage_error(ended, f"the example application needs uvicorn, aiomysql; try: {advice}")
    assert [*tmp_path.iterdir()] == []


def test_this_python_starts_the_application_on_a_free_port(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(example_application, "free_port", lambda: 41234)
    monkeypatch.setattr(sys, "executable", "/opt/my tools/bin/python3")
    (shop,) = example_experiment().application
    assert shop.words() == (
        *("/opt/my tools/bin/python3", "-m", "uvicorn", "--port", "41234", "--no-access-log"),
        "fastapi_shop.app:app",
    )
    assert shop.preparing == ("/opt/my tools/bin/python3", "-m", "fastapi_shop")
    assert (shop.ready, shop.port) == ("http://127.0.0.1:41234/health", 41234)


def test_only_the_port_and_the_python_differ_from_the_file() -> None:
    (written,), (shop,) = read_experiment(EXPERIMENT).application, example_experiment().application
    same = {"env", "cwd", "engine", "stop_timeout"}
    assert shop.model_dump(include=same) == written.model_dump(include=same)
    assert (ROOT / "examples").samefile(shop.cwd or "")
    as_written = {"command": written.command, "ready": written.ready, "prepare": written.prepare}
    for key, text in as_written.items():
        back = getattr(shop, key).replace(str(shop.port), "8800").replace(sys.executable, "python")
        assert back == text


def test_it_asks_the_question_of_the_demo_without_an_application() -> None:
    through, direct = example_experiment(), read_experiment(ROOT / "scenarios" / "hot_row.toml")
    assert [one.name for one in through.pool] == ["default", "20+0", "3000+inf"]
    sizes = [(one.pool_size, one.max_overflow) for one in through.pool]
    assert sizes == [(5, 10), (20, 0), (3000, -1)]
    assert sizes[::2] == [(one.pool_size, one.max_overflow) for one in direct.pool[::2]]
    for same in ("baseline", "rounds", "seed"):
        assert getattr(through, same) == getattr(direct, same)


def test_examples_of_an_installed_package_are_inside_of_it(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    package = tmp_path / "loadtest"
    (package / "examples").mkdir(parents=True)
    monkeypatch.setattr(bundled_scenarios.loadtest, "__file__", os.fspath(package / "__init__.py"))
    assert bundled_scenarios.examples_folder() == package / "examples"
    assert bundled_scenarios.scenarios_folder() == tmp_path / "scenarios"
