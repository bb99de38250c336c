"""The addresses of the live page below `/pool/compare`: state, start, cancel, report."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from flask import Blueprint, Response, jsonify, request

from loadtest.live.comparing.comparison_form import RefusedForm, ServedSettings
from loadtest.live.comparing.page_comparisons import PageComparisons
from loadtest.live.comparing.request_guard import RequestGuard

_INVALID, _CONFLICT = 400, 409
_PATH = "/pool/compare"


def add_comparison_pages(
    web_ui: Any,
    base_path: str,
    comparisons: PageComparisons,
    settings: Callable[[], ServedSettings],
    show_report: Callable[[Path | None], Response],
    guard: RequestGuard,
) -> None:
    """Serve the form's addresses below base_path, behind Locust's login when that is on.

    settings: returns the current settings of this process. show_report: answers with the report at
    a path, or that there is none. guard: refuses requests of other pages.
    """
    pages = Blueprint("loadtest_comparisons", __name__, url_prefix=base_path or None)

    def serve(rule: str, endpoint: str, view: Callable[..., Response], method: str) -> None:
        checked = web_ui.auth_required_if_enabled(guard.acts(view))
        pages.add_url_rule(_PATH + rule, endpoint, checked, methods=[method])

    def state() -> Response:
        return jsonify({"token": guard.token, **comparisons.shown(settings())})

    def start() -> Response:
        return _outcome(lambda: comparisons.start(request.form, settings()), state)

    def cancel() -> Response:
        return _outcome(comparisons.cancel, state)

    def report(number: int) -> Response:
        return show_report(comparisons.report_of(number))

    serve("", "state", state, "GET")
    serve("", "start", start, "POST")
    serve("/cancel", "cancel", cancel, "POST")
    serve("/report/<int:number>", "report", report, "GET")
    pages.after_request(_uncached)
    web_ui.app.register_blueprint(pages)


def _outcome(act: Callable[[], None], state: Callable[[], Response]) -> Response:
    """The new state after an action, or why it was refused."""
    try:
        act()
    except RefusedForm as error:
        return _refused(error.fields, _CONFLICT if "" in error.fields else _INVALID)
    return state()


def _refused(fields: Mapping[str, str], status: int) -> Response:
    answer = jsonify({"problems": fields})
    answer.status_code = status
    return answer


def _uncached(response: Response) -> Response:
    """The state changes every second, and the token belongs to this process."""
    response.headers["Cache-Control"] = "no-store"
    response.headers["X-Content-Type-Options"] = "nosniff"
    return response
