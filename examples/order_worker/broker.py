"""Celery's messages as files in a folder, so that no other server is necessary.

WORKER_FOLDER names the folder. kombu's own transport creates a message's file before it writes the
message, so a worker sometimes reads an empty file and stops; here a file appears with its message.
"""

import os
import time
import uuid
from pathlib import Path

from kombu.transport import TRANSPORT_ALIASES, filesystem
from kombu.utils.json import dumps

FOLDER = Path(os.environ.get("WORKER_FOLDER", "/tmp/order_worker"))
URL = "folder://"


class Channel(filesystem.Channel):
    def _put(self, queue, payload, **_):
        name = f"{time.monotonic_ns():020}_{uuid.uuid4()}.{queue}.msg"
        unfinished = FOLDER / f".{name}"  # no queue has such a name
        unfinished.write_text(dumps(payload))
        unfinished.rename(FOLDER / name)


class Transport(filesystem.Transport):
    Channel = Channel


def options():
    """Options of the transport; makes the folder."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    return {
        "data_folder_in": str(FOLDER),
        "data_folder_out": str(FOLDER),
        "control_folder": str(FOLDER / "control"),
        "polling_interval": 0.1,
    }


TRANSPORT_ALIASES["folder"] = f"{__name__}:Transport"
