"""The command on a machine where no other program disturbs a run: python -m tests.undisturbed.

A disturbed run waits until the machine is quiet, for up to half a minute, and is repeated. While
tests run beside each other it never is quiet.
"""

from __future__ import annotations

from contextlib import AbstractContextManager
from typing import Any
from unittest import mock

from loadtest.__main__ import main
from loadtest.experiment import disturbed_runs


def undisturbed() -> AbstractContextManager[Any]:
    """A while in which no run counts as disturbed."""
    return mock.patch.object(disturbed_runs, "disturbance", return_value="")


if __name__ == "__main__":
    with undisturbed():
        main()
