"""Loads in stages and faults, as people write them."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from loadtest.model.errors import UsageError
from loadtest.model.fault import parse_fault
from loadtest.model.field_types import validated
from loadtest.model.load import LoadConfig, Stage, parse_stages, stage_begins, stages_seconds


def test_stages_are_steps_ramps_and_bursts_of_arrivals() -> None:
    calm, rush, burst = parse_stages("calm=10s:50/s, rush=500ms:50-400/s, 2s:0/s+50")
    assert (calm.name, calm.duration, calm.start, calm.end) == ("calm", 10, 50, 50)
    assert (rush.duration, rush.start, rush.end, rush.most) == (0.5, 50, 400, 400)
    assert (burst.name, burst.start, burst.at_once, burst.most) == ("3", 0, 50, 50)
    assert calm.users is None


def test_stages_without_a_rate_are_of_users() -> None:
    step, ramp = parse_stages("3s:10,3s:10-40")
    assert (step.users, step.arrival_rate) == (10, None)
    assert (ramp.start, ramp.end) == (10, 40)


@given(
    st.lists(
        st.builds(
            Stage,
            name=st.from_regex(r"[a-z]{1,5}", fullmatch=True),
            duration=st.integers(1, 10_000).map(lambda ms: ms / 1000),
            arrival_rate=st.integers(0, 1000),
            to=st.none() | st.integers(0, 1000),
            at_once=st.integers(0, 100),
        ),
        min_size=1,
        max_size=4,
        unique_by=lambda stage: stage.name,
    )
)
def test_what_is_written_is_read_back(stages: list[Stage]) -> None:
    assert list(parse_stages(",".join(map(str, stages)))) == stages


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("10s", "write 10s:50"),
        ("soon:10", "not a duration"),
        ("10s:0", "users"),
        ("10s:5+3", "at_once"),
        ("10s:5-0", "must be a whole number"),
        ("3s:10,3s:10/s", "some stages have users"),
        ("a=3s:10,a=3s:20", "two stages have the name 'a'"),
        ("A b=3s:10", "name"),
        ("v1.2=3s:10", r"name: the name of a stage must have no dots, .*; write 'v1-2'"),
    ],
)
def test_stages_that_cannot_be_are_refused_with_the_reason(text: str, why: str) -> None:
    with pytest.raises(UsageError, match=why):
        parse_stages(text)


def test_no_text_is_no_stage() -> None:
    assert parse_stages("") == ()


def test_a_load_of_stages_lasts_as_long_as_they_and_has_as_many_users() -> None:
    load = LoadConfig(stage=parse_stages("3s:10,3s:10-40,2s:5"))
    assert (load.duration, load.users, load.highest_rate) == (8, 40, None)
    assert stage_begins(load.stage) == [(0, "1"), (3, "2"), (6, "3")]
    assert stages_seconds(load.stage) == 8


def test_users_of_arrivals_in_stages_are_enough_unless_said() -> None:
    stages = parse_stages("3s:10/s,3s:500/s")
    assert LoadConfig(stage=stages).users == 5000
    assert LoadConfig(stage=stages, users=7).users == 7
    assert LoadConfig(arrival_rate=2).users == 100


def test_a_load_can_be_read_back_from_its_json() -> None:
    for load in (LoadConfig(stage=parse_stages("3s:10,3s:20")), LoadConfig(arrival_rate=20)):
        assert LoadConfig.model_validate_json(load.model_dump_json()) == load


@pytest.mark.parametrize("other", [{"duration": 5}, {"users": 3}, {"arrival_rate": 9}])
def test_what_the_stages_say_is_not_said_twice(other: dict[str, float]) -> None:
    with pytest.raises(UsageError, match="remove it, stages set it"):
        validated(LoadConfig, {"stage": parse_stages("3s:10"), **other}, "load")


def test_a_closed_loop_takes_nothing_of_an_open_one() -> None:
    with pytest.raises(UsageError, match="requires an arrival_rate"):
        validated(LoadConfig, {"arrivals": "even"}, "load")


def test_a_wrong_key_of_a_stage_is_answered_with_those_of_a_stage() -> None:
    with pytest.raises(UsageError, match=r"load: stage\.1\.lenght: .* the keys are name, duration"):
        validated(LoadConfig, {"stage": [{"users": 1, "duration": 1, "lenght": 1}]}, "load")


def test_faults_have_a_time_or_last() -> None:
    freeze, slow = parse_fault("freeze@10s+2s"), parse_fault("connect-delay:150ms")
    assert (freeze.at, freeze.length, freeze.end) == (10, 2, 12)
    assert (slow.delay, slow.length, slow.end) == (0.15, None, math.inf)
    assert parse_fault("connect-delay:1s@2s+3s").end == 5
    for fault in (freeze, slow, parse_fault("connect-delay:1s@2s+3s")):
        assert parse_fault(str(fault)) == fault


@pytest.mark.parametrize(
    "text", ["freeze", "freeze:1s@1s+1s", "connect-delay@1s+1s", "burn@1s+1s", "freeze@now+1s", ""]
)
def test_faults_that_cannot_be_are_refused(text: str) -> None:
    with pytest.raises(UsageError, match="--fault"):
        parse_fault(text)
