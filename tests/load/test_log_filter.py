"""Tracebacks of failed tasks: what is logged is as Python has it, made when it is read."""

from __future__ import annotations

import traceback
from importlib import import_module

import loadtest.load.log_filter  # noqa: F401 - what is tested is what Locust has after this


def test_a_failed_task_is_formatted_when_it_is_read() -> None:
    try:
        try:
            1 // 0  # noqa: B018
        except ZeroDivisionError as error:
            raise LookupError("because of that") from error
    except LookupError:
        later, now = (
            import_module("locust.user.task").traceback.format_exc(),
            traceback.format_exc(),
        )
    assert not isinstance(later, str)
    assert f"{later}" == now
    assert "ZeroDivisionError" in now
