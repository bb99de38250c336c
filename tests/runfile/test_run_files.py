"""A run's file tells everything that happened up to the moment at which it was cut off."""

import gzip
import json
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from msgspec import structs

from loadtest.model.distribution import Distribution
from loadtest.model.end_reason import End, EndReason, end_of
from loadtest.model.errors import LoadtestError, UsageError
from loadtest.model.interval import SERVER, Gauge, Interval, SlowCheckout
from loadtest.runfile import decoding
from loadtest.runfile.folders import find_runs, new_folder, run_files
from loadtest.runfile.footer import add_to_footer, end_for, say_why_it_ended
from loadtest.runfile.line import FORMAT, to_line
from loadtest.runfile.reader import Run, read_run
from loadtest.runfile.writer import RunWriter
from tests.fuzz import seeds

HEADER = {"pool": {"name": "20+0"}, "load": {"users": 3}, "scenario": {"files": ["café.py"]}}
TOTALS = {"counters": {"checkouts": 6}}
FINISHED = End(EndReason.FINISHED)
ENOUGH = End(EndReason.ENOUGH, "seen")
OVERDUE = End(EndReason.OVERDUE, "80 s after its load began: it was at shop.py:5, in buy")


def interval(number: int) -> Interval:
    """One of a few intervals that have something of everything."""
    return Interval(
        second=1_750_000_000 + number,
        process="p1",
        period="warmup" if number == 0 else "measured",
        counters=Counter(checkouts=number),
        gauges={"open": Gauge(5, 1, 2, 2)},
        histograms={"wait": Distribution.of([1000 * number, 1_000_000])},
        unfinished=Distribution.of([7]),
        slowest=[SlowCheckout(1_000_000, task="Buy")],
    )


INTERVALS = [interval(number) for number in range(4)]


@pytest.fixture(scope="module")
def whole(tmp_path_factory) -> Path:
    """A run's file from header to footer."""
    path = tmp_path_factory.mktemp("whole") / "runs" / "20+0-1.jsonl"
    writer = RunWriter(path, HEADER)
    for one in INTERVALS:
        writer.add(one)
    writer.close(FINISHED, TOTALS)
    return path


def read_bytes(content: bytes, folder: Path) -> Run:
    path = folder / "run.jsonl"
    path.write_bytes(content)
    return read_run(path)


def test_a_run_reads_back_as_it_was_written(whole):
    run = read_run(whole)
    assert run.told == {"type": "header", "format": FORMAT, **HEADER}
    assert (run.header.pool.name, run.header.load.users) == ("20+0", 3)
    assert run.header.scenario.files == ("café.py",)
    assert run.intervals == INTERVALS
    assert run.footer
    assert (run.end, run.footer.totals.counters) == (FINISHED, TOTALS["counters"])
    assert run.problems == ()
    assert run.finished
    assert run.pool_name == "20+0"
    assert run.path == whole


def test_the_header_comes_first_and_the_footer_last(whole):
    types = [json.loads(line)["type"] for line in whole.read_text().splitlines()]
    assert types == ["header", *["interval"] * 4, "footer"]


def test_the_warm_up_is_read_but_not_measured(whole):
    assert list(read_run(whole).measured()) == INTERVALS[1:]


def test_what_the_server_says_of_itself_is_kept_apart(tmp_path):
    writer = RunWriter(tmp_path / "run.jsonl", HEADER)
    of_the_server = Interval(1_750_000_000, SERVER, counters=Counter(questions=7))
    for one in (INTERVALS[0], of_the_server, INTERVALS[1]):
        writer.add(one)
    writer.close(FINISHED, TOTALS)
    run = read_run(tmp_path / "run.jsonl")
    assert run.intervals == INTERVALS[:2]
    assert run.server == [of_the_server]
    assert list(run.measured()) == [INTERVALS[1]]


def test_every_line_is_in_the_file_as_soon_as_it_is_added(tmp_path):
    path = tmp_path / "run.jsonl"
    writer = RunWriter(path, HEADER)
    assert read_run(path).told["pool"] == HEADER["pool"]
    for number, one in enumerate(INTERVALS, start=1):
        writer.add(one)
        assert read_run(path).intervals == INTERVALS[:number]
    assert not read_run(path).finished
    writer.close(End(EndReason.STOPPED), {})
    assert read_run(path).finished


