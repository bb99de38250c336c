"""A prediction as people and programs read it."""

from __future__ import annotations

import io
import json
import re
from dataclasses import replace
from pathlib import Path

import pytest
from rich.console import Console

from loadtest.analysis.pool_runs import gather
from loadtest.analysis.prediction.observed_workload import observe
from loadtest.analysis.prediction.settings_grid import settings_grid
from loadtest.analysis.prediction.validation import ValidatedPool
from loadtest.analysis.prediction.whatif import Prediction, predict
from loadtest.model.errors import UsageError
from loadtest.report.prediction import (
    comparison_cells,
    prediction_json,
    prediction_notes,
    print_prediction,
    print_validation,
    relative_error,
)
from loadtest.report.prediction_page import prediction_page, write_prediction
from tests.analysis.test_observed_workload import measured

ABOUT = {"name": "a <b>bold</b> name", "result": "reports/x", "command": "loadtest whatif x"}


@pytest.fixture(scope="module")
def prediction(tmp_path_factory: pytest.TempPathFactory) -> Prediction:
    """Of one measured pool, in the map, and two others."""
    observed = observe(gather([measured(tmp_path_factory.mktemp("runs"), "10+0")]))
    return predict(observed, settings_grid(observed, "5,10,20", "0,10", None), workers=1)


