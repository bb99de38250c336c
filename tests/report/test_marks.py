"""Stages and faults on the time axes of figures."""

import re
from pathlib import Path
from typing import Any

from loadtest.report.figures import connections_over_time, generator_load, server_activity
from loadtest.runfile.reader import Run
from tests.analysis.builders import header, run
from tests.report.test_figures import drawn, eventful


def staged(folder: Path, stages: dict[str, float], **more: Any) -> Run:
    """Two seconds with some activity, in stages of these lengths."""
    told = [{"name": name, "duration": s, "users": 3} for name, s in stages.items()]
    load = {**header()["load"], "stages": told, **more}
    one = eventful(folder)
    return run(folder, [*one.intervals, *one.server], load=load)


def test_stages_and_faults_are_named_where_they_were(tmp_path: Path) -> None:
    faults = [{"kind": "freeze", "at": 0.5, "length": 0.5}]
    one = staged(tmp_path, {"calm": 1.0, "rush": 1.0}, faults=faults)
    for figure in (connections_over_time, server_activity, generator_load):
        svg = drawn(figure, [one]).svg
        assert re.findall(r">(calm|rush|freeze)<", svg) == ["calm", "rush", "freeze"]


def test_of_stages_whose_names_would_cover_each_other_some_are_named(tmp_path: Path) -> None:
    one = staged(tmp_path, {f"stage-number-{n}": 0.2 for n in range(10)})
    named = re.findall(r">stage-number-(\d)<", drawn(connections_over_time, [one]).svg)
    assert named == ["0", "7"]
