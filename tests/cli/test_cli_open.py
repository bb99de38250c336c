"""`loadtest open`: the page of a result in a browser."""

from __future__ import annotations

import webbrowser
from pathlib import Path

import pytest

from loadtest.cli.open import open as open_result
from loadtest.cli.open import page_of
from loadtest.model.errors import LoadtestError, UsageError


@pytest.fixture
def result(tmp_path: Path) -> Path:
    """A folder of results with a report."""
    (tmp_path / "runs").mkdir()
    (tmp_path / "runs" / "20+0-1.jsonl").write_text("")
    (tmp_path / "report.html").write_text("<p>a report</p>")
    return tmp_path


@pytest.fixture
def opened(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The addresses that a browser was asked for."""
    asked: list[str] = []
    monkeypatch.setattr(webbrowser, "open", lambda url: not asked.append(url))
    monkeypatch.setenv("DISPLAY", ":7")
    return asked


def test_a_folder_a_run_file_and_a_page_have_the_same_page(result: Path) -> None:
    for path in (result, result / "runs" / "20+0-1.jsonl", result / "report.html"):
        assert page_of(path) == result / "report.html"


def test_the_page_is_opened(
    result: Path, opened: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    open_result(result)
    assert opened == [(result / "report.html").as_uri()]
    assert capsys.readouterr().out == f"Opened {result / 'report.html'}\n"


def test_without_a_result_or_its_report_the_message_says_what_makes_one(result: Path) -> None:
    with pytest.raises(UsageError, match=r"there is no result .*nothing: loadtest demo and"):
        page_of(result / "nothing")
    (result / "empty").mkdir()
    with pytest.raises(UsageError, match=r"contains no run files .*: give the folder of a result"):
        page_of(result / "empty")
    (result / "report.html").unlink()
    with pytest.raises(UsageError, match=r"has no report.html: make it with loadtest report"):
        page_of(result)


def test_without_windows_no_browser_is_started(
    result: Path, opened: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("DISPLAY", "WAYLAND_DISPLAY", "BROWSER"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr("sys.platform", "linux")
    with pytest.raises(LoadtestError, match=f"open this file yourself: {result}/report.html"):
        open_result(result)
    assert not opened


def test_a_browser_that_does_not_start_is_told(
    result: Path, opened: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(webbrowser, "open", lambda _: False)
    with pytest.raises(LoadtestError, match="no browser could be started"):
        open_result(result)
