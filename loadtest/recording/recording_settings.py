"""The settings of a recording: from the environment, an engine's URL, or arguments."""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

PREFIX = "LOADTEST_RECORDING"
MEGABYTE = 1_000_000

_log = logging.getLogger("loadtest.recording")


@dataclass(frozen=True, slots=True)
class RecordingSettings:
    """Where a recording is written, under which name, and how much of it.

    name: the application's. megabytes_per_hour: the most that a process writes. on: whether to
    record. keep_megabytes: the most that the folder keeps. metrics_port: serves the metrics, 0 does
    not; metrics_host: its address. opentelemetry: whether there are instruments on the global
    MeterProvider. compress: whether parts are limited, compressed and deleted; if not, a process
    writes one growing file.
    """

    folder: Path = Path("recordings")
    name: str = ""
    megabytes_per_hour: float = 10.0
    on: bool = True
    # A day of four processes that write the most; a quieter application has weeks.
    keep_megabytes: float = 1000.0
    metrics_port: int = 0
    metrics_host: str = "127.0.0.1"
    opentelemetry: bool = False
    compress: bool = True

    @classmethod
    def from_environment(cls, environment: Mapping[str, str] = os.environ) -> RecordingSettings:
        """The settings in `LOADTEST_RECORDING` (`on` or `off`), `LOADTEST_RECORDING_FOLDER` etc.

        A wrong value is logged and left out, because the application must start.
        """
        names = {PREFIX: "on"} | {f"{PREFIX}_{name.upper()}": name for name in _FROM_TEXT}
        given = {names[name]: text for name, text in environment.items() if name in names}
        settings = cls(name=_program()).changed(given)
        return replace(settings, folder=settings.folder.absolute())

    def changed(self, given: Mapping[str, Any]) -> RecordingSettings:
        """These settings with others in their place, which may be texts.

        A wrong value is logged and left out.
        """
        known: dict[str, Any] = {}
        for name, value in given.items():
            try:
                known[name] = _FROM_TEXT[name](value)
            except KeyError:
                _log.warning("recording: unknown setting %s; use %s", name, ", ".join(_FROM_TEXT))
            except (TypeError, ValueError) as error:
                _log.warning("recording: %s is ignored: %s", name, error)
        return replace(self, **known)


def _program() -> str:
    """The name of the running program, without its folder and arguments."""
    stem = Path(sys.argv[0]).stem if sys.argv else ""
    return stem if stem not in ("", "-c", "-m", "__main__") else "application"


def _text(value: Any) -> str:
    if not str(value):
        raise ValueError("it is empty")
    return str(value)


def _folder(value: Any) -> Path:
    return Path(_text(value)).absolute()


def _megabytes(value: Any) -> float:
    found = float(value)
    if not found > 0:
        raise ValueError(f"expected a number above 0, got {value}")
    return found


def _port(value: Any) -> int:
    found = int(value)
    if not 0 <= found < 1 << 16:
        raise ValueError(f"expected a port, got {value}")
    return found


def _switch(value: Any) -> bool:
    if isinstance(value, bool):
        return value
    words = {"on": True, "1": True, "true": True, "off": False, "0": False, "false": False}
    if str(value).lower() not in words:
        raise ValueError(f"expected on or off, got {value!r}")
    return words[str(value).lower()]


_FROM_TEXT: dict[str, Callable[[Any], Any]] = {
    "folder": _folder,
    "name": _text,
    "megabytes_per_hour": _megabytes,
    "keep_megabytes": _megabytes,
    "on": _switch,
    "metrics_port": _port,
    "metrics_host": _text,
    "opentelemetry": _switch,
    "compress": _switch,
}
assert _FROM_TEXT.keys() == {field.name for field in fields(RecordingSettings)}
