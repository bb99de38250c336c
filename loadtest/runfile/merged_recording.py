"""Puts the intervals of an application into the file of the run that drove it."""

from __future__ import annotations

import heapq
import json
import os
import shutil
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, replace
from functools import cached_property
from pathlib import Path
from types import MappingProxyType
from typing import Any

from loadtest.model.errors import UsageError
from loadtest.model.interval import ENDED_CHECKOUTS, SECOND, SERVER
from loadtest.runfile.driven_schema import PROCESS_COUNTERS
from loadtest.runfile.followed_recording import (
    FollowedPart,
    FollowedRecording,
    RecordedLine,
    idle_parents,
    process_id,
    uses_connections,
)
from loadtest.runfile.growing_part import being_written
from loadtest.runfile.line import as_written, to_line
from loadtest.runfile.reader import RunFile
from loadtest.runfile.recording_files import recorded_part
from loadtest.runfile.schema import Header

# The folder of the recordings of a run is beside its file, with this ending.
RECORDINGS = ".app"
# In this folder: what the tool knows about the application, for the case that it is killed.
_KNOWN = "application.json"

_Line = tuple[int, bytes]


def merge(
    run: Path,
    recordings: Path,
    facts: Mapping[str, Any],
    names: Collection[str] = (),
    forked: Mapping[int, float] = MappingProxyType({}),
) -> None:
    """Put what an application recorded during a run into the run's file; delete the recordings.

    facts: further fields of `DrivenPart`. names: of the pools that are meant; empty: the used one.
    forked: when processes forked, by their ids; those that have used no connection since are left
    out, unless the application has no others.
    A run that has its application already is unchanged.
    Raises UsageError if the application recorded no pool, or several, and then changes nothing.
    """
    if RunFile(run).header.driven is None:
        parts, idle = _parts_of_used_pool(recordings, names), _idle(recordings, forked)
        _write(run, _Merged(run, [one for one in parts if not _is_of(one, idle)] or parts, facts))
    if recordings.exists():
        shutil.rmtree(recordings)


def leave_known(
    recordings: Path,
    facts: Mapping[str, Any],
    names: Collection[str],
    forked: Mapping[int, float],
) -> None:
    """Leave the arguments of `merge` in a folder of recordings, for `merge_left`."""
    known = {"facts": dict(facts), "names": sorted(names), "forked": dict(forked)}
    fresh = recordings / f".{_KNOWN}"
    fresh.write_text(json.dumps(known), encoding="utf-8")
    fresh.replace(recordings / _KNOWN)


def merge_left(folder: Path) -> None:
    """Merge the recordings that a killed tool has left in a folder of results; raises UsageError.

    Runs that go on are left alone.
    """
    for recordings in sorted(folder.glob(f"runs/*{RECORDINGS}")):
        run = recordings.with_suffix(".jsonl")
        files = [run, *recordings.glob("*.jsonl")]
        if run.exists() and not any(map(being_written, files)):
            known = _known(recordings)
            forked = {int(pid): when for pid, when in known.get("forked", {}).items()}
            merge(run, recordings, known.get("facts", {}), known.get("names", ()), forked)


def _known(recordings: Path) -> dict[str, Any]:
    """What `leave_known` has left; empty if that is nothing whole."""
    try:
        found: dict[str, Any] = json.loads((recordings / _KNOWN).read_bytes())
    except (FileNotFoundError, ValueError):
        return {}
    return found


def _write(run: Path, lines: _Merged) -> None:
    fresh = run.with_name(f".{run.name}-{os.getpid()}")
    try:
        with fresh.open("wb") as file:
            file.writelines(lines)
        fresh.replace(run)
    finally:
        fresh.unlink(missing_ok=True)


def _parts_of_used_pool(recordings: Path, meant: Collection[str] = ()) -> Sequence[FollowedPart]:
    """The parts of the one pool that had checkouts, or of the only one; raises UsageError.

    meant: the names of the pools that count; empty: all.
    """
    recording, used = FollowedRecording(recordings), set[str]()
    for part, line in recording.new():
        if part.header and line.record and _asked(line.record):
            used.add(part.header.pool.name)
    parts = [part for part in recording.parts.values() if part.header]
    if meant:
        parts = [part for part in parts if _header(part).pool.name in meant]
        used &= set(meant)
    names = used or {_header(part).pool.name for part in parts}
    if not names:
        raise UsageError("the application recorded no pool: it made no engine")
    if len(names) > 1 and not meant:
        raise UsageError(f"the application has {len(names)} pools: {', '.join(sorted(names))}")
    own = [part for part in parts if _header(part).pool.name in names]
    if len({replace(_header(part).pool, name="") for part in own}) > 1:
        raise UsageError("the processes of the application had pools with different settings")
    return own


def _asked(record: Mapping[str, Any]) -> bool:
    return any(name in record.get("counters", {}) for name in ENDED_CHECKOUTS)


def _idle(recordings: Path, forked: Mapping[int, float]) -> set[int]:
    """The ids of the processes that only forked."""
    used: dict[int, float] = {}
    for _, line in FollowedRecording(recordings).new() if forked else ():
        record = line.record
        if record and record["type"] == "interval" and uses_connections(record):
            pid = process_id(record["process"])
            used[pid] = max(used.get(pid, 0.0), record["second"])
    return idle_parents(forked, used)


