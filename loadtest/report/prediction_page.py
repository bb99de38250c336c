"""The prediction as one self-contained page: it fetches nothing and runs only its own script."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from loadtest.analysis.prediction.validation import ValidatedPool
from loadtest.analysis.prediction.whatif import Prediction
from loadtest.model.errors import UsageError
from loadtest.report.figures.settings_map import colour_numbers, draw
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
from loadtest.report.prediction_answer import prediction_answer
from loadtest.report.recorded.recording_rows import single_lines
from loadtest.report.render import write_whole
from loadtest.report.result_files import LinkRows, existing_links, file_link, named_rows
from loadtest.runfile.folders import folder_of

_JSON, _PAGE = "whatif.json", "whatif.html"
_OF_THE_RESULT = ("report.html", "summary.json", "experiment.json", "runs")


def write_prediction(
    prediction: Prediction,
    about: Mapping[str, Any],
    folder: Path,
    validation: Sequence[ValidatedPool] = (),
) -> None:
    """Write whatif.json and whatif.html; raises UsageError if that fails.

    about: its origin, with `name`, `result` and `command`. validation: later measurements.
    """
    about = {**about, "validation": validation_json(validation)} if validation else about
    data = json.dumps(prediction_json(prediction, about), indent=2, allow_nan=False)
    files = prediction_files(about, folder)
    write_page(folder, data, prediction_page(prediction, about, validation, files))


def write_page(folder: Path, data: str, page: str) -> None:
    """Write the texts of whatif.json and whatif.html; raises UsageError if that fails."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        write_whole(folder / _JSON, data + "\n")
        write_whole(folder / _PAGE, page)
    except OSError as problem:
        raise UsageError(f"cannot write in {folder}: {problem.strerror}") from None


def prediction_files(about: Mapping[str, Any], folder: Path) -> LinkRows:
    """What the page in a folder links to: its numbers, and what it was predicted from."""
    result = folder_of(Path(about["result"]))
    rows = [
        ("all numbers", [file_link(folder / _JSON, folder)]),
        ("predicted from", existing_links(result, _OF_THE_RESULT, folder)),
    ]
    return named_rows(rows)


def prediction_page(
    prediction: Prediction,
    about: Mapping[str, Any],
    validation: Sequence[ValidatedPool] = (),
    files: LinkRows = (),
) -> str:
    """The page; names and texts from files are escaped, only the figure is taken as markup."""
    drawn = _with(prediction, validation)
    numbers = colour_numbers(drawn)
    return whole_page(
        "whatif.html.j2",
        title=str(about.get("name") or "Connection pool"),
        source="measurement",
        subtitle=f"Other settings of the pool, from {about['result']}",
        answer=prediction_answer(prediction, validated=bool(validation)),
        drawing=draw(drawn),
        columns=(*PREDICTION_COLUMNS[:-1], "basis"),
        legend=f"{PREDICTION_LEGEND} Settings that were measured have the colour of their pool. "
        "All numbers in this table are predicted.",
        rows=[single_lines(prediction_row(cell)) for cell in prediction.cells],
        row_pools={
            row: numbers[cell.settings]
            for row, cell in enumerate(prediction.cells)
            if cell.settings in numbers
        },
        checked_columns=CHECK_COLUMNS,
        checked=list(map(single_lines, check_rows(prediction))),
        checked_pools={
            row: numbers[cell.settings] for row, (_, cell) in enumerate(prediction.checks)
        },
        validated_columns=VALIDATION_COLUMNS,
        validated=list(map(single_lines, validation_rows(validation))),
        changes=changes_since(validation),
        notes=prediction_notes(prediction),
        files=files,
        command=about["command"],
    )


def _with(prediction: Prediction, validation: Sequence[ValidatedPool]) -> Prediction:
    """The prediction with later measurements, for the figure."""
    later = [(one.measured, one.predicted) for one in validation if one.measured and one.valid]
    return replace(prediction, checks=[*prediction.checks, *later])
