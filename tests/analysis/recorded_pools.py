"""Recordings made by hand: real files, written as an application's processes write them."""

from __future__ import annotations

import gzip
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from loadtest.analysis.recordings.read_recording import read_recording
from loadtest.analysis.recordings.recorded_pool import RecordedPool
from loadtest.model.end_reason import End, EndReason
from loadtest.model.interval import SECOND, Interval
from loadtest.runfile.writer import RunWriter
from tests.analysis.builders import START

SIZES = {"pool_size": 2, "max_overflow": 1}


def recorded_header(process: str = "web-1", part: int = 1, **more: Any) -> dict[str, Any]:
    """What the first line of a recording's part says."""
    return {
        "pool": {"name": "shop", "poolclass": "QueuePool", **SIZES, "pool_timeout": 30.0},
        "name": "shop.web",
        "versions": {"loadtest": "0.1.0", "python": "3.11.2", "sqlalchemy": "2.1.9"},
        "host": {"cpus": 2, "platform": "Linux"},
        "started": START + part / 1000,
        "recording": {"process": process, "part": part, "database": "mysql+pymysql"},
        **more,
    }


def write_recording(
    folder: Path,
    intervals: Iterable[Interval],
    process: str = "web-1",
    part: int = 1,
    *,
    ended: bool = True,
    continued: bool = False,
    **more: Any,
) -> Path:
    """A part in a folder, as it is written: compressed if it has ended."""
    header = recorded_header(process, part, **more)
    path = folder / f"{header['pool']['name']}-{process}-20250615-150640-{part:04}.jsonl"
    writer = RunWriter(path, header)
    for interval in intervals:
        seconds = max(1, round(interval.length / SECOND))
        writer.add(interval, **({"seconds": seconds} if seconds > 1 else {}))
    if not ended:
        writer.abandon()
        return path
    writer.close(End(EndReason.FINISHED), {"counters": {}}, continued=continued)
    packed = path.with_name(f"{path.name}.gz")
    packed.write_bytes(gzip.compress(path.read_bytes()))
    path.unlink()
    return packed


def recorded(folder: Path, intervals: Iterable[Interval], **more: Any) -> RecordedPool:
    """The pool that a process with these intervals recorded."""
    write_recording(folder, intervals, **more)
    return read_recording([folder]).pool()
