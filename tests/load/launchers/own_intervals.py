"""Locust whose workers also keep what they send: own_intervals.py FOLDER LOCUST'S ARGUMENTS."""

from locust.main import main

import json
import os
import sys
from pathlib import Path

from loadtest.load.workers.protocol import Master
from loadtest.model.interval import Interval

_folder = Path(sys.argv.pop(1))
_send = Master._send


def _keep_and_send(self: Master, interval: Interval) -> None:
    with (_folder / f"{os.getpid()}.jsonl").open("a") as file:
        print(json.dumps(interval.to_json()), file=file)
    _send(self, interval)


Master._send = _keep_and_send  # type: ignore[method-assign]
sys.exit(main())
