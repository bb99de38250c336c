"""The other processes of an application, as their recordings show them."""

from __future__ import annotations

import logging
import os
import re
import socket
import time
from collections.abc import Iterator
from pathlib import Path

from loadtest.model.steps import in_steps
from loadtest.recording.telemetry.pool_reading import PoolReading, reading_of
from loadtest.runfile.growing_part import GrowingPart, PartFacts, being_written, facts_in
from loadtest.runfile.line import Damaged
from loadtest.runfile.shared_interpreter import let_others_run

_PART = re.compile(r"(.+)-(\d{4,})\.jsonl(\.gz)?")
# A process between two parts writes again within this time (s).
_BETWEEN_PARTS = 60.0
# A folder may change again within this time (s) and show the same time of change.
_SAME_TIME = 2.0

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
        changed = self._folder_changed()
        if changed:
            self._list()
        self._read()
        if changed:
            self._find()
        return [one.reading() for one in self._followed.values()]

    def _read(self) -> None:
        for key, one in list(self._followed.items()):
            try:
                one.read(self._parts.get(one.stem))
            except FileNotFoundError:
                self._seen = (0.0, 0.0)  # it was compressed just now
            except (OSError, Damaged) as error:
                _log.warning("metrics: a recording is left out: %s", error)
                self._leave_out(key)

    def _folder_changed(self) -> bool:
        if not self._folder.exists():
            return False
        changed, (before, looked) = self._folder.stat().st_mtime, self._seen
        self._seen = (changed, time.time())
        return changed != before or looked - changed < _SAME_TIME

    def _list(self) -> None:
        """Find the newest part of each recording."""
        parts: dict[str, tuple[int, Path]] = {}
        for name in in_steps(os.listdir(self._folder), let_others_run):
            found = _PART.fullmatch(name)
            if found and int(found[2]) > parts.get(found[1], (0,))[0]:
                parts[found[1]] = (int(found[2]), self._folder / name)
        self._parts = parts

    def _find(self) -> None:
        """Follow the recordings that are new; in a slot the living process, else the latest."""
        found: set[tuple[str, int]] = set()
        for _, _, one in sorted(self._candidates(), key=lambda found: found[:2], reverse=True):
            if one.key not in found and self._succeeds(one, self._followed.get(one.key)):
                self._leave_out(one.key)
                self._followed[one.key] = one
                found.add(one.key)
            else:
                self._left_out.add(one.stem)

    def _candidates(self) -> Iterator[tuple[bool, float, _Followed]]:
        """New recordings: whether each is being written, and its last change."""
        known = self._left_out | {one.stem for one in self._followed.values()}
        for stem in self._parts.keys() - known:
            try:
                yield from self._judged(stem, self._parts[stem][1])
            except FileNotFoundError:
                self._seen = (0.0, 0.0)
            except (OSError, Damaged) as error:
                _log.debug("metrics: %s is left out: %s", stem, error)
                self._left_out.add(stem)

    def _judged(self, stem: str, path: Path) -> Iterator[tuple[bool, float, _Followed]]:
        """A new recording, unless it is a foreign or old one, or its header is incomplete."""
        closed, changed = path.suffix == ".gz", path.stat().st_mtime
        if closed and changed < self._since:
            self._left_out.add(stem)
        elif facts := facts_in(path):
            if self._belongs(facts):
                yield not closed and being_written(path), changed, _Followed(stem, facts)
            else:
                self._left_out.add(stem)

    def _belongs(self, facts: PartFacts) -> bool:
        same_host = facts.process.rpartition("-")[0] == self._host
        return same_host and facts.process != self._process and facts.port == self._port

    def _succeeds(self, one: _Followed, before: _Followed | None) -> bool:
        """Whether a recording takes the place of another one, which has been read before."""
        try:
            one.read(self._parts[one.stem])
        except FileNotFoundError:  # it was compressed just now
            self._seen = (0.0, 0.0)
        except (OSError, Damaged) as error:
            _log.debug("metrics: %s is left out: %s", one.stem, error)
            return False
        if one.alive:
            return True
        if one.second < self._since:  # it ended before this process began
            return False
        return before is None or (not before.alive and before.second <= one.second)

    def _leave_out(self, key: tuple[str, int]) -> None:
        if gone := self._followed.pop(key, None):
            self._left_out.add(gone.stem)


class _Followed:
    """A recording, followed from part to part; alive: whether its process is."""

    def __init__(self, stem: str, facts: PartFacts) -> None:
        self.stem, self.key = stem, (facts.pool, facts.slot)
        self._facts = facts
        self._number = 0
        self._part = GrowingPart()
        self.alive = True

    def read(self, newest: tuple[int, Path] | None) -> None:
        """Read what is new in the newest part; None if its files were deleted."""
        if newest is None:
            self.alive = False
            return
        number, path = newest
        part = self._part if number == self._number else GrowingPart(self._part.latest)
        part.read(path)
        if part.facts:
            self._number, self._part = number, part
            self.alive = self._is_alive(path)

    def _is_alive(self, path: Path) -> bool:
        if self._part.continued is None and path.suffix != ".gz":
            return being_written(path)
        return bool(self._part.continued) and time.time() - path.stat().st_mtime < _BETWEEN_PARTS

    @property
    def second(self) -> int:
        """The UTC second of the latest interval."""
        return self._part.latest.second if self._part.latest else 0

    def reading(self) -> PoolReading:
        """The state of the pool."""
        facts, part = self._facts, self._part
        latest = part.latest if self.alive else None
        return reading_of(facts.pool, facts.slot, part.totals, latest, facts.sizes)
