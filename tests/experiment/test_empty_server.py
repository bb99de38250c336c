"""The advice for a table that is missing on a private server without the scenario's own tables."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from sqlalchemy import MetaData

from loadtest.experiment.trial import trial_process

BARE, OWN = SimpleNamespace(metadata=None), SimpleNamespace(metadata=MetaData())
METADATA = "give the scenario its metadata"
EMPTY = "This is an empty private server: "


@pytest.mark.parametrize(
    ("foreign", "application", "users", "advice"),
    [
        (False, None, [BARE], f"{EMPTY}name your application with --session, or {METADATA}"),
        (False, "shop.db:Session", [BARE], f"{EMPTY}{METADATA}"),
        (False, None, [BARE, OWN], ""),
        (True, None, [BARE], ""),
    ],
)
def test_only_an_empty_private_server_has_an_advice(
    foreign: bool, application: str | None, users: list[Any], advice: str
) -> None:
    place: Any = SimpleNamespace(foreign=foreign, application=application)
    assert trial_process._missing_table(place, users) == advice
