"""The web UI's start form: options in groups, and mistakes shown at their fields."""

from __future__ import annotations

import json
from argparse import Namespace
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from loadtest.load.options.form_fields import (
    field_groups,
    first_load,
    first_values,
    help_of,
    offered,
    without_effect,
)
from loadtest.load.options.pool_options import pool_default
from loadtest.load.options.run_options import Added, actions
from loadtest.load.web_ui_internals import (
    change_arguments,
    change_page,
    check_start_form,
    selectable_classes,
)
from loadtest.model.errors import UsageError

Check = Callable[[Mapping[str, str]], object]

_FOLDER = Path(__file__).parent
_STYLE = (_FOLDER / "start_form.css").read_text(encoding="utf-8")
_SCRIPT = (_FOLDER / "start_form.js").read_text(encoding="utf-8")


class StartForm:
    """Locust's start form, with the tool's options in groups.

    Locust makes the fields; a script in its page arranges them. The host is the database, which the
    form cannot change.
    options: returns the current options. check: gets the fields of a form before Locust, and raises
    UsageError with the mistakes in them.
    """

    def __init__(
        self, web_ui: Any, added: Added, options: Callable[[], Namespace], check: Check
    ) -> None:
        self._web_ui, self._added = web_ui, added
        self._options, self._check = options, check
        self._first = True
        change_arguments(web_ui, self._arguments)
        change_page(web_ui, self._page)
        check_start_form(web_ui, self._problem)

    def _groups(self, fields: Mapping[str, Any]) -> list[tuple[str, list[str]]]:
        return field_groups(self._added, selectable_classes(self._web_ui), fields)

    def _arguments(self, known: Mapping[str, Any]) -> dict[str, Any]:
        """What Locust makes its page from, with the fields in groups and with current values."""
        options, fields = self._options(), known["extra_options"]
        defaults = {name: field["default_value"] for name, field in fields.items()}
        values = first_values(options, defaults, first=self._first)
        for name, field in fields.items():
            choices = field["choices"]
            field["default_value"] = values[name]
            field["choices"] = choices and offered(options, name, choices)
        shown = {name: fields[name] for _, names in self._groups(fields) for name in names}
        return {"extra_options": shown, **first_load(known["num_users"], known["spawn_rate"])}

    def _page(self, page: str) -> str:
        # In HTML, a script ends at "</script", also within a text of JSON.
        data = json.dumps(self._described()).replace("<", "\\u003c")
        parts = f'<script type="application/json" id="start-form">{data}</script>'
        page = page.replace("</head>", f"<style>{_STYLE}</style></head>", 1)
        return page.replace("</body>", f"{parts}<script>{_SCRIPT}</script></body>", 1)

    def _described(self) -> dict[str, Any]:
        """The groups of the fields, and what the script must know of each field."""
        options, fields = self._options(), self._web_ui.template_args["extra_options"]
        defaults = {action.dest: action.default for action in actions(self._added.own)}
        return {
            "groups": [
                {"title": title, "open": not number, "fields": names}
                for number, (title, names) in enumerate(self._groups(fields))
            ],
            "fields": {
                name: {
                    "help": help_of(options, name, field["help_text"] or ""),
                    "idle": without_effect(options, name),
                    "neutral": pool_default(options, name, defaults.get(name)),
                }
                for name, field in fields.items()
            },
        }

    def _problem(self, form: Mapping[str, str]) -> str:
        try:
            self._check(form)
        except UsageError as error:
            return str(error)
        self._first = False
        return ""
