"""Names above the dots of a figure, however many, as a person sees them."""

from collections.abc import Sequence
from itertools import combinations
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser

from loadtest.analysis.pool_runs import gather
from loadtest.analysis.summarize import summarize
from loadtest.report import figures
from loadtest.report.figures import size_curve
from loadtest.report.figures.toolkit.dot_labels import evenly_chosen
from tests.analysis.builders import steady

STYLE = Path(figures.__file__).parent.parent / "report.css"
TEXTS = """() => {
    const frame = document.querySelector('svg').getBoundingClientRect();
    return [...document.querySelectorAll('svg text')].map(text => {
        const box = text.getBoundingClientRect();
        return {said: text.textContent, left: box.left, right: box.right, top: box.top,
                bottom: box.bottom, beyond: Math.max(frame.left - box.left, frame.top - box.top,
                                                     box.right - frame.right)};
    }); }"""
# Pixels: boxes of letters are higher than the letters.
TOUCHING = 2


def overlap(one: dict[str, Any], other: dict[str, Any]) -> bool:
    across = min(one["right"], other["right"]) - max(one["left"], other["left"])
    down = min(one["bottom"], other["bottom"]) - max(one["top"], other["top"])
    return bool(across > TOUCHING and down > TOUCHING)


EVENLY = [f"{10 * n}+{n}" for n in range(1, 41)]
AT_ONE_END = ["5+0", *(f"{1000 + n}+0" for n in range(15))]


@pytest.mark.browser
@pytest.mark.parametrize(
    ("pools", "named"),
    [
        (EVENLY[:3], 3),
        (["as-it-comes-today:5+10", "what-we-want-next:20+0"], 2),
        (EVENLY[:9], 9),
        (AT_ONE_END, 16),
        (EVENLY, 16),
    ],
)
def test_names_of_pools_neither_touch_nor_leave_the_figure(
    browser: Browser, tmp_path: Path, pools: Sequence[str], named: int
) -> None:
    runs = [run for n, pool in enumerate(pools) for run in steady(tmp_path, pool, [n + 9])]
    measurements = gather(runs)
    drawing = size_curve.draw(measurements, summarize(measurements))
    assert drawing
    page = browser.new_page()
    style = f"<!doctype html><style>{STYLE.read_text()}</style>"
    page.set_content(f"{style}<figure>{drawing.svg}</figure>")
    for width in (390, 1440):
        page.set_viewport_size({"width": width, "height": 900})
        texts = page.evaluate(TEXTS)
        assert sum("+" in text["said"] or "…" in text["said"] for text in texts) == named
        assert [text["said"] for text in texts if text["beyond"] > 1] == []
        touching = [pair for pair in combinations(texts, 2) if overlap(*pair)]
        assert [(width, one["said"], other["said"]) for one, other in touching] == []
    page.close()


def test_of_too_many_both_ends_are_named_and_some_between() -> None:
    assert evenly_chosen([0.3, 0.1, 0.9], 3) == [1, 0, 2]
    assert evenly_chosen([0.5, 0.0, 0.1, 0.2, 1.0, 0.9], 3) == [1, 3, 4]
