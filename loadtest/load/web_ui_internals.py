"""The undocumented parts of Locust's web UI; no other module uses them.

The script `options/start_form.js` depends on the page that Locust's React code makes, and changes
nothing where it finds another one.
"""

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


def change_arguments(web_ui: Any, change: Callable[[Mapping[str, Any]], Mapping[str, Any]]) -> None:
    """Replace some of the arguments from which Locust makes its page.

    change: gets all arguments and returns the new ones. The fields of the start form are
    `extra_options`; they keep their order.
    """
    web_ui.app.jinja_env.policies["json.dumps_kwargs"] = {"sort_keys": False}
    original = web_ui.update_template_args

    def update_template_args() -> None:
        original()
        web_ui.template_args |= change(web_ui.template_args)

    web_ui.update_template_args = update_template_args


def selectable_classes(web_ui: Any) -> list[type]:
    """The user classes that a start can choose: with `--class-picker` all, else those that run."""
    environment = web_ui.environment
    if web_ui.userclass_picker_is_active:
        return list(environment.available_user_classes.values())
    return list(environment.user_classes)
