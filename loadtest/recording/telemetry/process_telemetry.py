"""The metrics of a recorded process: their ports, OpenTelemetry's instruments, and the slot."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from loadtest.model.errors import LoadtestError
from loadtest.model.interval import Interval
from loadtest.model.pool_limits import PoolSizes
from loadtest.model.pool_totals import PoolTotals
from loadtest.recording.recording_settings import RecordingSettings
from loadtest.recording.telemetry.metrics_port import MetricsPort
from loadtest.recording.telemetry.pool_reading import PoolReading, reading_of
from loadtest.recording.telemetry.process_slots import ProcessSlots

if TYPE_CHECKING:
    from loadtest.recording.pool_recording import PoolRecording
    from loadtest.recording.telemetry.instruments import Instruments

# Of pools without an engine, the totals of this many are kept.
_MOST_ENDED = 16

_log = logging.getLogger("loadtest.recording")

# The host, port and folder of a port.
_Address = tuple[str, int, Path]


class _Pool(NamedTuple):
    settings: RecordingSettings
    totals: PoolTotals
    latest: Interval | None = None
    sizes: PoolSizes | None = None


class ProcessTelemetry:
    """Shows the recordings of this process; recordings: returns those that are alive.

    `readings` may be called by any thread.
    """

    def __init__(self, recordings: Callable[[], Iterable[PoolRecording]]) -> None:
        self._recordings = recordings
        self._ended: dict[str, _Pool] = {}
        self._slots = ProcessSlots()
        self._ports: dict[_Address, MetricsPort] = {}
        self._instruments: Instruments | None = None
        self._told = False

    def begin(self, recording: PoolRecording) -> None:
        """Show a new recording; its totals go on from an ended one of the same name."""
        settings = recording.settings
        if earlier := self._ended.get(recording.name):
            recording.go_on_from(earlier.totals)
        recording.observe = self._observe
        if settings.metrics_port:
            recording.shown = partial(self._shown, settings)
            address = _address(settings)
            if address not in self._ports:
                own = partial(self.readings, address)
                self._ports[address] = MetricsPort(*address, own)
        if settings.opentelemetry:
            self.instrument()

    def end(self, recording: PoolRecording) -> None:
        """Keep the totals of a recording that has ended."""
        self._ended.pop(recording.name, None)
        self._ended[recording.name] = _Pool(recording.settings, recording.totals)
        if len(self._ended) > _MOST_ENDED:
            del self._ended[next(iter(self._ended))]

    def instrument(self, provider: Any = None) -> None:
        """Make instruments of OpenTelemetry, unless there are some; provider: None is the global.

        A failure is logged.
        """
        try:
            from loadtest.recording.telemetry.instruments import Instruments
        except ImportError as error:
            _log.error(
                "no metrics for OpenTelemetry: %s is missing; try: pip install "
                "'pool-loadtest[metrics]'",
                error.name,
            )
            return
        try:
            self._instruments = self._instruments or Instruments(self.readings, provider)
        except Exception:
            _log.exception("no metrics for OpenTelemetry")

    def readings(self, address: _Address | None = None) -> list[PoolReading]:
        """The present state of the pools, of those that are served there."""
        return [
            reading_of(name, slot, *one[1:])
            for name, one in self._pools().items()
            if address in (None, _address(one.settings))
            and (slot := self._slot(one.settings.folder)) is not None
        ]

    def _pools(self) -> dict[str, _Pool]:
        ended = dict(self._ended)
        alive = {o.name: _Pool(o.settings, o.totals, o.latest, o.sizes) for o in self._recordings()}
        return ended | alive

    def serve(self) -> None:
        """Serve the ports that are free, once a second."""
        for port in list(self._ports.values()):
            port.serve()

    def pause(self) -> None:
        """End the threads of the ports before a fork."""
        for port in self._ports.values():
            port.pause()

    def begin_in_child(self) -> None:
        """Begin again in the child of a fork, with another slot."""
        self._ended.clear()
        self._slots.release()
        self._slots = ProcessSlots()
        for port in self._ports.values():
            port.begin_in_child()

    def close(self) -> None:
        """Free the ports and the slot."""
        for port in self._ports.values():
            port.close()
        self._slots.release()

    def _shown(self, settings: RecordingSettings) -> dict[str, Any]:
        """The part of a header by which other processes show a recording."""
        slot = self._slot(settings.folder)
        return {} if slot is None else {"metrics_port": settings.metrics_port, "slot": slot}

    def _slot(self, folder: Path) -> int | None:
        """The number of this process; None if it cannot have one, which is logged once."""
        try:
            return self._slots.number(folder)
        except (LoadtestError, OSError) as error:
            if not self._told:
                _log.warning("metrics do not show this process: %s", error)
            self._told = True
            return None

    def _observe(self, pool: str, interval: Interval) -> None:
        if self._instruments:
            self._instruments.record(pool, interval)


def _address(settings: RecordingSettings) -> _Address:
    return settings.metrics_host, settings.metrics_port, settings.folder
