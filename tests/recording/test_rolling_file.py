"""The files of a recording: parts, their size, and a disk that fails."""

from __future__ import annotations

import shutil
from collections import Counter
from pathlib import Path

import pytest

from loadtest.model.distribution import Distribution
from loadtest.model.end_reason import End, EndReason
from loadtest.model.errors import LoadtestError
from loadtest.model.interval import Interval
from loadtest.recording.rolling_file import RollingFile
from loadtest.recording.size_budget import HOUR, SizeBudget
from loadtest.runfile.reader import read_run
from tests.recording.recorded import counted_in, runs_in

MEGABYTE = 1_000_000
END = End(EndReason.FINISHED)


class Time:
    """Seconds that pass only when told."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def interval(second: int) -> Interval:
    return Interval(
        second=1_750_000_000 + second,
        process="p1",
        counters=Counter(checkouts=second),
        histograms={"wait": Distribution.of([1000 * second, 10_000_000])},
    )


def rolling(folder: Path, part_bytes: int = MEGABYTE) -> RollingFile:
    def header(part: int) -> dict[str, object]:
        return {"pool": {"name": "shop"}, "recording": {"part": part}}

    return RollingFile(folder, "shop-p1", header, SizeBudget(MEGABYTE, Time()), part_bytes)


def test_a_closed_file_is_a_compressed_run(tmp_path: Path) -> None:
    folder = tmp_path / "recordings"
    file = rolling(folder)
    file.add(interval(1), 1)
    file.add(interval(2), 1)
    assert [path.name for path in folder.iterdir()] == ["shop-p1-0001.jsonl"]
    file.close(END)
    assert [path.name for path in folder.iterdir()] == ["shop-p1-0001.jsonl.gz"]
    (run,) = runs_in(folder)
    assert run.problems == ()
    assert run.intervals == [interval(1), interval(2)]
    assert run.footer
    assert run.footer.totals.counters == {"checkouts": 3}


def test_a_full_part_is_followed_by_another_and_totals_add_up(tmp_path: Path) -> None:
    folder = tmp_path / "recordings"
    file = rolling(folder, part_bytes=900)
    for second in range(1, 11):
        file.add(interval(second), 1)
    file.close(END)
    runs = runs_in(folder)
    assert len(runs) > 2
    assert [run.told["recording"]["part"] for run in runs] == [*range(1, len(runs) + 1)]
    assert [one.second for run in runs for one in run.intervals] == [
        1_750_000_000 + second for second in range(1, 11)
    ]
    totals = [run.footer.totals.counters["checkouts"] for run in runs if run.footer]
    assert sum(totals) == sum(range(1, 11))
    assert counted_in(*runs)["checkouts"] == sum(range(1, 11))


def test_a_file_that_is_not_compressed_grows_in_one_part(tmp_path: Path) -> None:
    budget = SizeBudget(MEGABYTE, Time())
    file = RollingFile(
        tmp_path, "shop-p1", lambda part: {"pool": {"name": "shop"}}, budget, 900, compress=False
    )
    for second in range(1, 11):
        file.add(interval(second), 1)
    file.close(END)
    (path,) = tmp_path.iterdir()
    assert path.name == "shop-p1-0001.jsonl"
    assert read_run(path).intervals == [interval(second) for second in range(1, 11)]
    budget.spend(MEGABYTE // 20 - path.stat().st_size)  # the rest of what may be written at once
    assert not budget.allows()
    budget.spend(-1)
    assert budget.allows()


def test_a_coarse_interval_says_how_many_seconds_it_covers(tmp_path: Path) -> None:
    file = rolling(tmp_path)
    file.add(interval(1), 1)
    file.add(interval(2), 10)
    file.abandon()
    _, fine, coarse = (tmp_path / "shop-p1-0001.jsonl").read_text().splitlines()
    assert '"seconds"' not in fine
    assert '"seconds":10' in coarse


def test_a_deleted_folder_is_made_again_with_the_next_part(tmp_path: Path) -> None:
    folder = tmp_path / "recordings"
    file = rolling(folder)
    file.add(interval(1), 1)
    shutil.rmtree(folder)
    file.add(interval(2), 1)
    file.close(END)
    (run,) = runs_in(folder)
    assert run.intervals == [interval(2)]
    assert run.told["recording"]["part"] == 2


def test_a_folder_that_is_deleted_before_the_end_is_no_error(tmp_path: Path) -> None:
    folder = tmp_path / "recordings"
    file = rolling(folder)
    file.add(interval(1), 1)
    shutil.rmtree(folder)
    file.close(END)
    assert not folder.exists()


def test_at_any_traffic_the_files_of_an_hour_stay_below_the_limit(tmp_path: Path) -> None:
    folder, time, most = tmp_path / "recordings", Time(), 50_000
    budget = SizeBudget(most, time)
    file = RollingFile(folder, "shop", lambda part: {"pool": {"name": "shop"}}, budget, most // 10)
    one = interval(1)
    for second in range(int(HOUR)):
        time.now = float(second)
        if budget.allows():
            file.add(one, 1)
    file.close(END)
    assert most / 2 < sum(path.stat().st_size for path in folder.iterdir()) <= most


def test_a_folder_that_cannot_be_made_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(LoadtestError, match=r"cannot write the result file .*Not a directory"):
        rolling(tmp_path / "file" / "recordings").add(interval(1), 1)


class TestBudget:
    """The bytes of an hour."""

    def test_no_hour_has_more_than_its_bytes_whatever_is_asked_for(self) -> None:
        time = Time()
        budget = SizeBudget(MEGABYTE, time)
        written: list[tuple[float, int]] = []
        for second in range(3 * int(HOUR)):
            time.now = float(second)
            if budget.allows():
                budget.spend(5000)
                written.append((second, 5000))
        for begin in range(0, 2 * int(HOUR), 60):
            hour = sum(size for at, size in written if begin <= at < begin + HOUR)
            assert 0.8 * MEGABYTE < hour <= MEGABYTE

    def test_compressing_frees_bytes_but_no_more_than_may_be_written_at_once(self) -> None:
        time = Time()
        budget = SizeBudget(MEGABYTE, time)
        budget.spend(100_000)
        assert not budget.allows()
        budget.spend(-90_000)
        assert budget.allows()
        budget.spend(-MEGABYTE)
        assert budget.allows()
        budget.spend(60_000)
        assert not budget.allows()

    def test_the_lowest_limit_counts(self) -> None:
        budget = SizeBudget(MEGABYTE, Time())
        budget.limit(100_000)
        budget.limit(500_000)
        assert budget.per_hour == 100_000
        budget.spend(6000)
        assert not budget.allows()
