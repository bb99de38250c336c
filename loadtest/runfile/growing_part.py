"""Follows a part of a recording that another process writes: its totals and latest interval.

It needs the standard library and numpy only, because it runs in applications.
"""

from __future__ import annotations

import fcntl
import gzip
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, cast

from loadtest.model.interval import Interval
from loadtest.model.pool_limits import PoolSizes
from loadtest.model.pool_totals import PoolTotals
from loadtest.runfile.line import Damaged, as_written, verify_checksum
from loadtest.runfile.shared_interpreter import let_others_run


@dataclass(frozen=True, slots=True)
class PartFacts:
    """The facts in the header of a part.

    process: `HOST-PID`. port: the port of the metrics that show this process, 0 without one. slot:
    the label of the process there. before: the totals of the process when the part began.
    """

    pool: str
    sizes: PoolSizes
    process: str
    port: int
    slot: int
    before: PoolTotals


class GrowingPart:
    """A part of a recording, as far as it is written.

    facts: None while the header is incomplete. totals: since the process began. latest: the latest
    interval, also of the part before. continued: after the part's end, whether another follows.
    """

    def __init__(self, latest: Interval | None = None) -> None:
        self.facts: PartFacts | None = None
        self.totals = PoolTotals()
        self.latest = latest
        self.continued: bool | None = None
        self._read = 0

    def read(self, path: Path) -> None:
        """Read the new lines; path: of the part, or of its compressed form.

        Raises OSError, or Damaged if it is no part of a recording.
        """
        with _opened(path) as file:
            file.seek(self._read)
            for line in file:
                if not line.endswith(b"\n"):
                    return  # it is still being written
                self._read += len(line)
                self._take(_record(line))
                let_others_run()

    def _take(self, record: dict[str, Any]) -> None:
        try:
            if record["type"] == "header":
                self.facts = _facts(record)
                self.totals = self.facts.before
            elif record["type"] == "interval":
                self.latest = Interval.from_json(record)
                self.totals = self.totals.plus(self.latest)
            else:
                self.continued = bool(record.get("continued"))
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise Damaged(f"not a line of a recording: {error!r}") from None


def facts_in(path: Path) -> PartFacts | None:
    """The facts in the header of a part; None while it is incomplete. Raises OSError or Damaged."""
    with _opened(path) as file:
        line = file.readline()
    if not line.endswith(b"\n"):
        return None
    try:
        return _facts(_record(line))
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise Damaged(f"not a header of a recording: {error!r}") from None


def being_written(path: Path) -> bool:
    """Whether a process is writing a part, whose header must be complete.

    The writer locks the file before it writes the header, so that this lock never stops it.
    """
    with path.open("rb") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
        return False


def _opened(path: Path) -> BinaryIO:
    return cast(BinaryIO, gzip.open(path)) if path.suffix == ".gz" else path.open("rb")


def _record(line: bytes) -> dict[str, Any]:
    text = line.removesuffix(b"\n")
    verify_checksum(text)
    return as_written(text)


def _facts(header: dict[str, Any]) -> PartFacts:
    pool, recording = header["pool"], header["recording"]
    return PartFacts(
        pool=pool["name"],
        sizes=PoolSizes(pool["poolclass"], pool["pool_size"], pool["max_overflow"]),
        process=recording["process"],
        port=recording.get("metrics_port", 0),
        slot=recording.get("slot", 0),
        before=PoolTotals.from_json(recording.get("before", {"counters": {}, "times": {}})),
    )
