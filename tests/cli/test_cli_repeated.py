"""An option that has one value is refused when it is given twice: no value is lost silently."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.cli.test_cli import Loadtest
from tests.conftest import ROOT

HOT_ROW = ROOT / "scenarios" / "hot_row.py"
POOLS = ("--pool", "5+10", "--pool", "20+0")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("run", HOT_ROW, *POOLS), "--pool is given 2 times: a run has one pool; loadtest compare"),
        (("run", HOT_ROW, "-u", 5, "--users", 6), "--users is given 2 times; give it once."),
        (("compare", HOT_ROW, *POOLS, "-t", "5s", "-t", "6s"), "--time is given 2 times"),
        (("tune", HOT_ROW, "--at-most", 3, "--at-most", 4), "--at-most is given 2 times"),
        (("capacity", "--processes", 2, "--processes", 3), "--processes is given 2 times"),
        (
            ("run", HOT_ROW, "--option", "hot_rows=1", "--option", "hot-rows=2"),
            "--option hot-rows is given twice; give it once",
        ),
    ],
)
def test_a_repeated_option_is_refused(
    loadtest: Loadtest, tmp_path: Path, arguments: tuple[Any, ...], message: str
) -> None:
    ended = loadtest(*arguments, cwd=tmp_path)
    assert ended.returncode == 2, ended.stdout
    assert message in " ".join(ended.stderr.split())
    assert list(tmp_path.iterdir()) == []


def test_a_flag_may_be_repeated(loadtest: Loadtest) -> None:
    dry = ("compare", HOT_ROW, *POOLS, "--rounds", 1, "--dry-run", "--dry-run")
    ended = loadtest(*dry)
    assert ended.returncode == 0, ended.stderr


def test_a_server_is_not_chosen_beside_a_database(loadtest: Loadtest) -> None:
    address = ("--database-url", "mysql+pymysql://u:s3cr3t@127.0.0.1:9/d")
    ended = loadtest("doctor", "--server", "mariadb", *address)
    assert ended.returncode == 2
    assert "--server chooses a private server, but you gave a database" in ended.stderr
