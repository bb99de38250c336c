"""The file in which a worker keeps what it measured itself, beside what it sends to its master."""

from __future__ import annotations

from locust import events

import time
from argparse import Namespace
from collections import Counter
from pathlib import Path
from typing import Any

from loadtest.load.options.run_options import Group
from loadtest.model.end_reason import End, EndReason
from loadtest.model.interval import Interval
from loadtest.model.pool import PoolConfig
from loadtest.runfile.writer import RunWriter


@events.init_command_line_parser.add_listener
def _add_option(parser: Any) -> None:
    Group(parser, "Several processes").add_argument(
        "--worker-results",
        default="",
        help="folder, on the machine of each worker, for a result file of its own; the master's "
        "has what all of them measured anyway",
        include_in_web_ui=False,
    )


class OwnFile:
    """The result file of one worker; Locust hands the master's `--worker-results` to all of them.

    Raises UsageError if it cannot be made, LoadtestError if it cannot be written.
    """

    def __init__(self, folder: str, process: str, pool: PoolConfig) -> None:
        path = Path(folder) / f"{process.replace(':', '-')}.jsonl"
        header = {"pool": pool.model_dump(), "process": process, "started": time.time()}
        self._writer = RunWriter(path, header)
        self._counters: Counter[str] = Counter()

    @classmethod
    def wanted(cls, options: Namespace, process: str, pool: PoolConfig) -> OwnFile | None:
        """The file, if the options ask for one."""
        folder = getattr(options, "worker_results", "")
        return cls(folder, process, pool) if folder else None

    def add(self, interval: Interval) -> None:
        """Append an interval."""
        self._counters.update(interval.counters)
        self._writer.add(interval)

    def close(self) -> None:
        """End the file in good order."""
        self._writer.close(
            End(EndReason.STOPPED), {"counters": dict(sorted(self._counters.items()))}
        )
