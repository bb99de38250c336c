"""What the tool tells a driven application, in one environment variable."""

from __future__ import annotations

import json
import logging
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

VARIABLE = "LOADTEST_DRIVEN"

_log = logging.getLogger("loadtest.recording")


@dataclass(frozen=True)
class Orders:
    """The pool that the engines of an application get, and where they are told.

    pool: the settings by the names of SQLAlchemy's arguments; poolclass is a name like `NullPool`,
    and settings that are not named stay. engine: the name or the place of the engine that is meant;
    empty for every one. ceiling: the most connections of its pool in one process. redirect: the
    host and port that replace those of its URL. tell: the named pipe that takes a line of JSON per
    engine.
    """

    tell: str
    pool: Mapping[str, Any] = field(default_factory=dict)
    engine: str = ""
    ceiling: int | None = None
    redirect: tuple[str, int] | None = None

    def variables(self) -> dict[str, str]:
        """These orders as environment variables; processes of the application inherit them."""
        return {VARIABLE: json.dumps(asdict(self), separators=(",", ":"))}

    @classmethod
    def given(cls, variables: Mapping[str, str] = os.environ) -> Orders | None:
        """The orders in the environment; None in an application that is not driven.

        Orders that cannot be read are logged, because the application must start.
        """
        text = variables.get(VARIABLE)
        if text is None:
            return None
        try:
            data = json.loads(text)
            data["redirect"] = data.get("redirect") and tuple(data["redirect"])
            return cls(**data)
        except (AttributeError, TypeError, ValueError) as error:
            _log.error("%s cannot be read: %s", VARIABLE, error)
            return None
