"""The environment of a driven application: the user's own, orders, and a recording of each pool."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from pathlib import Path

from sqlalchemy import URL

from loadtest.database.application import DATABASE_URL
from loadtest.database.engine import DRIVER
from loadtest.experiment.driving.control_folder import ControlFolder
from loadtest.experiment.run_plan import EXPERIMENT, RUN
from loadtest.model.driven_application import PLACEHOLDER, DrivenApplication
from loadtest.recording.launcher import recorded_environment
from loadtest.recording.recording_settings import PREFIX
from loadtest.recording.steering.orders import VARIABLE, Orders

# By name: other variables of this tool may be the user's.
_OF_THE_TOOL = {DATABASE_URL, EXPERIMENT, RUN, VARIABLE}
# More than a process can write, because over the limit an interval covers ten seconds.
_NO_LIMIT_MEGABYTES = 1_000_000


def own_environment(
    application: DrivenApplication,
    url: URL | None,
    *,
    private: bool = False,
    variables: Mapping[str, str] = os.environ,
) -> dict[str, str]:
    """The environment of an application and of its preparation, without a recording.

    url: of the database that its variables may name; private: whether the tool started it.
    Settings of Locust and of this tool in `variables` are left out.
    """
    kept = {
        key: value
        for key, value in variables.items()
        if key not in _OF_THE_TOOL and not key.startswith("LOCUST_")
    }
    own = {name: _rendered(text, url, private) for name, text in application.variables.items()}
    return kept | own


def environment_of(
    folder: Path,
    name: str,
    own: Mapping[str, str],
    control: ControlFolder | None = None,
    orders: Orders | None = None,
) -> dict[str, str]:
    """The environment of an application that is recorded into a folder.

    name: the recording's. own: its environment without a recording.
    """
    settings = {
        "FOLDER": folder.absolute(),
        "NAME": name,
        "MEGABYTES_PER_HOUR": _NO_LIMIT_MEGABYTES,
        "METRICS_PORT": 0,
        "OPENTELEMETRY": "off",
        "COMPRESS": "off",
        **({"NOTES": control.notes} if control else {}),
    }
    told = orders.variables() if orders else {}
    return {**recorded_environment(settings, own), PREFIX: "on", **told}


def _rendered(text: str, url: URL | None, private: bool) -> str:
    """A value with the URL of the database in place of its placeholders."""

    def address(found: re.Match[str]) -> str:
        return _address(url, found[1] or "", private) if url is not None else found[0]

    return PLACEHOLDER.sub(address, text)


def _address(url: URL, driver: str, private: bool) -> str:
    """A URL with the password, and with another driver if one is named."""
    url = url.set(drivername=driver) if driver else url
    if private and url.drivername == DRIVER:
        # PyMySQL would build a TLS context for each connection.
        url = url.update_query_dict({"ssl_disabled": "true"})
    return url.render_as_string(hide_password=False)
