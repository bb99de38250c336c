"""The web UI's start form: options in groups, and a mistake answered where it was made."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from flask import Request, Response, jsonify, request

from loadtest.model.errors import UsageError

Check = Callable[[Mapping[str, str]], None]

_FIELD = ":is(.MuiFormControl-root, .MuiFormControlLabel-root):has([name='{name}'])"
_DATABASE = f"{_FIELD.format(name='host')} {{ pointer-events: none; opacity: 0.6; }}"
# Labels hold the help texts, which would be cut off in one line on the frame of a field.
_LABELS = """
.MuiAccordionDetails-root .MuiInputLabel-root {
  position: static; transform: none; max-width: none; margin-bottom: 0.3rem;
  white-space: normal; pointer-events: auto;
}
.MuiAccordionDetails-root .MuiOutlinedInput-notchedOutline { top: 0; }
.MuiAccordionDetails-root .MuiOutlinedInput-notchedOutline legend { display: none; }
"""
_HEADING = """
{field} {{ position: relative; margin-top: 3.5rem; }}
{field}::before {{
  content: "{title}"; position: absolute; top: -3.2rem; left: 0; font-weight: 600;
}}
"""


def arrange(
    web_ui: Any, groups: Mapping[str, str], check: Check, current: Callable[[], Mapping[str, Any]]
) -> None:
    """Show the options in groups, and check what is sent before Locust takes it.

    Locust sorts the fields by name and knows no groups; here they keep the order in which they
    were added to the parser. The host is the database, which the form cannot change.

    groups: titles, each with the name of its first option.
    check: gets the form's fields and raises UsageError with what is wrong in them.
    current: the options as they are now; Locust would show their defaults.
    """
    web_ui.app.jinja_env.policies["json.dumps_kwargs"] = {"sort_keys": False}
    headings = "".join(_heading(*group) for group in groups.items())
    style = f"<style>{headings}{_LABELS}{_DATABASE}</style></head>"

    @web_ui.app.after_request
    def add_headings(response: Response) -> Response:
        if request.endpoint == "locust.index" and response.is_sequence:
            page = response.get_data(as_text=True)
            response.set_data(page.replace("</head>", style, 1))
        return response

    original = web_ui.update_template_args

    def update_template_args() -> None:
        original()
        for name, field in web_ui.template_args["extra_options"].items():
            field["default_value"] = current().get(name, field["default_value"])

    web_ui.update_template_args = update_template_args

    @web_ui.app.before_request
    def refuse() -> Response | None:
        return _refusal(request, check) if request.endpoint == "locust.swarm" else None


def _heading(title: str, first: str) -> str:
    start, *words = first.split("_")
    name = start + "".join(word.title() for word in words)  # as Locust's page calls its fields
    return _HEADING.format(field=_FIELD.format(name=name), title=title)


def _refusal(sent: Request, check: Check) -> Response | None:
    try:
        check(sent.form)
    except UsageError as error:
        return jsonify({"success": False, "message": str(error)})
    return None
