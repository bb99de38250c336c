"""The web UI's start form: options in groups, and mistakes shown in the form."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from loadtest.load.web_ui_internals import change_page, check_start_form, fill_form
from loadtest.model.errors import UsageError

Check = Callable[[Mapping[str, str]], None]

_FIELD = ":is(.MuiFormControl-root, .MuiFormControlLabel-root):has([name='{name}'])"
_DATABASE = f"{_FIELD.format(name='host')} {{ pointer-events: none; opacity: 0.6; }}"
# Labels contain the help texts, which do not fit on one line on the frame of a field.
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
    """Show the options in groups, and check a form before Locust takes it.

    Locust sorts the fields by name and has no groups. Here the fields keep the order of the
    parser. The host is the database, which the form cannot change.

    groups: titles, each with the name of its first option.
    check: gets the form's fields and raises UsageError with the mistakes in them.
    current: the current values of the options; Locust would show their defaults.
    """
    web_ui.app.jinja_env.policies["json.dumps_kwargs"] = {"sort_keys": False}
    headings = "".join(_heading(*group) for group in groups.items())
    style = f"<style>{headings}{_LABELS}{_DATABASE}</style></head>"

    change_page(web_ui, lambda page: page.replace("</head>", style, 1))
    fill_form(web_ui, current)
    check_start_form(web_ui, lambda form: _problem(form, check))


def _heading(title: str, first: str) -> str:
    start, *words = first.split("_")
    name = start + "".join(word.title() for word in words)  # as Locust's page calls its fields
    return _HEADING.format(field=_FIELD.format(name=name), title=title)


def _problem(form: Mapping[str, str], check: Check) -> str:
    try:
        check(form)
    except UsageError as error:
        return str(error)
    return ""