@pytest.fixture(scope="module")
def written(prediction: Prediction, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder with the page and the numbers of the prediction."""
    folder = tmp_path_factory.mktemp("written") / "new"
    write_prediction(prediction, ABOUT, folder)
    return folder


def printed(prediction: Prediction, width: int = 80) -> str:
    """What a file would get."""
    out = io.StringIO()
    print_prediction(prediction, Console(file=out, width=width))
    return out.getvalue()


class TestTable:
    """In a terminal."""

    def test_it_fits_eighty_columns(self, prediction: Prediction) -> None:
        lines = printed(prediction).splitlines()

        assert max(map(len, lines)) <= 80
        assert lines[0].split() == [
            *("pool", "per", "s", "p50", "p95", "p99", "timeout", "in", "use", "peak", "new/s"),
        ]
        assert [line.split()[0] for line in lines[1:7]] == [
            *("5+0", "10+0", "20+0", "5+10", "10+10", "20+10"),
        ]

    def test_what_was_measured_is_marked_and_compared(self, prediction: Prediction) -> None:
        lines = printed(prediction).splitlines()

        assert [line.split()[0] for line in lines if line.endswith(" measured")] == ["10+0"]
        (model,) = [line for line in lines if line.startswith("10+0") and "%" in line[10:25]]
        # Measured and predicted rate, and the error.
        assert re.match(r"10\+0 +100 +(99\.\d|10[01]) +[+-][01] %", model)

    @pytest.mark.parametrize(("times", "said"), [(1.0, False), (2.0, True)])
    def test_a_wait_that_the_model_misses_is_told(
        self, prediction: Prediction, times: float, said: bool
    ) -> None:
        ((ran, cell),) = prediction.checks
        wait = ran.wait.model_copy(update={"p95": times * (cell.wait.p95 or 0.0)})
        notes = prediction_notes(replace(prediction, checks=[(replace(ran, wait=wait), cell)]))
        text = "The model misses the measured p95 of the wait of 10+0 by -50 %"
        assert any(note.startswith(text) for note in notes) is said

    def test_what_lies_beyond_the_measured_is_marked(self, prediction: Prediction) -> None:
        text = printed(prediction)

        assert [line.split()[0] for line in text.splitlines() if line.endswith(" extrapolated")]
        assert "Extrapolated: the number of connections" in text

    def test_an_error_is_a_share_of_what_was_measured(self) -> None:
        assert relative_error(100, 110) == pytest.approx(0.1)
        assert relative_error(0, 1) is None
        assert relative_error(20e-6, 0.0, 0.001) is None
        assert comparison_cells(100, 90, 0.2, 0.3) == (
            *("100", "90.0", "-10 %", "200 ms", "300 ms", "+50 %"),
        )

    def test_a_model_that_is_far_off_says_so(self, prediction: Prediction) -> None:
        ((ran, cell),) = prediction.checks
        slow = replace(ran, served=50.0)
        off = Prediction(prediction.cells, [(slow, cell)], prediction.observed)

        assert any(
            "misses the measured throughput of 10+0 by +" in note for note in prediction_notes(off)
        )
        assert not any("misses" in note for note in prediction_notes(prediction))

    def test_a_validation_shows_predicted_measured_and_error(self, prediction: Prediction) -> None:
        ((ran, cell),) = prediction.checks
        out = io.StringIO()
        slower = replace(ran, served=80.0)
        results = [
            ValidatedPool(cell, slower, True, ran),
            ValidatedPool(prediction.cells[0], None, False),
        ]
        print_validation(results, Console(file=out, width=80))

        first, second, *rest = out.getvalue().splitlines()[1:]
        assert re.match(r"10\+0 +\S+ +80.0 +[+]2\d %", first)
        assert "not measured" in second
        assert "100 per s then, 80.0 now (-20 %)" in " ".join(rest)


class TestFiles:
    """whatif.json and whatif.html."""

    def test_every_cell_is_in_both(self, prediction: Prediction, written: Path) -> None:
        data = json.loads((written / "whatif.json").read_text())
        page = (written / "whatif.html").read_text()

        assert data == prediction_json(prediction, ABOUT)
        assert [(cell["pool_size"], cell["max_overflow"]) for cell in data["cells"]] == [
            *((5, 0), (10, 0), (20, 0), (5, 10), (10, 10), (20, 10)),
        ]
        assert [cell["measured"] for cell in data["cells"]].count("10+0") == 1
        assert data["workload"]["hold"][0]["mean_seconds"] == pytest.approx(0.1)
        assert page.count("<tr>") == 1 + 1 + 1 + 6
        assert "constant, as it was measured at 10" in page

    def test_the_page_needs_nothing_else_and_escapes_names(self, written: Path) -> None:
        page = (written / "whatif.html").read_text()

        assert "a &lt;b&gt;bold&lt;/b&gt; name" in page
        assert "<script" not in page
        assert not re.findall(r'(?:src|href)="(?!data:|#)', page)
        assert page.count("<svg") == 1

    def test_the_figure_has_a_dot_for_each_measured_pool_in_the_map(
        self, prediction: Prediction, written: Path, tmp_path: Path
    ) -> None:
        with_dot = (written / "whatif.html").read_text()
        bare = Prediction(prediction.cells, [], prediction.observed)
        write_prediction(bare, ABOUT, tmp_path)
        without = (tmp_path / "whatif.html").read_text()

        # One in each of three panels.
        dots = [text.split("<figure")[1].count("<use") for text in (with_dot, without)]
        assert dots[0] == dots[1] + 3
        assert "dots were measured" in with_dot
        assert "dots" not in without
        assert "none of these settings was measured" in without

    def test_what_was_measured_afterwards_stands_in_both(
        self, prediction: Prediction, tmp_path: Path
    ) -> None:
        ((ran, cell),) = prediction.checks
        results = [ValidatedPool(cell, replace(ran, served=80.0), True, ran)]
        write_prediction(prediction, ABOUT, tmp_path, results)
        page = (tmp_path / "whatif.html").read_text().replace("\N{NO-BREAK SPACE}", " ")

        (found,) = json.loads((tmp_path / "whatif.json").read_text())["validation"]
        assert found["measured"]["throughput"] == 80
        assert "Predicted first, then measured" in page
        assert "100 per s then, 80.0 now (-20 %)" in page

    def test_what_was_measured_afterwards_has_a_dot_too_if_it_is_valid(
        self, prediction: Prediction
    ) -> None:
        ((ran, cell),) = prediction.checks
        bare = replace(prediction, checks=[])
        dots = [
            prediction_page(bare, ABOUT, results).split("<figure")[1].count("<use")
            for results in ([], [ValidatedPool(cell, ran, True)], [ValidatedPool(cell, ran, False)])
        ]
        assert dots[1:] == [dots[0] + 3, dots[0]]

    def test_a_folder_that_cannot_be_written_is_named(
        self, prediction: Prediction, tmp_path: Path
    ) -> None:
        (tmp_path / "file").write_text("")
        with pytest.raises(UsageError, match="cannot write in"):
            write_prediction(prediction, ABOUT, tmp_path / "file")
