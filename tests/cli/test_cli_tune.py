"""What `loadtest tune` says before anything runs."""

from pathlib import Path

import pytest

from tests.cli.test_cli import Loadtest
from tests.conftest import ROOT
from tests.driving.applications import VISITORS

READY = "http://127.0.0.1:8800/health"
HELD = ROOT / "scenarios" / "held_connection.py"


def test_the_plan_says_how_long_it_takes_at_most(loadtest: Loadtest) -> None:
    ended = loadtest("tune", HELD, "-u", 20, "-t", "6s", "--warmup", "1s", "--dry-run")
    assert ended.returncode == 0, ended.stderr
    first, then, most = ended.stdout.splitlines()
    assert "--pool-name default --pool-size 5 --max-overflow 10" in first
    assert then.startswith("then, 1..20 ")
    assert "-t 7s --warmup 1s" in then
    assert "at most 31 runs, 4 min 54 s; disturbed runs are repeated" in most


def test_the_plan_has_every_number_of_processes(loadtest: Loadtest, tmp_path: Path) -> None:
    (tmp_path / "visitors.py").write_text(VISITORS.format(path="/rows"))
    ended = loadtest(
        *("tune", tmp_path / "visitors.py", "--app", "shop -w {app_processes}", "--ready", READY),
        *("--app-processes", "1,2", "-u", 20, "-t", "6s", "--warmup", "1s", "--dry-run"),
    )
    assert ended.returncode == 0, ended.stderr
    *plans, most = ended.stdout.splitlines()
    assert [line.split("--app-processes ")[1][0] for line in plans] == ["1", "1", "2", "2"]
    assert ["--pool as-is" in line for line in plans] == [True, False, True, False]
    assert "at most 62 runs, 9 min 49 s" in most


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--arrival-rate", 50), "give a limit for the wait"),
        (("--arrival-rate", 50, "--objective", "errors.rate <= 1%"), "give a limit for the wait"),
        (("-t", "3s"), "--time 3s: the runs of a search need at least 4 s"),
        (("--model", "greenlets,threads"), "a search has one model"),
        (("--objective", "checkout.wait <= 3ms"), "is not a value of a pool"),
        (("--at-most", 0), "must be at least 1"),
        (("--app", "a", "--app", "b", "--ready", READY), "a search drives one application"),
    ],
)
def test_mistakes_are_told_before_anything_runs(
    loadtest: Loadtest, tmp_path: Path, arguments: tuple[object, ...], said: str
) -> None:
    ended = loadtest("tune", HELD, *arguments, "--results", tmp_path)
    assert ended.returncode == 2
    assert said in " ".join(ended.stderr.split())
    assert list(tmp_path.iterdir()) == []
