"""The results of one run of Locust, and the report made from them."""

from __future__ import annotations

import logging
import os
import platform
import subprocess
import time
from argparse import Namespace
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import Any

import psutil

from loadtest import __version__
from loadtest.database.preflight.handshake import tls_context_seconds
from loadtest.database.preflight.machine_limits import local_port_count, open_files_limit
from loadtest.database.preflight.other_programs import OtherPrograms
from loadtest.live.displays import Live
from loadtest.live.report_process import REPORTED, report_command
from loadtest.load.interval_stream import IntervalStream
from loadtest.load.workers.protocol import Workers
from loadtest.model.end_reason import End
from loadtest.model.errors import LoadtestError
from loadtest.model.interval import Interval
from loadtest.runfile.folders import new_folder
from loadtest.runfile.writer import RunWriter

logger = logging.getLogger("loadtest")
PACKAGES = ("sqlalchemy", "pymysql", "locust", "gevent")


class RunOutput:
    """The result file of a run, and its report when `--results` names a folder.

    Raises UsageError if the file cannot be made.
    """

    def __init__(self, options: Namespace, live: Live, header: dict[str, Any]) -> None:
        name = options.run_name or _name_of(header["scenario"]["files"])
        path = Path(options.results)
        self.folder: Path | None = None
        if path.suffix != ".jsonl":
            self.folder = new_folder(path, name)
            path = self.folder / "runs" / f"{header['pool']['name']}-{options.round}.jsonl"
        facts = {"name": name, "round": options.round, "versions": versions()}
        facts["host"] = {**machine_facts(), "open_files": open_files_limit()}
        self._others = OtherPrograms()
        # Faults count from here, so the load must begin at once.
        writer = RunWriter(path, {**header, **facts, "started": time.time()})
        self._timeline = IntervalStream(writer, live)

    def add(self, interval: Interval) -> None:
        """Take an interval; raises LoadtestError if it cannot be written."""
        self._timeline.add(interval)

    def report(self) -> Path | None:
        """The path of the report; None before it exists."""
        path = self.folder / "report.html" if self.folder else None
        return path if path and path.exists() else None

    def close(self, end: End, workers: Workers | None, *, wait: bool) -> None:
        """End the result file and create the report in a process of its own; wait: wait for it.

        workers: the workers that the footer lists; None unless this is a master.
        Raises LoadtestError if the file cannot be ended or the report cannot be created.
        """
        programs = self._others.shares()
        self._timeline.close(end, workers.facts() if workers else [], programs)
        if self.folder is None:
            return
        command = report_command([self.folder], self.folder)
        drawing = subprocess.Popen(command, stdin=subprocess.DEVNULL)
        if wait and drawing.wait() not in REPORTED:
            raise LoadtestError(f"the report is missing; try: loadtest report {self.folder}")
        logger.info("Report: %s", self.folder / "report.html")


def _name_of(files: list[str]) -> str:
    stem = Path(files[0]).stem if len(files) == 1 else Path(files[0]).parent.name
    return "".join(c if c.isalnum() else "-" for c in stem.lower()).strip("-") or "run"


@cache
def machine_facts() -> dict[str, Any]:
    """The facts about this machine in a header that do not change; the first call takes 0.2 s."""
    return {
        "cpus": os.cpu_count(),
        "memory_bytes": psutil.virtual_memory().total,
        "platform": platform.platform(),
        "local_ports": local_port_count(),
        "tls_context_seconds": tls_context_seconds(),
    }


@cache
def versions() -> dict[str, str]:
    """The versions of this tool, Python and the packages that matter; read once in a process."""
    own = {"loadtest": __version__, "python": platform.python_version()}
    return {**own, **{name: version(name) for name in PACKAGES}}
