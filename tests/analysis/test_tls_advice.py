"""The advice on TLS contexts: code that works when it is pasted, and fits the server."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pymysql
import pytest

from loadtest.analysis.summarize import summarize_runs
from loadtest.database.preflight.handshake import Handshake
from loadtest.database.preflight.pool_checks import tls_context_check
from loadtest.model.tls_advice import SHARE_TLS_CONTEXT, SWITCH_TLS_OFF
from tests.analysis.builders import interval, run


def pasted(advice: str) -> pymysql.Connection[Any]:
    """A connection of PyMySQL, not connected yet, with the arguments in an advice."""
    (code,) = re.findall(r"(?:import ssl; |create_engine).*?\}\)", advice)
    engines: list[dict[str, Any]] = []
    exec(code, {"url": "", "create_engine": lambda _, connect_args: engines.append(connect_args)})
    return pymysql.Connection(defer_connect=True, **engines[0])


def test_the_shared_context_verifies_as_much_as_the_one_that_pymysql_builds() -> None:
    shared: Any = pasted(SHARE_TLS_CONTEXT)
    own: Any = pymysql.Connection(defer_connect=True)
    assert shared.ssl
    assert shared.ctx.verify_mode is own.ctx.verify_mode
    assert shared.ctx.check_hostname is own.ctx.check_hostname


def test_for_a_server_without_tls_no_context_is_built() -> None:
    assert not hasattr(pasted(SWITCH_TLS_OFF), "ctx")


@pytest.mark.parametrize(("tls", "advice"), [(True, SHARE_TLS_CONTEXT), (False, SWITCH_TLS_OFF)])
@pytest.mark.parametrize("of_application", [True, False])
def test_a_check_has_the_advice_for_its_server(
    tls: bool, advice: str, of_application: bool
) -> None:
    check = tls_context_check(Handshake(0.001, 0.02, tls, of_application=of_application))
    assert check.advice == advice


@pytest.mark.parametrize(
    ("variables", "end"),
    [({"have_ssl": "DISABLED"}, SWITCH_TLS_OFF), ({"have_ssl": "YES"}, SHARE_TLS_CONTEXT)],
)
def test_a_finding_has_the_advice_for_its_server(
    tmp_path: Path, variables: dict[str, str], end: str
) -> None:
    counters = {"requests": 9, "opened": 9, "tls_contexts": 9}
    one = run(tmp_path, [interval(counters=counters)], server={"variables": variables})
    (pool,) = summarize_runs([one]).pools
    (found,) = [finding for finding in pool.findings if finding.code == "slow_handshake"]
    assert found.message.endswith(end[1:])
    assert ("although the server has no TLS" in found.message) is (end == SWITCH_TLS_OFF)


def test_contexts_of_connections_that_never_opened_are_no_finding(tmp_path: Path) -> None:
    counters = {"requests": 9, "tls_contexts": 9}
    (pool,) = summarize_runs([run(tmp_path, [interval(counters=counters)])]).pools
    assert "slow_handshake" not in {finding.code for finding in pool.findings}
