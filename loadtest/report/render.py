"""From run files to a report: summary.json, figures and the page."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from loadtest.analysis.pool_runs import Measurements, arranged
from loadtest.analysis.read_rounds import read_rounds
from loadtest.analysis.round import Round
from loadtest.analysis.summarize import summarize
from loadtest.model.errors import UsageError
from loadtest.model.summary import Summary
from loadtest.report.figures import draw_figures, prepare_drawing
from loadtest.report.figures.toolkit.drawing import Drawing
from loadtest.report.figures.toolkit.svg import standalone
from loadtest.report.html import prepare_page, report_page
from loadtest.report.result_files import result_files
from loadtest.runfile.decoding import from_plan, plan_of
from loadtest.runfile.folders import find_runs, folder_of
from loadtest.runfile.line import Damaged
from loadtest.runfile.merged_recording import merge_left
from loadtest.runfile.schema import ExperimentPlan


def render(paths: Sequence[Path], out: Path) -> Summary:
    """Read runs and write summary.json, figures/ and report.html; returns the summary.

    paths: run files or result folders. out: a folder, made if necessary. Damaged runs are read
    up to the damage; the summary's problems list files that are no runs.
    Raises UsageError if there is no readable run, or if writing fails.
    """
    measurements = read_measurements(paths, prepare_drawing)
    summary = summarize(measurements)
    try:
        out.mkdir(parents=True, exist_ok=True)
        # Other programs read this file: it must exist even if drawing fails.
        write_whole(out / "summary.json", json.dumps(summary.to_json(), indent=2) + "\n")
        drawings = draw_figures(measurements, summary, prepare_page)
        write_figures(out / "figures", drawings)
        write_whole(
            out / "report.html", report_page(summary, drawings, result_files(measurements, out))
        )
    except OSError as error:
        raise UsageError(f"cannot write the report in {out}: {error.strerror}") from None
    return summary


def read_measurements(
    paths: Sequence[Path], meanwhile: Callable[[], object] = lambda: None
) -> Measurements:
    """All runs of some files and folders, with the first folder's experiment.json.

    Recordings that a killed tool left become part of their runs first. meanwhile: is called if
    other processes read.
    Raises UsageError if not one run can be read.
    """
    problems = [text for folder in {*map(folder_of, paths)} for text in _not_merged(folder)]
    found = read_rounds(find_runs(paths), meanwhile=meanwhile)
    problems += [text for one in found if isinstance(one, UsageError) for text in one.problems]
    rounds = [one for one in found if isinstance(one, Round)]
    if not rounds:
        raise UsageError(*problems)
    return arranged(rounds, _experiment(paths, problems), problems)


def _not_merged(folder: Path) -> Sequence[str]:
    """Why the recordings that a killed tool left in a folder are not part of their runs, if so."""
    try:
        merge_left(folder)
    except UsageError as error:
        return error.problems
    except OSError as error:  # a folder for reading only
        return [f"{folder}: the recording of the application cannot be merged: {error.strerror}"]
    return []


def planned_experiment(path: Path) -> ExperimentPlan | None:
    """The plan in the experiment.json of a result; None if it is missing or damaged."""
    experiment = _experiment([folder_of(path)], [])
    return plan_of(experiment) if experiment else None


def _experiment(paths: Sequence[Path], problems: list[str]) -> Mapping[str, Any] | None:
    """The content of the first readable experiment.json; damaged ones are added to the problems."""
    for path in (folder / "experiment.json" for folder in paths if folder.is_dir()):
        try:
            return from_plan(path.read_bytes())
        except FileNotFoundError:
            continue
        except (OSError, Damaged) as error:
            problems.append(f"{path} cannot be read: {error}")
    return None


def write_figures(folder: Path, drawings: Sequence[Drawing]) -> None:
    """Write figures as SVG files; earlier ones of other names are removed."""
    folder.mkdir(exist_ok=True)
    drawings = [drawing for drawing in drawings if drawing.svg]
    names = {f"{drawing.name}.svg" for drawing in drawings}
    for old in folder.glob("*.svg"):
        if old.name not in names:
            old.unlink()
    for drawing in drawings:
        write_whole(folder / f"{drawing.name}.svg", standalone(drawing.svg, drawing.title))


def write_whole(path: Path, text: str) -> None:
    """Write a file atomically: the earlier one may be in use."""
    fresh = path.with_name(f".{path.name}-{os.getpid()}")
    try:
        fresh.write_text(text, encoding="utf-8")
        fresh.replace(path)
    finally:
        fresh.unlink(missing_ok=True)
