"""The other processes of an application, as their recordings show them."""

from __future__ import annotations

import logging
import os
import re
import socket
import time
from collections.abc import Iterator
from pathlib import Path

from loadtest.recording.telemetry.pool_reading import PoolReading, reading_of
from loadtest.runfile.growing_part import GrowingPart, PartFacts, being_written, facts_in
from loadtest.runfile.line import Damaged

_PART = re.compile(r"(.+)-(\d{4,})\.jsonl(\.gz)?")
# A process between two parts writes again within this time (s).
_BETWEEN_PARTS = 60.0
# A folder may change again within this time (s) and show the same time of change.
_SAME_TIME = 2.0
_TOGETHER = 200

_log = logging.getLogger("loadtest.recording")


class Neighbours:
    """The recordings in a folder whose metrics have the same port, of other processes of this host.

    Of an ended process the totals stay until another process has its slot. Earlier processes are
    not shown.
    """

    def __init__(self, folder: Path, port: int) -> None:
        self._folder, self._port = folder, port
        self._host, self._process = socket.gethostname(), f"{socket.gethostname()}-{os.getpid()}"
        self._since = time.time() - _SAME_TIME
        self._followed: dict[tuple[str, int], _Followed] = {}
        self._left_out: set[str] = set()
        self._parts: dict[str, tuple[int, Path]] = {}
        self._seen = (0.0, 0.0)

    def readings(self) -> list[PoolReading]:
        """The state of each pool of the other processes, after reading what they have written."""
        if self._folder_changed():
            self._list()
            self._find()
        for key, one in list(self._followed.items()):
            try:
                one.read(self._parts.get(one.stem))
            except FileNotFoundError:
                self._seen = (0.0, 0.0)  # it was compressed just now
            except (OSError, Damaged) as error:
                _log.warning("metrics: a recording is left out: %s", error)
                self._leave_out(key)
        return [one.reading() for one in self._followed.values()]

    def _folder_changed(self) -> bool:
        if not self._folder.exists():
            return False
        changed, (before, looked) = self._folder.stat().st_mtime, self._seen
        self._seen = (changed, time.time())
        return changed != before or looked - changed < _SAME_TIME

    def _list(self) -> None:
        """Find the newest part of each recording."""
        parts: dict[str, tuple[int, Path]] = {}
        for count, name in enumerate(os.listdir(self._folder)):
            found = _PART.fullmatch(name)
            if found and int(found[2]) > parts.get(found[1], (0,))[0]:
                parts[found[1]] = (int(found[2]), self._folder / name)
            if count % _TOGETHER == 0:
                time.sleep(0)  # lets the application's threads run
        self._parts = parts

    def _find(self) -> None:
        """Follow the recordings that are new, a later one instead of an earlier one in its slot."""
        known = self._left_out | {one.stem for one in self._followed.values()}
        for _, stem, path in sorted(self._new(known)):
            try:
                facts = facts_in(path)
                if facts is None:
                    continue
                if self._belongs(facts, path):
                    key = (facts.pool, facts.slot)
                    self._leave_out(key)
                    self._followed[key] = _Followed(stem, facts)
                else:
                    self._left_out.add(stem)
            except FileNotFoundError:
                self._seen = (0.0, 0.0)
            except (OSError, Damaged) as error:
                _log.debug("metrics: %s is left out: %s", path, error)
                self._left_out.add(stem)

    def _new(self, known: set[str]) -> Iterator[tuple[float, str, Path]]:
        for stem, (_, path) in self._parts.items():
            if stem not in known:
                try:
                    yield path.stat().st_mtime, stem, path
                except FileNotFoundError:
                    self._seen = (0.0, 0.0)

    def _belongs(self, facts: PartFacts, path: Path) -> bool:
        other = facts.process != self._process
        same_host = facts.process.rpartition("-")[0] == self._host
        if not (other and same_host and facts.port == self._port):
            return False
        return path.stat().st_mtime >= self._since or being_written(path)

    def _leave_out(self, key: tuple[str, int]) -> None:
        if gone := self._followed.pop(key, None):
            self._left_out.add(gone.stem)


class _Followed:
    """A recording, followed from part to part."""

    def __init__(self, stem: str, facts: PartFacts) -> None:
        self.stem = stem
        self._facts = facts
        self._number = 0
        self._part = GrowingPart()
        self._alive = True

    def read(self, newest: tuple[int, Path] | None) -> None:
        """Read what is new in the newest part; None if its files were deleted."""
        if newest is None:
            self._alive = False
            return
        number, path = newest
        part = self._part if number == self._number else GrowingPart(self._part.latest)
        part.read(path)
        if part.facts:
            self._number, self._part = number, part
            self._alive = self._is_alive(path)

    def _is_alive(self, path: Path) -> bool:
        if self._part.continued is None and path.suffix != ".gz":
            return being_written(path)
        return bool(self._part.continued) and time.time() - path.stat().st_mtime < _BETWEEN_PARTS

    def reading(self) -> PoolReading:
        """The state of the pool."""
        facts, part = self._facts, self._part
        latest = part.latest if self._alive else None
        return reading_of(facts.pool, facts.slot, part.totals, latest, facts.sizes)
