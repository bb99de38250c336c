"""The engines of an application arrive through a named pipe, and one of them is meant."""

from __future__ import annotations

import json
import os
import stat

import pytest

from loadtest.experiment.driving.control_folder import ControlFolder
from loadtest.experiment.driving.told_engines import ToldEngine, ToldEngines
from loadtest.model.errors import RefusedRun
from tests.driving.told import message, told_engine


def write(control: ControlFolder, text: bytes) -> None:
    """Write to the pipe as a process of the application does."""
    pipe = os.open(control.pipe, os.O_WRONLY | os.O_NONBLOCK)
    try:
        os.write(pipe, text)
    finally:
        os.close(pipe)


def test_only_this_user_can_read_the_folder_and_nothing_of_it_is_left() -> None:
    with ControlFolder() as control:
        control.make()
        assert stat.S_IMODE(control.path.stat().st_mode) == 0o700
        assert stat.S_ISFIFO(control.pipe.stat().st_mode)
    assert not control.path.exists()


def test_messages_arrive_whole_and_once() -> None:
    lines = [json.dumps({"kind": "engine", "pid": number}).encode() + b"\n" for number in (1, 2)]
    with ControlFolder() as control:
        control.make()
        assert list(control.messages()) == []
        write(control, lines[0] + lines[1][:9])
        assert [told["pid"] for told in control.messages()] == [1]
        write(control, lines[1][9:])
        assert [told["pid"] for told in control.messages()] == [2]
        assert list(control.messages()) == []


def test_engines_of_one_place_and_database_are_one() -> None:
    engines = ToldEngines()
    engines.hear([message(), message(pid=8), message(url="mysql+aiomysql://x@127.0.0.1:3307/shop")])
    assert [one.process for one in engines.meant] == [7, 8, 7]
    assert engines.processes == {7, 8}


def test_forks_of_a_process_with_an_engine_count() -> None:
    engines = ToldEngines()
    engines.hear([message(), {"kind": "fork", "pid": 8, "parent": 7}])
    engines.hear([{"kind": "fork", "pid": 11, "parent": 10}])
    assert engines.processes == {7, 8}


def test_two_engines_are_named_with_their_places() -> None:
    engines = ToldEngines()
    engines.hear([message(), message(name="audit", place="shop/audit.py:4 <module>")])
    with pytest.raises(RefusedRun) as refused:
        _ = engines.meant
    assert str(refused.value) == (
        "the application makes 2 engines, shop (shop/db.py:9) and audit (shop/audit.py:4): add "
        "--app-engine shop, or another one of them"
    )


def test_two_engines_of_one_name_are_told_apart_by_their_places() -> None:
    engines = ToldEngines()
    engines.hear([message(), message(place="shop/audit.py:4 <module>")])
    with pytest.raises(RefusedRun, match=r"add --app-engine shop/db\.py:9, or"):
        _ = engines.meant


@pytest.mark.parametrize(
    "chosen", ["audit", "shop/audit.py:4", "shop/audit.py:4 <module>"], ids=["name", "line", "all"]
)
def test_a_chosen_engine_is_found_by_its_name_or_its_place(chosen: str) -> None:
    engines = ToldEngines(chosen)
    new = engines.hear([message(), message(name="audit", place="shop/audit.py:4 <module>")])
    assert [str(one) for one in new] == ["audit (shop/audit.py:4)"]
    assert list(engines.meant) == new
    assert [str(one) for one in engines.others] == ["shop (shop/db.py:9)"]


def test_the_own_settings_of_a_pool_have_the_defaults_of_sqlalchemy() -> None:
    own = {"poolclass": "QueuePool", "pool_size": 3}
    found = told_engine(own=own).own_settings
    assert (found["pool_size"], found["max_overflow"], found["pool_timeout"]) == (3, 10, 30.0)
    found = told_engine(own={"poolclass": "NullPool"}).own_settings
    assert (found["pool_size"], found["max_overflow"]) == (None, None)


def test_an_engine_of_which_nothing_but_a_refusal_is_known_is_refused() -> None:
    with pytest.raises(RefusedRun, match="its address is too long to be told"):
        ToldEngine.of(message(url="", refused="its address is too long to be told"))
