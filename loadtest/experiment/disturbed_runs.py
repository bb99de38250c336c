"""Repeats runs that other programs on the machine disturbed, and keeps the first one aside."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

from loadtest.analysis.findings.generator_causes import program_shares
from loadtest.analysis.findings.rules import doubts
from loadtest.analysis.findings.trust_gate import DISTURBANCES
from loadtest.analysis.pool_runs import PoolRuns, arranged
from loadtest.analysis.round import Round
from loadtest.analysis.units import listed, percent
from loadtest.experiment.quiet_machine import wait_until_quiet
from loadtest.experiment.run_plan import RunPlan
from loadtest.model.errors import CannotGoOn, LoadtestError, UsageError
from loadtest.runfile.reader import RunFile

ASIDE = "disturbed"


class Repeats:
    """Does runs, and repeats disturbed ones once, when the machine is quiet.

    If the repeated run of a pool is disturbed too, the pool's other rounds are not repeated: the
    load is too much for the generator, or other programs go on. tell: receives notes; disturbed:
    receives the reason for a repeat, before it waits. done: the repetitions (pool, round, why,
    measured seconds of the first run).
    """

    def __init__(self, tell: Callable[[str], None], disturbed: Callable[[str], None]) -> None:
        self._tell, self._disturbed = tell, disturbed
        self._in_vain: set[str] = set()
        self.done: list[dict[str, Any]] = []

    def run(self, plan: RunPlan, folder: Path, once: Callable[[], None]) -> bool:
        """Do a run, and repeat it if it was disturbed; returns whether it was repeated."""
        once()
        path, name = plan.file_in(folder), plan.pool.name
        why = "" if name in self._in_vain else disturbance(path)
        if not why:
            return False
        self._disturbed(f"  disturbed, repeating the run: {why}{_by(path)}")
        wait_until_quiet(self._tell)
        seconds = round(Round.read(RunFile(path)).seconds, 3)
        _move(path, path.parent.parent / ASIDE)
        try:
            once()
        except (LoadtestError, KeyboardInterrupt) as error:
            _move(path.parent.parent / ASIDE / path.name, path.parent)
            if isinstance(error, CannotGoOn | KeyboardInterrupt):
                raise
            self._in_vain.add(name)
            self._tell("  the repeated run failed; the first run is kept")
            return False
        self.done.append({"pool": name, "round": plan.round, "why": why, "seconds": seconds})
        if disturbance(path):
            self._in_vain.add(name)
            self._tell(f"  disturbed again: further runs of {name} are not repeated")
        return True


def disturbance(path: Path) -> str:
    """The codes of the disturbances that make a run invalid; empty without any."""
    try:
        pool = _pool(path)
    except UsageError:
        return ""  # the run left no readable file
    return ", ".join(one.code for one in doubts(pool) if one.code in DISTURBANCES)


def _by(path: Path) -> str:
    """The programs that disturbed a run, if they are known."""
    shares = [f"{name} {percent(share)}" for name, share in program_shares(_pool(path)).items()]
    return f" (processors used by {listed(shares)})" if shares else ""


def _pool(path: Path) -> PoolRuns:
    (pool,) = arranged([Round.read(RunFile(path))]).pools
    return pool


def _move(path: Path, folder: Path) -> None:
    """Move a run to a folder, with its log, and the log and the recording of its application."""
    folder.mkdir(exist_ok=True)
    for file in (path, *map(path.with_suffix, (".log", ".app.log", ".app"))):
        if file.exists():
            if file.is_dir():
                shutil.rmtree(folder / file.name, ignore_errors=True)
            file.replace(folder / file.name)
