"""With `--web-login` every page wants a session, also those that are yet to be written."""

from __future__ import annotations

from locust.env import Environment

from typing import Any

import pytest
from flask_login import UserMixin

from loadtest.live.comparing.comparison_form import ServedSettings
from loadtest.live.displays import Live

# What a browser needs before anybody has signed in.
OPEN = {"static", "locust.send_assets", "locust.login"}


@pytest.fixture(params=["", "/lt"])
def web(request: pytest.FixtureRequest) -> Any:
    """Locust's web UI with the tool's pages, below a path, without a login."""
    web_ui = Environment().create_web_ui(
        "127.0.0.1", 0, web_base_path=request.param, web_login=True, delayed_start=True
    )
    web_ui.app.secret_key = "only for tests"
    web_ui.login_manager.user_loader(lambda _: UserMixin())
    settings = ServedSettings(scenarios={}, defaults={}, local=False)
    Live().serve(web_ui, request.param, lambda: settings)
    return web_ui


def paths(web_ui: Any) -> dict[str, str]:
    """An address of every route that answers a GET, by what serves it."""
    known = {"name": "pool.js", "run": 1, "number": 1, "filename": "x", "stat": "requests"}
    bound = web_ui.app.url_map.bind("127.0.0.1")
    return {
        rule.endpoint: bound.build(rule.endpoint, {n: known.get(n, "x") for n in rule.arguments})
        for rule in web_ui.app.url_map.iter_rules()
        if "GET" in (rule.methods or ())
    }


def test_nobody_gets_in_without_a_session(web: Any) -> None:
    client = web.app.test_client()
    found = paths(web)
    ours = {"loadtest.page", "loadtest.data", "loadtest.report", "loadtest_metrics"}
    assert ours | {"loadtest_comparisons.state", "loadtest_comparisons.report"} < found.keys()
    for endpoint, path in found.items():
        if endpoint not in OPEN:
            answer = client.get(path)
            assert answer.status_code == 302, (endpoint, path)
            assert "/login" in answer.headers["location"]
    for endpoint in ("loadtest_comparisons.start", "loadtest_comparisons.cancel"):
        path = web.app.url_map.bind("127.0.0.1").build(endpoint, method="POST")
        assert client.post(path).status_code == 302
