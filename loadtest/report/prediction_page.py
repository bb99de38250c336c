"""The prediction as one self-contained page that fetches and runs nothing."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from loadtest.analysis.prediction.validation import ValidatedPool
from loadtest.analysis.prediction.whatif import Prediction
from loadtest.model.errors import UsageError
from loadtest.report.figures.settings_map import draw
from loadtest.report.page_template import whole_page
from loadtest.report.prediction import (
    CHECK_COLUMNS,
    PREDICTION_COLUMNS,
    PREDICTION_LEGEND,
    VALIDATION_COLUMNS,
    changes_since,
    check_rows,
    prediction_json,
    prediction_notes,
    prediction_row,
    validation_json,
    validation_rows,
)
from loadtest.report.render import write_whole


def write_prediction(
    prediction: Prediction,
    about: Mapping[str, Any],
    folder: Path,
    validation: Sequence[ValidatedPool] = (),
) -> None:
    """Write whatif.json and whatif.html; raises UsageError if that fails.

    about: its origin, with `name` and `command`. validation: later measurements.
    """
    about = {**about, "validation": validation_json(validation)} if validation else about
    data = json.dumps(prediction_json(prediction, about), indent=2, allow_nan=False)
    write_page(folder, data, prediction_page(prediction, about, validation))


def write_page(folder: Path, data: str, page: str) -> None:
    """Write the texts of whatif.json and whatif.html; raises UsageError if that fails."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        write_whole(folder / "whatif.json", data + "\n")
        write_whole(folder / "whatif.html", page)
    except OSError as problem:
        raise UsageError(f"cannot write in {folder}: {problem.strerror}") from None


def prediction_page(
    prediction: Prediction, about: Mapping[str, Any], validation: Sequence[ValidatedPool] = ()
) -> str:
    """The page; names and texts from files are escaped, only the figure is taken as markup."""
    return whole_page(
        "whatif.html.j2",
        title=str(about.get("name") or "Connection pool"),
        drawing=draw(_with(prediction, validation)),
        columns=PREDICTION_COLUMNS,
        legend=f"{PREDICTION_LEGEND} Settings that were measured are marked. All numbers in this "
        "table are predicted.",
        rows=[(cell.measured is not None, prediction_row(cell)) for cell in prediction.cells],
        checked_columns=CHECK_COLUMNS,
        checked=list(check_rows(prediction)),
        validated_columns=VALIDATION_COLUMNS,
        validated=list(validation_rows(validation)),
        changes=changes_since(validation),
        notes=prediction_notes(prediction),
        command=about["command"],
    )


def _with(prediction: Prediction, validation: Sequence[ValidatedPool]) -> Prediction:
    """The prediction with later measurements, for the figure."""
    later = [(one.measured, one.predicted) for one in validation if one.measured and one.valid]
    return replace(prediction, checks=[*prediction.checks, *later])
