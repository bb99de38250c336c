"""SQLAlchemy's plugin `loadtest`: records an engine because its URL or its arguments name it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlalchemy.dialects import plugins
from sqlalchemy.engine import URL, CreateEnginePlugin, Engine  # old versions have them here

from loadtest.recording import record, recorder_of_process

_NAME = "loadtest"
# What the names of settings begin with in the query of a URL.
_PREFIX = "loadtest_"


class RecordingPlugin(CreateEnginePlugin):
    """Records the engine that is being made.

    The URL's query can have settings: `?plugin=loadtest&loadtest_folder=/var/recordings`.
    """

    def __init__(self, url: URL, kwargs: dict[str, Any]) -> None:
        super().__init__(url, kwargs)
        self._settings = {name: value for name, value in url.query.items() if _is_own(name)}

    def update_url(self, url: URL) -> URL:
        """The URL without the settings of the recording."""
        return url.difference_update_query(self._settings)

    def engine_created(self, engine: Engine) -> None:
        """Record the engine."""
        record(engine, **{n.removeprefix(_PREFIX): value for n, value in self._settings.items()})


def with_plugin(arguments: Mapping[str, Any]) -> dict[str, Any]:
    """The arguments of `create_engine` with this plugin added.

    Raises ImportError if something is missing that a recording needs.
    """
    recorder_of_process()
    plugins.register(_NAME, __name__, RecordingPlugin.__name__)
    return {**arguments, "plugins": [*arguments.get("plugins", ()), _NAME]}


def _is_own(name: str) -> bool:
    return name.startswith(_PREFIX)
