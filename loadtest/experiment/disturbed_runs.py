"""Runs that something else on the machine disturbed: done once more, the first one kept aside."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from loadtest.analysis.findings.rules import doubts
from loadtest.analysis.findings.trust_gate import DISTURBANCES
from loadtest.analysis.pool_runs import arranged
from loadtest.analysis.round import Round
from loadtest.experiment.run_plan import RunPlan
from loadtest.model.errors import CannotGoOn, LoadtestError, UsageError
from loadtest.runfile.reader import RunFile

ASIDE = "disturbed"


class Repeats:
    """Does runs, and those that were disturbed a second time.

    A pool whose second run is no better has a load that is too much for the generator: its other
    rounds are not repeated. done: what was repeated: pool, round, why, the seconds it had measured.
    """

    def __init__(self, tell: Callable[[str], None]) -> None:
        self._tell = tell
        self._in_vain: set[str] = set()
        self.done: list[dict[str, Any]] = []

    def run(self, plan: RunPlan, folder: Path, once: Callable[[], None]) -> bool:
        """Do a run, once more if need be; whether it was done again."""
        once()
        path, name = plan.file_in(folder), plan.pool.name
        why = "" if name in self._in_vain else disturbance(path)
        if not why:
            return False
        self._tell(f"  disturbed, repeating the run: {why}")
        seconds = round(Round.read(RunFile(path)).seconds, 3)
        _move(path, path.parent.parent / ASIDE)
        try:
            once()
        except LoadtestError as error:
            _move(path.parent.parent / ASIDE / path.name, path.parent)
            if isinstance(error, CannotGoOn):
                raise
            self._in_vain.add(name)
            self._tell("  the repeated run failed; the first run is kept")
            return False
        self.done.append({"pool": name, "round": plan.round, "why": why, "seconds": seconds})
        if disturbance(path):
            self._in_vain.add(name)
        return True


def disturbance(path: Path) -> str:
    """What makes a run not valid, though it may not be the pool's; empty if nothing does."""
    try:
        (pool,) = arranged([Round.read(RunFile(path))]).pools
    except UsageError:
        return ""  # it left nothing that can be read
    return ", ".join(one.code for one in doubts(pool) if one.code in DISTURBANCES)


def _move(path: Path, folder: Path) -> None:
    """Move a run, with its log, to where no report finds it, or back."""
    folder.mkdir(exist_ok=True)
    for file in (path, path.with_suffix(".log")):
        if file.exists():
            file.replace(folder / file.name)
