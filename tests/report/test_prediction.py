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
from loadtest.report.figures.settings_map import draw, short_form
from loadtest.report.prediction import (
    comparison_cells,
    prediction_json,
    prediction_notes,
    print_prediction,
    print_validation,
    relative_error,
)
from loadtest.report.prediction_answer import enough, prediction_answer
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
        assert page.count("<script") == 1  # its own
        assert "default-src &#39;none&#39;" in page
        assert re.findall(r'(?:src|href)="(?!data:|#)(.*?)"', page) == ["whatif.json"]
        assert page.count("<svg") == 1

    def test_the_figure_has_a_dot_for_each_measured_pool_in_the_map(
        self, prediction: Prediction, written: Path, tmp_path: Path
    ) -> None:
        with_dot = (written / "whatif.html").read_text()
        bare = Prediction(prediction.cells, [], prediction.observed)
        write_prediction(bare, ABOUT, tmp_path)
        without = (tmp_path / "whatif.html").read_text()

        # One in each panel: there are no timeouts to draw.
        dots = [text.split("<figure")[1].count("<use") for text in (with_dot, without)]
        assert dots[0] == dots[1] + 2
        assert "dots were measured" in with_dot
        assert "dots were measured" not in without
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
        assert dots[1:] == [dots[0] + 2, dots[0]]

    def test_a_folder_that_cannot_be_written_is_named(
        self, prediction: Prediction, tmp_path: Path
    ) -> None:
        (tmp_path / "file").write_text("")
        with pytest.raises(UsageError, match="cannot write in"):
            write_prediction(prediction, ABOUT, tmp_path / "file")

    def test_the_result_is_linked_from_where_the_page_is(
        self, prediction: Prediction, tmp_path: Path
    ) -> None:
        (tmp_path / "a result").mkdir()
        (tmp_path / "a result" / "report.html").touch()
        about = {**ABOUT, "result": str(tmp_path / "a result")}
        write_prediction(prediction, about, tmp_path / "elsewhere")
        page = (tmp_path / "elsewhere" / "whatif.html").read_text()
        assert 'href="../a%20result/report.html"' in page


class TestPage:
    """What the page shows, and what it leaves out."""

    def test_colours_are_those_of_pools_and_lines_have_none(self, prediction: Prediction) -> None:
        figure = draw(prediction)
        assert set(re.findall(r"--pool-\d", figure.svg)) == {"--pool-1"}  # the measured pool
        assert figure.chart
        looks = {(one.label, one.pool, one.stroke) for one in figure.chart.panels[0].lines}
        assert looks == {
            *(("overflow 0", None, "thick"), ("overflow 10", None, "dashed")),
            ("10+0, measured", 0, "dots"),
        }
        page = prediction_page(prediction, ABOUT)
        assert 'style="background: var(--pool-1)"></i>10+0' in page

    def test_where_nothing_times_out_no_panel_shows_it(self, prediction: Prediction) -> None:
        figure = draw(prediction)
        assert figure.chart
        assert [one.title for one in figure.chart.panels] == ["wait, p95", "checkouts per second"]
        assert figure.title.endswith("; none times out")

        cells = [replace(cell, timeouts=0.2 * n) for n, cell in enumerate(prediction.cells)]
        late = draw(replace(prediction, cells=cells))
        assert late.chart
        assert len(late.chart.panels) == 3

    def test_a_single_size_is_no_picture(self, prediction: Prediction) -> None:
        figure = draw(replace(prediction, cells=prediction.cells[:1]))
        assert (figure.svg, figure.chart, figure.help) == ("", None, "")
        assert "5+0" in figure.title

    def test_the_smallest_pool_that_is_nearly_the_best_is_told(
        self, prediction: Prediction
    ) -> None:
        rates = {"5+0": 90, "10+0": 96, "20+0": 100, "5+10": 97, "10+10": 60, "20+10": 60}
        waits = prediction.cells[0].wait
        cells = [
            replace(cell, throughput=float(rates[short_form(cell)]), wait=waits, timeouts=0.0)
            for cell in prediction.cells
        ]
        told = prediction_answer(replace(prediction, cells=cells), validated=False)
        assert told[0].startswith("Predicted: 10+0 is the smallest of these pools with nearly")
        assert told[1].startswith("The most are 100 with 20+0.")
        assert "10+0 was measured; the report has its numbers." in told
        assert "`--validate`" in told[-1]
        starving = [
            replace(cell, timeouts=0.5 if short_form(cell) == "10+0" else 0.0) for cell in cells
        ]
        assert short_form(enough(starving)) == "5+10"

    def test_how_far_off_the_model_is_is_told_or_that_it_is_unknown(
        self, prediction: Prediction
    ) -> None:
        ((ran, cell),) = prediction.checks
        off = replace(prediction, checks=[(replace(ran, served=cell.throughput / 1.25), cell)])
        assert any(
            "the model misses the throughput by +25 %" in line
            for line in prediction_answer(off, validated=True)
        )
        bare = prediction_answer(replace(prediction, checks=[]), validated=True)
        assert any("so the error is unknown" in line for line in bare)
        assert "`loadtest compare`" in bare[-1]