def _is_of(part: FollowedPart, processes: Collection[int]) -> bool:
    return process_id(recorded_part(_header(part)).process) in processes


def _header(part: FollowedPart) -> Header:
    if part.header is None:
        raise ValueError("the part has no header yet")
    return part.header


class _LoadSeconds:
    """Which period and stage of the load the processes of the generator were in, by second."""

    def __init__(self, run: Path) -> None:
        self._spent: dict[int, Counter[tuple[str, str]]] = defaultdict(Counter)
        self._processes: dict[int, set[str]] = defaultdict(set)
        with run.open("rb") as file:
            for record in (RecordedLine.of(text).record for text in file):
                if record and record["type"] == "interval" and record["process"] != SERVER:
                    self._add(record)

    def _add(self, record: Mapping[str, Any]) -> None:
        """Add an interval; one of more than a second spreads over the seconds that follow."""
        place = record["period"], record.get("stage", "")
        second, left = record["second"], record["length"]
        while left > 0:
            self._spent[second][place] += min(left, SECOND)
            self._processes[second].add(record["process"])
            second, left = second + 1, left - SECOND

    @cached_property
    def _measured(self) -> set[int]:
        """The seconds with the most measured time, as many as were measured in all."""
        shares = {
            second: sum(ns for (period, _), ns in spent.items() if period == "measured")
            / len(self._processes[second])
            for second, spent in self._spent.items()
        }
        number = round(sum(shares.values()) / SECOND)
        return set(heapq.nlargest(number, shares, key=shares.__getitem__))

    def place_of(self, begin: int, seconds: int) -> tuple[str, str] | None:
        """The period and stage of most of some seconds; None without load.

        None also for a second with the rest of the measured time, if it has no other.
        """
        spent = Counter[tuple[str, str]]()
        for second in range(begin, begin + seconds):
            for place, ns in self._spent.get(second, {}).items():
                if (place[0] == "measured") == (second in self._measured):
                    spent[place] += ns
        return max(spent, key=spent.__getitem__, default=None)


class _Merged:
    """The lines of a run with those of an application, by second; the generator's come first."""

    def __init__(self, run: Path, parts: Sequence[FollowedPart], facts: Mapping[str, Any]) -> None:
        self._run, self._parts, self._facts = run, parts, facts
        self._load = _LoadSeconds(run)
        self._counters: Counter[str] = Counter()
        self._footer = b""

    def __iter__(self) -> Iterator[bytes]:
        with self._run.open("rb") as file:
            yield self._first_line(next(file))
            sources = [self._of_generator(file), *self._of_processes()]
            yield from (text for _, text in heapq.merge(*sources, key=lambda line: line[0]))
        if self._footer:
            yield self._with_totals(self._footer)

    def _first_line(self, line: bytes) -> bytes:
        """The header of the run; it tells the application and the settings of its pool."""
        told, header = as_written(line), _header(self._parts[0])
        database = recorded_part(header).database
        own = {"name": header.name, "engine": header.pool.name, "database": database}
        driven = {**own, "versions": header.versions, **self._facts}
        more = {
            "pool": {**asdict(header.pool), "name": told["pool"]["name"]},
            "application": driven["name"],
            "driver": database.partition("+")[2],
            "driven": driven,
        }
        return to_line({**told, **more})

    def _of_generator(self, lines: Iterable[bytes]) -> Iterator[_Line]:
        """The intervals of the run, unchanged; a damaged line has the second of the one before."""
        second = 0
        for line in (RecordedLine.of(text) for text in lines if text.endswith(b"\n")):
            if line.record and line.record["type"] == "footer":
                self._footer = line.text
                continue
            if line.record and line.record["type"] == "interval":
                second = line.record["second"]
            yield second, line.text

    def _of_processes(self) -> list[Iterator[_Line]]:
        """The intervals of each process of the application, in the order of its parts."""
        by_process: dict[str, list[FollowedPart]] = defaultdict(list)
        for part in self._parts:
            by_process[part.stem].append(FollowedPart(part.path))
        return [self._of_process(parts) for parts in by_process.values()]

    def _of_process(self, parts: Sequence[FollowedPart]) -> Iterator[_Line]:
        second = 0
        for line in (line for part in parts for line in part.new()):
            if line.record is None:
                yield second, line.text  # readers tell that it is damaged
            elif line.record["type"] == "interval":
                second = line.record["second"]
                if text := self._in_the_load(line.record):
                    yield second, text

    def _in_the_load(self, record: dict[str, Any]) -> bytes | None:
        """An interval of the application as a line of the run; None outside of the load."""
        place = self._load.place_of(record["second"], max(1, round(record["length"] / SECOND)))
        if place is None:
            return None
        self._counters.update(record["counters"])
        period, stage = place
        own = {"period": period, "role": "application", **({"stage": stage} if stage else {})}
        return to_line({**record, **own})

    def _with_totals(self, line: bytes) -> bytes:
        """The footer of the run; its totals include the application's."""
        footer = as_written(line)
        own = {n: count for n, count in self._counters.items() if n not in PROCESS_COUNTERS}
        counters = Counter(footer["totals"]["counters"]) + Counter(own)
        footer["totals"]["counters"] = dict(sorted(counters.items()))
        return to_line(footer)
