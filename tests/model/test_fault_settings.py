"""Faults as people write them."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from loadtest.model.errors import UsageError
from loadtest.model.fault import FAULT_KINDS, Fault, check_faults, parse_fault
from loadtest.model.field_types import validated

seconds = st.integers(1, 10_000).map(lambda ms: ms / 1000)
HOWS = {
    "kill": st.just({})
    | st.integers(1, 100).map(lambda percent: {"share": percent / 100})
    | st.integers(1, 5000).map(lambda number: {"connections": number}),
    "connect-delay": seconds.map(lambda delay: {"delay": delay}),
    "latency": seconds.map(lambda delay: {"delay": delay}),
    "idle-drop": seconds.map(lambda idle: {"idle": idle}),
    "max-connections": st.integers(10, 5000).map(lambda number: {"connections": number}),
}


@st.composite
def faults(draw: st.DrawFn) -> Fault:
    kind = draw(st.sampled_from(sorted(FAULT_KINDS)))
    length = {"must": seconds, "may": seconds | st.none(), "none": st.none()}[
        FAULT_KINDS[kind].length
    ]
    data = {"kind": kind, "length": draw(length), **draw(HOWS.get(kind, st.just({})))}
    lasting = FAULT_KINDS[kind].lasts and data["length"] is None
    return Fault(at=0 if lasting else draw(seconds), **data)


@given(faults())
def test_what_is_written_is_read_back(fault: Fault) -> None:
    assert parse_fault(str(fault)) == fault
    assert Fault.model_validate_json(fault.model_dump_json(exclude_none=True)) == fault


def test_how_much_is_said_after_a_colon() -> None:
    some, three, everybody = map(parse_fault, ("kill:50%@5s", "kill:3@5s", "kill@5s"))
    assert (some.share, some.connections, some.at, some.end) == (0.5, None, 5, 5)
    assert (three.share, three.connections) == (None, 3)
    assert (everybody.share, everybody.connections) == (None, None)
    assert parse_fault("idle-drop:500ms@1s+2s").idle == 0.5
    assert parse_fault("max-connections:20@1s+2s").connections == 20
    assert parse_fault("latency:20ms").delay == 0.02


def test_some_go_on_for_the_whole_run() -> None:
    for text in ("latency:20ms", "connect-delay:1s", "idle-drop:1s"):
        fault = parse_fault(text)
        assert fault.lasting
        assert fault.end == math.inf
    for text in ("restart@2s", "kill@2s"):
        assert not parse_fault(text).lasting
        assert parse_fault(text).end == 2


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("kill:0@5s", "connections: must be at least 1 (got '0')"),
        ("kill:120%@5s", "share: must be at most 1 (got '120%')"),
        ("kill:half@5s", "connections: must be a whole number"),
        ("kill@5s+1s", "kill has no length: it is over at once"),
        ("refuse@5s", "refuse needs a length"),
        ("latency@5s+1s", "latency needs delay"),
        ("latency:5ms@5s", "latency with a start time also needs a length"),
        ("restart:5ms@5s", "restart has no setting delay"),
        ("max-connections:9@1s+1s", "max_connections must be at least 10"),
        ("max-connections@1s+1s", "max-connections needs connections"),
    ],
)
def test_what_is_no_fault_is_refused_with_the_reason(text: str, problem: str) -> None:
    with pytest.raises(UsageError) as refused:
        parse_fault(text)
    assert str(refused.value).startswith(f"--fault {text}: {problem}")


def test_a_setting_of_another_kind_is_refused() -> None:
    data = {"kind": "kill", "at": 1, "share": "50%", "connections": 3, "idle": 1}
    with pytest.raises(UsageError) as refused:
        validated(Fault, data, "x")
    assert (
        str(refused.value)
        == "x: kill has no setting idle; kill accepts only one of connections, share"
    )


@pytest.mark.parametrize(
    ("faults", "clash"),
    [
        (("latency:1ms", "latency:5ms@1s+1s"), True),
        (("freeze@1s+3s", "restart@2s"), True),
        (("freeze@1s+3s", "restart@4s"), False),
        (("freeze@1s+3s", "freeze@4s+1s"), False),
        (("latency:1ms", "kill@2s", "kill@3s"), False),
        (("idle-drop:1s", "refuse@1s+2s"), False),
    ],
)
def test_two_of_a_kind_come_one_after_the_other(faults: tuple[str, ...], clash: bool) -> None:
    wanted = [parse_fault(text) for text in faults]
    if not clash:
        check_faults(wanted, 60)
        return
    with pytest.raises(ValueError, match="overlap: move one of them"):
        check_faults(wanted, 60)
