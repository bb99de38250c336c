"""The command on a machine where no other program disturbs a run: python -m tests.undisturbed.

A disturbed run waits until the machine is quiet, for up to half a minute, and is repeated. While
tests run beside each other it never is quiet. Its reports have no figures.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from unittest import mock

from loadtest.__main__ import main
from loadtest.database.preflight.other_programs import OtherPrograms
from loadtest.experiment import disturbed_runs
from loadtest.report import render


@contextmanager
def undisturbed() -> Iterator[None]:
    """A while in which no run counts as disturbed, and no command warns of other programs."""
    with (
        mock.patch.object(disturbed_runs, "disturbance", return_value=""),
        mock.patch.object(OtherPrograms, "shares", return_value=[]),
    ):
        yield


@contextmanager
def without_figures() -> Iterator[None]:
    """A while in which reports have no figures, which take longer than all else in a report."""
    with mock.patch.object(render, "draw_figures", return_value=[]):
        yield


if __name__ == "__main__":
    with undisturbed(), without_figures():
        main()
