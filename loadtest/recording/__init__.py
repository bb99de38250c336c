"""Records the pools of a running application: the instrument, and the files it writes."""

from __future__ import annotations

import logging
from typing import Any


def record(engine: Any, **settings: Any) -> None:
    """Record what the pool of an Engine or AsyncEngine does, until the process ends.

    settings: `folder`, `name`, `megabytes_per_hour` and `on`, in place of the environment's. A
    failure is logged and never raised.
    """
    try:
        from loadtest.recording.process_recorder import PROCESS_RECORDER
    except ImportError as error:
        logging.getLogger("loadtest.recording").error("recording is switched off: %s", error)
    else:
        PROCESS_RECORDER.add(engine, settings)
