"""What a driven process tells: whole lines, without waiting, and again if there was no room."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from loadtest.recording.steering import told
from loadtest.recording.steering.orders import Orders
from tests.recording.driven import ToolEnd, tool_end

ENGINE: dict[str, Any] = {
    "pid": 7,
    "name": "shop",
    "place": "shop/db.py:9 <module>",
    "url": "mysql+pymysql://u:secret@db1/shop",
    "own": {"poolclass": "QueuePool"},
    "set": {"pool_size": 20},
    "async": False,
    "refused": "",
}


@pytest.fixture
def tool(tmp_path: Path) -> Iterator[ToolEnd]:
    """A tool that reads; at the end, nothing is left to tell."""
    with tool_end(tmp_path) as end:
        yield end
    told.begin_in_child()


def test_orders_are_the_same_in_the_application() -> None:
    orders = Orders(
        tell="/tmp/tell",
        pool={"pool_size": 20, "pool_timeout": 0.5},
        engine="shop/db.py:9",
        ceiling=20,
        redirect=("127.0.0.1", 40123),
    )
    assert Orders.given(orders.variables()) == orders
    assert Orders.given(Orders(tell="/tmp/tell").variables()) == Orders(tell="/tmp/tell")
    assert Orders.given({}) is None


def test_a_fact_is_a_line(tool: ToolEnd) -> None:
    told.tell(tool.orders(), "engine", **ENGINE)
    told.tell(tool.orders(), "fork", pid=8, parent=7)
    assert tool.messages() == [{"kind": "engine", **ENGINE}]
    assert tool.messages("fork") == [{"kind": "fork", "pid": 8, "parent": 7}]


def test_values_that_json_does_not_have_are_texts(tool: ToolEnd) -> None:
    told.tell(tool.orders(), "engine", own={"pool_reset_on_return": Path("x")})
    assert tool.messages() == [{"kind": "engine", "own": {"pool_reset_on_return": "x"}}]


def test_a_long_place_loses_its_begin_and_the_url_stays_whole(tool: ToolEnd) -> None:
    place = "é/\udcff" * 1500 + "db.py:9 <module>"
    told.tell(tool.orders(), "engine", **{**ENGINE, "place": place})
    (message,) = tool.messages()
    assert len(tool.data) <= told.MOST_BYTES
    assert 500 < len(message["place"]) < len(place)
    assert place.replace("\udcff", "?").endswith(message.pop("place"))
    assert message.items() < {"kind": "engine", **ENGINE}.items()


def test_an_engine_with_a_url_that_does_not_fit_is_refused(tool: ToolEnd) -> None:
    told.tell(tool.orders(), "engine", **{**ENGINE, "url": f"{ENGINE['url']}?{'x' * 5000}"})
    (message,) = tool.messages()
    assert message["refused"] == "its address is too long to be told"
    assert (message["pid"], message["url"], message["set"]) == (7, "", {})


def test_a_full_pipe_takes_the_rest_later_in_the_same_order(tool: ToolEnd) -> None:
    orders = tool.orders()
    for number in range(100):
        told.tell(orders, "engine", pid=number, place="x" * 3000)
    first = len(tool.messages())
    assert 0 < first < 100
    while told.deliver(orders) and len(tool.messages()) < 100:
        pass
    assert [one["pid"] for one in tool.messages()] == list(range(100))


def test_the_lines_of_a_parent_are_not_told_by_its_child(tool: ToolEnd) -> None:
    told.tell(Orders(tell=str(tool.folder / "none")), "engine", pid=7)
    told.begin_in_child()
    told.tell(tool.orders(), "fork", pid=8, parent=7)
    assert tool.messages() == []
    assert len(tool.messages("fork")) == 1


def test_a_tool_is_there_while_it_reads(tool: ToolEnd) -> None:
    assert told.deliver(tool.orders())
    tool.close()
    assert not told.deliver(tool.orders())
    tool.path.unlink()
    assert not told.deliver(tool.orders())


def test_nothing_is_raised_or_waited_for_without_a_reader(tool: ToolEnd) -> None:
    tool.close()
    told.tell(tool.orders(), "engine", **ENGINE)
    told.tell(Orders(tell=str(tool.folder)), "engine", **ENGINE)


def test_a_pipe_that_may_not_be_opened_says_nothing_about_the_tool(
    tool: ToolEnd, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(*_: Any) -> int:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(os, "open", refused)
    assert told.deliver(tool.orders())


def test_each_line_fits_into_a_pipe_as_one_piece() -> None:
    assert os.pathconf("/tmp", "PC_PIPE_BUF") >= told.MOST_BYTES
    assert json.loads(told._line({"kind": "fork"})) == {"kind": "fork"}
