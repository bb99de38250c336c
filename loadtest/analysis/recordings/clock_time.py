"""Moments as people write them: `14:03`, `2026-11-30T14:03+01:00`, `10m` before the end."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, time, timedelta

from loadtest.analysis.recordings.time_window import MOMENT_FORMS
from loadtest.model.errors import UsageError
from loadtest.model.field_types import parse_duration

_AGO, _LOCAL, _UTC = " ago", " local", " utc"


def clock_time(second: float) -> str:
    """A UTC second as `14:03:12`."""
    return datetime.fromtimestamp(second, UTC).strftime("%H:%M:%S")


def clock_of(begin: float, end: float) -> Callable[[float], str]:
    """How to write the moments of a time: `14:03:12`, or `30 Nov 14:03:12` if it has more dates."""
    dates = {datetime.fromtimestamp(second, UTC).date() for second in (begin, max(begin, end - 1))}
    return clock_time if len(dates) == 1 else _with_date


def _with_date(second: float) -> str:
    return datetime.fromtimestamp(second, UTC).strftime("%-d %b %H:%M:%S")


def date_and_time(second: float) -> str:
    """A UTC second as `30 November 2026, 14:03:12`."""
    return datetime.fromtimestamp(second, UTC).strftime("%-d %B %Y, %H:%M:%S")


def moment(text: str, begin: int, end: int) -> float:
    """The UTC second that a text means in a recording from `begin` to `end`.

    A time without a date is the last one in the recording, else the nearest. Raises UsageError.
    """
    words = text.strip().lower().removesuffix(_UTC)
    try:
        return end - parse_duration(words.removesuffix(_AGO))
    except ValueError:
        pass  # it is a time of day, or a mistake
    local = words.endswith(_LOCAL)
    given = words.removesuffix(_LOCAL).upper()
    try:
        return _fitting(given, begin, end, local=local)
    except ValueError:
        raise UsageError(f"{text!r} is not a time; write {MOMENT_FORMS}") from None


def _fitting(text: str, begin: int, end: int, *, local: bool) -> float:
    if text[4:5] == "-":  # a minus behind a time belongs to its zone
        return _second(datetime.fromisoformat(text), local=local)
    at = time.fromisoformat(text)
    last = datetime.fromtimestamp(end, UTC).date()
    days = [last + timedelta(days=n) for n in range(-1, 2)]
    moments = [_second(datetime.combine(day, at), local=local) for day in days]
    inside = [found for found in moments if begin <= found <= end]
    return max(inside) if inside else min(moments, key=lambda one: abs(one - end))


def _second(at: datetime, *, local: bool) -> float:
    if at.tzinfo is None:
        at = at.astimezone() if local else at.replace(tzinfo=UTC)
    return at.timestamp()
