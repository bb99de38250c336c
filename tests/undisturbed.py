"""The command on a machine where no other program disturbs a run: python -m tests.undisturbed.

A disturbed run waits until the machine is quiet, for up to half a minute, and is repeated. While
tests run beside each other it never is quiet. Its reports have no figures.
The children of a command whose environment names a warm process are forks of that.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from unittest import mock

from loadtest.__main__ import main
from loadtest.database.preflight.other_programs import OtherPrograms
from loadtest.experiment import disturbed_runs
from loadtest.report import render
from tests.warm_children import ADDRESS, warm_children


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
    children = warm_children() if ADDRESS in os.environ else nullcontext()
    with undisturbed(), without_figures(), children:
        main()
