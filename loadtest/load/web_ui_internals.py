"""The undocumented parts of Locust's web UI; no other module uses them."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

from flask import Response, jsonify, request

# The endpoints of Locust's web UI: its page, the statistics, and the form that starts a run.
_PAGE, _STATISTICS, _START = "locust.index", "locust.request_stats", "locust.swarm"
# After one of these states the page stops polling, and its button stays at "Loading".
_ENDING = ("cleanup", "stopping")


def change_page(web_ui: Any, change: Callable[[str], str]) -> None:
    """Change the HTML of the web UI's page with a function."""

    @web_ui.app.after_request
    def changed(response: Response) -> Response:
        if request.endpoint == _PAGE and response.is_sequence:
            response.set_data(change(response.get_data(as_text=True)))
        return response


def add_statistics(web_ui: Any, more: Callable[[], Mapping[str, Any]]) -> None:
    """Add data to the statistics that the page requests every two seconds."""

    @web_ui.app.after_request
    def extended(response: Response) -> Response:
        if request.endpoint == _STATISTICS and response.is_json:
            statistics = response.json or {}
            if statistics["state"] in _ENDING:
                statistics["state"] = "running"
            response.set_data(json.dumps({**statistics, **more()}))
        return response


def check_start_form(web_ui: Any, problem: Callable[[Mapping[str, str]], str]) -> None:
    """Show the problem that a function finds in a start form; without a problem the run starts."""

    @web_ui.app.before_request
    def refuse() -> Response | None:
        found = problem(request.form) if request.endpoint == _START else ""
        return jsonify({"success": False, "message": found}) if found else None


def fill_form(web_ui: Any, current: Callable[[], Mapping[str, Any]]) -> None:
    """Show the current values of the options in the start form instead of the defaults."""
    original = web_ui.update_template_args

    def update_template_args() -> None:
        original()
        for name, field in web_ui.template_args["extra_options"].items():
            field["default_value"] = current().get(name, field["default_value"])

    web_ui.update_template_args = update_template_args
