"""The README's pictures of the example, and the report that they show."""

from pathlib import Path

import pytest
from playwright.sync_api import Browser

from tests.conftest import ROOT
from tools.example_report import renew

EXAMPLE = ROOT / "reports" / "example"


@pytest.mark.browser
def test_report_and_pictures_are_made_from_the_stored_runs(
    browser: Browser, tmp_path: Path
) -> None:
    renew(browser, tmp_path, None)
    made = {str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*") if path.is_file()}
    kept = {str(path.relative_to(EXAMPLE)) for path in EXAMPLE.rglob("*") if path.is_file()}
    assert {"report.html", "report.png", "summary.json", "tour/whatif.png"} <= made <= kept
    figures = {name for name in kept if name.startswith("figures/")}
    assert figures <= made
    for name in ("report.png", "tour/whatif.png"):
        assert (tmp_path / name).read_bytes()[:4] == b"\x89PNG"
