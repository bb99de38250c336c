"""The command `loadtest init`, and the scenario that it writes on a real server."""

from __future__ import annotations

from pathlib import Path

import pytest

from loadtest.model.interval import total
from loadtest.runfile.reader import read_run
from tests.scenario_writer.blogs import BLOG, CORE, Loadtest


@pytest.mark.server
@pytest.mark.parametrize(("name", "text"), [("weblog", BLOG), ("library", CORE)])
def test_a_written_scenario_runs_unchanged_on_a_private_server(
    loadtest: Loadtest, tmp_path: Path, name: str, text: str
) -> None:
    (tmp_path / name).mkdir()
    (tmp_path / name / "models.py").write_text(text)

    wrote = loadtest("init", "--models", f"{name}.models", cwd=tmp_path)
    assert wrote.returncode == 0, wrote.stderr
    assert wrote.stdout.splitlines()[0] == f"wrote {name}_load.py"

    load = ("-u", 3, "-t", "2s", "--warmup", "0s", "--results", tmp_path / "x")
    ran = loadtest("run", f"{name}_load.py", *load, cwd=tmp_path)
    assert ran.returncode in (0, 4), ran.stderr  # 4: on a busy machine it says so
    assert "Tried once before the load" not in ran.stderr
    (path,) = tmp_path.glob("x/*-load-*/runs/*.jsonl")
    counters = total(read_run(path).intervals).counters
    assert counters["requests"] > 0
    assert counters["failures"] == 0


def test_nothing_is_overwritten(loadtest: Loadtest, tmp_path: Path) -> None:
    (tmp_path / "shelves.py").write_text(CORE)
    (tmp_path / "mine.py").write_text("# mine\n")
    ended = loadtest("init", "--models", "shelves", "-o", "mine.py", cwd=tmp_path)
    assert ended.returncode == 2
    assert ended.stderr == "mine.py exists: choose another -o FILE\n"
    assert (tmp_path / "mine.py").read_text() == "# mine\n"


def test_without_models_it_says_what_to_give(loadtest: Loadtest) -> None:
    ended = loadtest("init")
    assert ended.returncode == 2
    assert ended.stderr.startswith("name the module of your models: loadtest init --models blog.")
