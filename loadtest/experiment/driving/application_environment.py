"""The environment of a driven application: the user's own, with a recording of every pool."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from loadtest.database.application import DATABASE_URL
from loadtest.experiment.run_plan import EXPERIMENT, RUN
from loadtest.recording.launcher import recorded_environment
from loadtest.recording.recording_settings import PREFIX

# By name: other variables of this tool may be the user's.
_OF_THE_TOOL = {DATABASE_URL, EXPERIMENT, RUN}
# More than a process can write, because over the limit an interval covers ten seconds.
_NO_LIMIT_MEGABYTES = 1_000_000


def environment_of(
    folder: Path, name: str, variables: Mapping[str, str] = os.environ
) -> dict[str, str]:
    """The environment of an application that is recorded into a folder; name: the recording's.

    Settings of Locust and of this tool in `variables` are left out.
    """
    kept = {
        key: value
        for key, value in variables.items()
        if key not in _OF_THE_TOOL and not key.startswith("LOCUST_")
    }
    settings = {
        "FOLDER": folder.absolute(),
        "NAME": name,
        "MEGABYTES_PER_HOUR": _NO_LIMIT_MEGABYTES,
        "METRICS_PORT": 0,
        "OPENTELEMETRY": "off",
        "COMPRESS": "off",
    }
    return {**recorded_environment(settings, kept), PREFIX: "on"}
