"""Tasks so long that most of what the users do has not ended when the run does."""

from __future__ import annotations

import pytest

from tests.findings.runs import Found, Provoked

pytestmark = pytest.mark.provoked


@pytest.fixture(scope="module")
def queues(provoked: Provoked) -> dict[str, Found]:
    load = "-u 10 -r 10 -t 3s --think-seconds 0 --pool-size 2 --max-overflow 0"
    return provoked.found_in(
        "unended-work",
        "query.py",
        stuck=f"{load} --query-seconds 2",
        moving=f"{load} --query-seconds 0.1",
    )


def test_users_who_do_not_finish_are_missed(queues: dict[str, Found]) -> None:
    evidence = queues["stuck"]["users_unaccounted"].evidence
    assert evidence["users"] == 10
    assert evidence["accounted"] < 4
    assert "users_unaccounted" not in queues["moving"]


def test_users_who_wait_without_an_end_are_missed(queues: dict[str, Found]) -> None:
    evidence = queues["stuck"]["waiters_unaccounted"].evidence
    assert 7 < evidence["seen"] <= 8
    assert evidence["accounted"] < 4
    assert "waiters_unaccounted" not in queues["moving"]
