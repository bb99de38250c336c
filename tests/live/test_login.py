"""With `--web-login` every page wants a session, also those that are yet to be written."""

from __future__ import annotations

from locust.env import Environment

from pathlib import Path
from typing import Any

import pytest
from flask_login import UserMixin

from loadtest.live.comparing.comparison_form import ServedSettings
from loadtest.live.displays import Live

# What a browser needs before anybody has signed in.
OPEN = {"static", "locust.send_assets", "locust.login"}
OURS = {
    *("loadtest.page", "loadtest.data", "loadtest.report", "loadtest.result", "loadtest.series"),
    *("loadtest_metrics", "loadtest_comparisons.state", "loadtest_comparisons.report"),
}
CHANGING = ("loadtest_comparisons.start", "loadtest_comparisons.cancel")


@pytest.fixture(params=["", "/lt"])
def web(request: pytest.FixtureRequest, tmp_path: Path) -> Any:
    """Locust's web UI with the tool's pages, below a path, without a login."""
    web_ui = Environment().create_web_ui(
        "127.0.0.1", 0, web_base_path=request.param, web_login=True, delayed_start=True
    )
    web_ui.app.secret_key = "only for tests"
    web_ui.login_manager.user_loader(lambda _: UserMixin())
    settings = ServedSettings(scenarios={}, defaults={}, local=False)
    Live().serve(web_ui, request.param, lambda: tmp_path, lambda: settings)
    return web_ui


def paths(web_ui: Any, method: str) -> dict[str, str]:
    """An address of every route that answers a method, by what serves it."""
    known = {"name": "pool.js", "run": 1, "number": 1, "filename": "x", "stat": "requests"}
    bound = web_ui.app.url_map.bind("127.0.0.1")
    return {
        rule.endpoint: bound.build(
            rule.endpoint, {n: known.get(n, "x") for n in rule.arguments}, method
        )
        for rule in web_ui.app.url_map.iter_rules()
        if method in (rule.methods or ())
    }


def test_nobody_gets_in_without_a_session(web: Any) -> None:
    client = web.app.test_client()
    asked = {method: paths(web, method) for method in ("GET", "POST")}
    assert asked["GET"].keys() > OURS
    assert {"loadtest.comparison", *CHANGING} < asked["POST"].keys()
    for method, found in asked.items():
        for endpoint, path in found.items():
            if endpoint not in OPEN:
                answer = client.open(path, method=method)
                assert answer.status_code == 302, (method, endpoint, path)
                assert "/login" in answer.headers["location"]
