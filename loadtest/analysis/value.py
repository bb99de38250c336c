"""What all values have in common that `summary.json` is written from."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict


class Value(BaseModel):
    """A value: frozen, without keys that nobody knows, and with no number that JSON has not."""

    model_config = ConfigDict(
        frozen=True, extra="forbid", allow_inf_nan=False, populate_by_name=True
    )
