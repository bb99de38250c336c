"""Moments as people write them: `14:03`, `2026-11-30T14:03+01:00`, `10m` before the end."""

from __future__ import annotations

from datetime import UTC, datetime, time, timedelta

from loadtest.model.errors import UsageError
from loadtest.model.field_types import parse_duration

_AGO, _LOCAL, _UTC = " ago", " local", " utc"
_FORMS = "14:03, 14:03:20, 2026-11-30T14:03 (UTC; add +01:00 or ' local'), or 10m before the end"


def clock_time(second: float) -> str:
    """A UTC second as `14:03:12`."""
    return datetime.fromtimestamp(second, UTC).strftime("%H:%M:%S")


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
        raise UsageError(f"{text!r} is not a time; write {_FORMS}") from None


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
