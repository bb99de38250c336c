"""SQLAlchemy's plugin `loadtest`: records an engine because its URL or its arguments name it."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from sqlalchemy.dialects import plugins
from sqlalchemy.engine import URL, CreateEnginePlugin, Engine  # old versions have them here

from loadtest.recording import record, recorder_of_process
from loadtest.recording.steering.orders import Orders

if TYPE_CHECKING:
    from loadtest.recording.steering.driven_engine import DrivenEngine

_NAME = "loadtest"
# What the names of settings begin with in the query of a URL.
_PREFIX = "loadtest_"

_log = logging.getLogger("loadtest.recording")


class RecordingPlugin(CreateEnginePlugin):
    """Records the engine that is being made.

    The URL's query can have settings: `?plugin=loadtest&loadtest_folder=/var/recordings`. In an
    application that the tool drives, the engine gets the requested pool, and the tool's settings.
    """

    def __init__(self, url: URL, kwargs: dict[str, Any]) -> None:
        super().__init__(url, kwargs)
        self._settings = {name: value for name, value in url.query.items() if _is_own(name)}
        self._driven = _driven(url, kwargs)

    def update_url(self, url: URL) -> URL:
        """The URL without the settings of the recording."""
        url = url.difference_update_query(self._settings)
        return self._driven.redirected(url) if self._driven else url

    def engine_created(self, engine: Engine) -> None:
        """Record the engine."""
        if self._driven:
            self._driven.created(engine)
        else:
            settings = {n.removeprefix(_PREFIX): value for n, value in self._settings.items()}
            record(engine, **settings)


def with_plugin(arguments: Mapping[str, Any]) -> dict[str, Any]:
    """The arguments of `create_engine` with this plugin added.

    Raises ImportError if something is missing that a recording needs.
    """
    recorder_of_process()
    plugins.register(_NAME, __name__, RecordingPlugin.__name__)
    return {**arguments, "plugins": [*arguments.get("plugins", ()), _NAME]}


def _driven(url: URL, kwargs: dict[str, Any]) -> DrivenEngine | None:
    """The engine as one that the tool drives; None in other applications."""
    orders = Orders.given()
    if orders is None:
        return None
    try:
        from loadtest.recording.steering.driven_engine import DrivenEngine

        return DrivenEngine(orders, url, kwargs)
    except Exception:  # the application must start
        _log.exception("an engine does not get the requested pool")
        return None


def _is_own(name: str) -> bool:
    return name.startswith(_PREFIX)
