"""Records the pools of a running application: the instrument, and the files it writes."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from loadtest.recording.process_recorder import ProcessRecorder


def record(engine: Any, /, **settings: Any) -> None:
    """Record what the pool of an Engine or AsyncEngine does, until the process ends.

    settings: `folder`, `name`, `megabytes_per_hour`, `keep_megabytes` and `on`, in place of the
    environment's. A failure is logged and never raised.
    """
    try:
        recorder = recorder_of_process()
    except ImportError as error:
        logging.getLogger("loadtest.recording").error("recording is switched off: %s", error)
    else:
        recorder.add(engine, settings)


def recorder_of_process() -> ProcessRecorder:
    """The recorder of this process.

    Raises ImportError if a package is missing or too old.
    """
    import sqlalchemy

    if int(sqlalchemy.__version__.partition(".")[0]) < 2:
        version = sqlalchemy.__version__
        raise ImportError(f"SQLAlchemy {version} is too old; a recording needs 2.0 or newer")
    from loadtest.recording.process_recorder import PROCESS_RECORDER

    return PROCESS_RECORDER
