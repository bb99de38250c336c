"""Formatting of numbers: every number in a report or a terminal is written here."""

from __future__ import annotations

from collections.abc import Sequence

from loadtest.model.durations import Durations

NO_VALUE = "–"
_DURATIONS = ((1.0, "s"), (1e-3, "ms"), (1e-6, "µs"))


def _significant(value: float, digits: int = 3) -> str:
    """A number with some significant digits, thousands set apart, never in powers of ten."""
    if value == 0:
        return "0"
    places = 0
    while abs(value) * 10**places < 10 ** (digits - 1) - 0.5 and places < digits + 2:
        places += 1
    return f"{value:,.{places}f}"


def duration(seconds: float | None) -> str:
    """Seconds as `35.0 µs`, `1.21 s`; a unit that gives one to three digits before the point."""
    if seconds is None:
        return NO_VALUE
    if seconds == 0:
        return "0 s"
    scale, unit = next(
        ((s, u) for s, u in _DURATIONS if seconds >= 0.9995 * s), (_DURATIONS[-1][0], "µs")
    )
    return f"{_significant(seconds / scale)} {unit}"


def round_duration(seconds: float) -> str:
    """A duration that is a round number, as on an axis: `1.5 s`, `10 ms`."""
    number, unit = duration(round(seconds, 9)).split(" ")
    return f"{number.rstrip('0').rstrip('.') if '.' in number else number} {unit}"


def at_least(seconds: float | None, bound: bool) -> str:
    """A duration, marked with `≥` where it is only a lower bound."""
    return f"≥ {duration(seconds)}" if bound else duration(seconds)


def marked_duration(times: Durations, name: str) -> str:
    """A value of a distribution (`p95`, `max`), with `≥` where it is a lower bound."""
    return at_least(getattr(times, name), name in times.at_least)


def count(number: float | None) -> str:
    """A whole number, thousands set apart."""
    return NO_VALUE if number is None else f"{number:,.0f}"


def level(number: float) -> str:
    """A mean number of things: `285`, `0.3`."""
    tenths = round(float(number), 1)
    return f"{tenths:.1f}" if tenths < 10 and not tenths.is_integer() else count(number)


def rate(per_second: float | None) -> str:
    """A rate per second, three digits or all before the point; without the unit."""
    return NO_VALUE if per_second is None else _significant(per_second)


def ratio(value: float | None) -> str:
    """A ratio: `8.4`, `1.07`, `0.13`; close to one with two decimals."""
    if value is None:
        return NO_VALUE
    if value < 0.001:
        return "< 0.001"
    return f"{value:.2f}" if 0.095 <= value < 2 else _significant(value, 2)


def percent(fraction: float | None) -> str:
    """A share of one as `63 %`, `0.2 %`; `< 0.1 %` is not zero."""
    if fraction is None:
        return NO_VALUE
    hundredths = 100 * fraction
    if 0 < hundredths < 0.1:
        return "< 0.1 %"
    whole = hundredths == 0 or hundredths >= 9.95
    return f"{hundredths:.0f} %" if whole else f"{hundredths:.1f} %"


def size(number_of_bytes: float | None) -> str:
    """Bytes as `15.6 GiB`."""
    if number_of_bytes is None:
        return NO_VALUE
    value, names = float(number_of_bytes), ["B", "KiB", "MiB", "GiB", "TiB"]
    while value >= 1024 and len(names) > 1:
        value, names = value / 1024, names[1:]
    return f"{_significant(value)} {names[0]}"


def listed(words: Sequence[str]) -> str:
    """Words as part of a sentence: `a`, `a and b`, `a, b and c`."""
    *first, last = words
    return f"{', '.join(first)} and {last}" if first else last


def plural(number: float, one: str, many: str = "") -> str:
    """A number with its noun: `1 round`, `5 rounds`."""
    return f"{count(number)} {one if number == 1 else many or one + 's'}"