def test_a_file_cut_at_any_byte_is_read_as_far_as_it_is_sound(whole, tmp_path):
    content = whole.read_bytes()
    ends = [at for at, byte in enumerate(content) if byte == ord("\n")]
    for size in range(ends[0], len(content)):
        run = read_bytes(content[:size], tmp_path)
        # A line is sound when only its line end is missing.
        sound = sum(end <= size for end in ends)
        torn = size not in ends and size - 1 not in ends
        assert run.intervals == INTERVALS[: min(sound - 1, 4)]
        assert run.finished == (sound == len(ends))
        expected = [f"line {sound + 1} is damaged"] if torn else []
        expected += [] if run.finished else ["interrupted: the file has no footer"]
        assert [problem.split(" (")[0] for problem in run.problems] == expected


def test_a_file_cut_in_its_header_is_no_run(whole, tmp_path):
    content = whole.read_bytes()
    for size in range(content.index(b"\n")):
        with pytest.raises(UsageError, match=r"is not a run file|header, is damaged"):
            read_bytes(content[:size], tmp_path)


@settings(
    deadline=None, max_examples=200, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(data=st.data())
def test_a_hole_in_a_file_costs_the_lines_it_touches_and_no_more(whole, tmp_path, data):
    content = whole.read_bytes()
    begin = data.draw(st.integers(content.index(b"\n") + 1, len(content)))
    size = data.draw(st.integers(1, 300))
    run = read_bytes(content[:begin] + b"\0" * size + content[begin + size :], tmp_path)
    touched = content[begin : begin + size].count(b"\n") + 1
    assert len(run.intervals) >= 4 - touched
    assert all(one in INTERVALS for one in run.intervals)
    assert run.problems


@settings(
    deadline=None, max_examples=300, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(data=st.data())
def test_no_wrong_byte_breaks_the_reader(whole, tmp_path, data):
    content = bytearray(whole.read_bytes())
    content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    try:
        run = read_bytes(bytes(content), tmp_path)
    except UsageError:
        return
    assert run.problems or bytes(content) == whole.read_bytes()
    assert len(run.intervals) >= 2  # without its line end a line takes the next one with it
    assert all(one in INTERVALS for one in run.intervals)


@pytest.mark.parametrize(
    "line",
    [b"[]", b"7", b"null", b'{"type":"interval"}', b'{"type":"else"}', b"{}", b"\xff\xfe", b""],
)
def test_a_line_that_is_no_record_is_named_and_left_out(whole, tmp_path, line):
    lines = whole.read_bytes().splitlines()
    lines[2] = line
    run = read_bytes(b"\n".join(lines), tmp_path)
    assert run.intervals == [INTERVALS[0], *INTERVALS[2:]]
    assert run.finished
    assert [problem.split(" (")[0] for problem in run.problems] == ["line 3 is damaged"]


TIMES = INTERVALS[0].histograms["wait"].to_json()
DAMAGE = {
    "a key that no gauge has": {"gauges": {"open": {"integral": 5, "lost": 1}}},
    "a level that is no number": {"gauges": {"open": {"integral": "5"}}},
    "a slow checkout without a time": {"slowest": [{"task": "Buy"}]},
    "a key that no checkout has": {"slowest": [{"total": 1, "lost": 1}]},
    "a key that no share has": {"fair": {"lost": 1}},
    "a key that no task has": {"tasks": {"Buy": {"lost": 1}}},
    "nothing unfinished": {"unfinished": None},
    "a histogram that is none": {
        "histograms": {"wait": {**dict.fromkeys(["count", "sum", "max"], 1), "hdr": "x"}}
    },
    "a moment that is none": {"first_failure": "yesterday"},
    "no counters": {"counters": None},
    "another format": {"format": 99, "counters": None},
    "a type that is a list": {"type": ["interval"]},
}


@pytest.mark.parametrize("what", DAMAGE)
def test_a_line_that_says_what_cannot_be_is_damaged(whole, tmp_path, what):
    lines = whole.read_bytes().splitlines(keepends=True)
    lines[2] = to_line({**INTERVALS[1].to_json(), **DAMAGE[what]})
    run = read_bytes(b"".join(lines), tmp_path)
    assert run.intervals == [INTERVALS[0], *INTERVALS[2:]]
    (problem,) = run.problems
    assert problem.startswith("line 3 is damaged (")


WRONG = {
    "histograms.wait.count: expected an integer, got a string": {
        "histograms": {"hold": TIMES, "wait": {**TIMES, "count": "1"}}
    },
    "histograms.wait.hdr: not a histogram: ": {"histograms": {"wait": {**TIMES, "hdr": "x"}}},
    "counters.checkouts: expected an integer ≥ 0": {"counters": {"checkouts": -1}},
    "gauges.open.lost: unknown key": {"gauges": {"open": {"lost": 1}}},
    "slowest[0].total: missing": {"slowest": [{"task": "Buy"}]},
    "first_failure: expected an integer, got a string": {"first_failure": "yesterday"},
    "period: invalid value 'night'": {"period": "night"},
    "fair.users: expected an integer ≤ 9223372036854775807": {"fair": {"users": 2**63}},
}


@pytest.mark.parametrize("sentence", WRONG)
def test_a_value_of_a_wrong_type_is_named_with_its_line_and_field(whole, tmp_path, sentence):
    lines = whole.read_bytes().splitlines(keepends=True)
    lines[2] = to_line({**INTERVALS[1].to_json(), **WRONG[sentence]})
    (problem,) = read_bytes(b"".join(lines), tmp_path).problems
    assert problem.startswith(f"line 3 is damaged ({sentence}")


def leaves(record, place=()):
    """The places of all values in a record."""
    parts = record.items() if isinstance(record, dict) else enumerate(record)
    for key, value in parts:
        if isinstance(value, dict | list) and value:
            yield from leaves(value, (*place, key))
        else:
            yield *place, key


def changed(record, place, value):
    """A record with another value at a place."""
    copy = json.loads(json.dumps(record))
    *way, last = place
    holder = copy
    for key in way:
        holder = holder[key]
    holder[last] = value
    return copy


RECORDS = seeds.records()
FIELDS = [
    (line, place)
    for line in (0, 1, 4, len(RECORDS) - 1)
    for place in leaves(RECORDS[line])
    if place[0] not in ("type", "format") and "options" not in place
]


def refusal(content, folder):
    """What is said of a file with something wrong in it."""
    try:
        return read_bytes(content, folder).problems[0]
    except UsageError as error:
        return str(error)


@pytest.mark.parametrize(("line", "place"), FIELDS)
def test_no_field_takes_a_value_of_another_type(tmp_path, line, place):
    records = [*RECORDS]
    records[line] = changed(records[line], place, [{}])
    said = refusal(b"".join(map(to_line, records)), tmp_path)
    where = f"line {line + 1} is damaged" if line else "the first line, the header, is damaged"
    assert f"{where} ({place[0]}" in said


def test_keys_of_a_later_version_are_ignored(tmp_path):
    records = [{**record, "later": {"x": 1}} for record in RECORDS]
    run = read_bytes(b"".join(map(to_line, records)), tmp_path)
    assert run.problems == ()
    assert len(run.intervals) + len(run.server) == len(RECORDS) - 2


ENDS = {
    "finished": End(EndReason.FINISHED),
    "stopped": End(EndReason.STOPPED),
    "interrupted": End(EndReason.INTERRUPTED),
    "enough: surely good": End(EndReason.ENOUGH, "surely good"),
    "failed: all workers are lost": End(EndReason.FAILED, "all workers are lost"),
    "the server got into trouble: it refused others": End(
        EndReason.SERVER_IN_TROUBLE, "it refused others"
    ),
    "more than announced: one more": End(EndReason.MORE_THAN_ANNOUNCED, "one more"),
    "ended at its deadline, 9 s after": End(EndReason.OVERDUE, "9 s after"),
}


@pytest.mark.parametrize("sentence", ENDS)
def test_the_sentence_of_an_older_file_is_read_as_reason_and_message(whole, tmp_path, sentence):
    *lines, _ = whole.read_bytes().splitlines(keepends=True)
    old = to_line({"type": "footer", "reason": sentence, "totals": {}})
    assert read_bytes(b"".join([*lines, old]), tmp_path).end == ENDS[sentence]
    assert str(ENDS[sentence]) == sentence
    new = to_line({"type": "footer", **ENDS[sentence].to_json(), "totals": {}})
    assert read_bytes(b"".join([*lines, new]), tmp_path).end == ENDS[sentence]


def test_each_reason_has_a_sentence_of_its_own():
    sentences = {str(End(reason, "why")): reason for reason in EndReason}
    assert {end_of(text).reason for text in sentences} == set(sentences.values()) == set(EndReason)


def test_a_reason_that_is_none_is_named(whole, tmp_path):
    *lines, _ = whole.read_bytes().splitlines(keepends=True)
    odd = to_line({"type": "footer", "reason": "bored", "totals": {}})
    run = read_bytes(b"".join([*lines, odd]), tmp_path)
    assert run.problems[0] == "line 6 is damaged (reason: 'bored' is unknown)"
    assert run.end is None


@pytest.mark.parametrize("mistake", [KeyError, TypeError, AttributeError, ValueError])
def test_a_mistake_in_the_reader_is_no_damage_of_the_file(whole, monkeypatch, mistake):
    def read(**fields):
        raise mistake("of the program")

    monkeypatch.setattr(decoding, "Interval", read)
    with pytest.raises(mistake, match="of the program"):
        read_run(whole)


@pytest.mark.parametrize(
    "content", [b"", b"\n", b"hello", b"[]\n", b'{"type":"interval"}\n', b"\x89PNG\r\n\x1a\n"]
)
def test_a_file_that_is_no_run_is_refused(tmp_path, content):
    with pytest.raises(UsageError, match=r"run\.jsonl is not a run file"):
        read_bytes(content, tmp_path)


def test_a_run_of_another_format_is_refused_with_both_versions(tmp_path):
    with pytest.raises(UsageError, match="has format 99; this version of loadtest reads format 1"):
        read_bytes(b'{"type":"header","format":99}\n', tmp_path)


def test_a_size_that_is_no_number_is_a_damaged_header(tmp_path):
    content = b'{"type":"header","format":1,"pool":{"name":"a","pool_size":"x"}}\n'
    with pytest.raises(UsageError, match=r"header, is damaged"):
        read_bytes(content, tmp_path)


def test_a_run_that_is_not_there_is_named(tmp_path):
    with pytest.raises(UsageError, match=r"cannot read .*none\.jsonl: No such file"):
        read_run(tmp_path / "none.jsonl")


# ---- Where nothing can be written


def test_a_result_file_below_a_file_is_a_mistake_of_usage(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(UsageError, match=r"cannot write the result file .*file/runs/a\.jsonl"):
        RunWriter(tmp_path / "file" / "runs" / "a.jsonl", HEADER)


def test_a_result_file_that_is_a_folder_is_a_mistake_of_usage(tmp_path):
    with pytest.raises(UsageError, match="Is a directory"):
        RunWriter(tmp_path, HEADER)


def test_a_full_disk_is_named():
    with pytest.raises(LoadtestError, match=r"cannot write .*/dev/full: No space left on device"):
        RunWriter(Path("/dev/full"), HEADER)


# ---- Folders


def test_a_new_folder_is_named_after_the_experiment_and_the_time(tmp_path):
    folder = new_folder(tmp_path / "reports", "hot-row")
    name, _, stamp = folder.name.partition("hot-row-")
    assert (name, len(stamp)) == ("", len("20250615-120000"))
    assert stamp.replace("-", "").isdigit()
    assert (folder / "runs").is_dir()


def test_latest_points_at_the_newest_folder_wherever_all_of_it_is_moved(tmp_path):
    reports = tmp_path / "reports"
    new_folder(reports, "first")
    second = new_folder(reports, "second")
    moved = reports.rename(tmp_path / "moved")
    assert (moved / "latest").is_symlink()
    assert (moved / "latest").resolve() == moved / second.name


def test_folders_made_in_the_same_second_do_not_mix(tmp_path):
    folders = {new_folder(tmp_path, "hot-row") for _ in range(5)}
    assert len(folders) == 5
    assert sorted(path.name for path in tmp_path.iterdir() if path.name != "latest") == sorted(
        folder.name for folder in folders
    )


def test_a_folder_below_a_file_is_a_mistake_of_usage(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(UsageError, match=r"cannot create a .*/file: Not a directory"):
        new_folder(tmp_path / "file", "hot-row")


@pytest.fixture
def results(tmp_path) -> Path:
    """A folder as an experiment leaves it."""
    (tmp_path / "runs").mkdir()
    for name in ("b-1.jsonl", "a-2.jsonl", "a-1.jsonl", "a-1.log"):
        (tmp_path / "runs" / name).touch()
    (tmp_path / "summary.json").touch()
    return tmp_path


def test_the_runs_of_a_folder_are_found_in_order(results):
    names = ["a-1.jsonl", "a-2.jsonl", "b-1.jsonl"]
    assert [path.name for path in find_runs([results])] == names
    assert [path.name for path in find_runs([results / "runs"])] == names


def test_single_files_and_folders_can_be_mixed(results):
    one = results / "runs" / "b-1.jsonl"
    assert find_runs([one, results]) == [one, *find_runs([results])]


def test_a_folder_without_runs_is_named(tmp_path):
    with pytest.raises(
        UsageError, match=r"contains no run files \(expected .*/runs/\*\.jsonl\): give"
    ):
        find_runs([tmp_path])
    recorded = tmp_path / "runs" / "one.jsonl.gz"
    recorded.parent.mkdir()
    recorded.write_bytes(gzip.compress(b'{"type":"header","recording":{}}\n'))
    with pytest.raises(UsageError, match="is a recording; give results of load tests only"):
        find_runs([tmp_path])


def test_a_part_that_is_being_compressed_is_found_once(tmp_path):
    for name in ("shop-1.jsonl", "shop-1.jsonl.gz", "shop-2.jsonl.gz"):
        (tmp_path / name).touch()
    assert [path.name for path in run_files([tmp_path])] == ["shop-1.jsonl", "shop-2.jsonl.gz"]


def test_a_path_that_is_not_there_is_named(results):
    with pytest.raises(
        UsageError, match=r"there is no result .*/nowhere: loadtest demo and loadtest run"
    ):
        find_runs([results, results / "nowhere"])


@pytest.mark.parametrize(
    ("reason", "then"),
    [(EndReason.INTERRUPTED, "enough: seen"), (EndReason.FINISHED, "finished")],
)
def test_why_a_run_was_interrupted_is_put_into_its_footer(tmp_path, reason, then):
    path = tmp_path / "20+0-1.jsonl"
    writer = RunWriter(path, HEADER)
    for one in INTERVALS:
        writer.add(one)
    writer.close(End(reason), TOTALS)
    say_why_it_ended(path, ENOUGH)
    run = read_run(path)
    assert run.footer
    assert (str(run.end), run.footer.totals.counters) == (then, TOTALS["counters"])
    assert (run.intervals, run.problems) == (INTERVALS, ())


def test_more_is_put_into_a_footer_beside_what_is_there(whole, tmp_path):
    before, path = read_run(whole), tmp_path / whole.name
    path.write_bytes(whole.read_bytes())
    add_to_footer(path, faults=[{"fault": "kill@5s"}])
    after = read_run(path)
    assert after.footer
    assert [one.fault for one in after.footer.faults] == ["kill@5s"]
    assert structs.replace(after.footer, faults=()) == before.footer
    assert after.intervals == before.intervals


def test_a_run_without_a_footer_is_given_none(whole):
    path = whole.with_name("cut.jsonl")
    lines = whole.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join(lines[:-1]))
    say_why_it_ended(path, ENOUGH)
    add_to_footer(path, faults=[])
    assert path.read_bytes() == b"".join(lines[:-1])


@pytest.mark.parametrize("cut", [0, 9])
def test_a_run_that_was_ended_from_outside_is_given_a_footer_that_says_why(whole, cut):
    path = whole.with_name("cut.jsonl")
    lines = whole.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join(lines[:-1]) + lines[-1][:cut])
    end_for(path, OVERDUE)
    run = read_run(path)
    assert run.problems == ()
    assert run.intervals == read_run(whole).intervals
    counted = sum((one.counters for one in run.intervals), Counter())
    assert run.footer
    assert (run.end, run.footer.totals.counters) == (OVERDUE, dict(counted))


def test_the_reason_of_a_run_that_was_ended_from_outside_takes_the_place_of_its_own(whole):
    before, path = read_run(whole), whole.with_name("ended.jsonl")
    path.write_bytes(whole.read_bytes())
    end_for(path, OVERDUE)
    after = read_run(path)
    assert after.footer
    assert (after.end, after.footer.totals) == (OVERDUE, before.footer.totals)
    assert after.intervals == before.intervals
