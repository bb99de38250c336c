"""Locust that hears its master before it has started: slow_start.py LOCUST'S ARGUMENTS."""

from locust.main import main
from locust.runners import WorkerRunner

import sys
import time

_connect = WorkerRunner.connect_to_master


def _connect_slowly(self: WorkerRunner) -> None:
    _connect(self)
    time.sleep(2)


WorkerRunner.connect_to_master = _connect_slowly  # type: ignore[method-assign]
sys.exit(main())
