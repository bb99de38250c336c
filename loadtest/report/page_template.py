"""The templates of pages: one style, one script that a hash allows, and how texts are written."""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined, Template
from jinja2.utils import htmlsafe_json_dumps
from markupsafe import Markup, escape

from loadtest.charts import CHART_FOLDER
from loadtest.report.figures.toolkit.svg import pool_variables

_HERE = Path(__file__).parent
# Together they are the one script and the one style of a page.
_SCRIPTS = (
    *(CHART_FOLDER / "uPlot.js", CHART_FOLDER / "charting.js"),
    *(_HERE / "explore.js", _HERE / "sort.js"),
)
_LICENSE = CHART_FOLDER / "uPlot.LICENSE"
_STYLES = (CHART_FOLDER / "uPlot.css", _HERE / "report.css")


def page_template(name: str) -> Template:
    """A page's template, with the style and the colours that all pages have."""
    environment = Environment(
        loader=FileSystemLoader(_HERE),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"svg": Markup, "coded": _coded}
    environment.filters |= {"together": _together, "breakable": _breakable, "compact": _compact}
    script = f"/*\n{_joined([_LICENSE])}*/\n{_joined(_SCRIPTS)}"
    environment.globals |= {
        "script": Markup(script),
        "policy": _policy(script),
        "css": Markup(_joined(_STYLES)),
        "colours": {"light": pool_variables(dark=False), "dark": pool_variables(dark=True)},
    }
    return environment.get_template(name)


def _joined(paths: Sequence[Path]) -> str:
    return "\n".join(path.read_text(encoding="utf-8") for path in paths)


def _policy(script: str) -> str:
    """The content security policy of a page: only its own style and this script."""
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    return (
        f"default-src 'none'; style-src 'unsafe-inline'; script-src 'sha256-{digest}'; "
        "img-src data:; base-uri 'none'; form-action 'none'"
    )


def _compact(data: Mapping[str, Any]) -> Markup:
    """Data as JSON for an attribute in single quotes."""
    return Markup(htmlsafe_json_dumps(data, separators=(",", ":")))


def _together(text: str) -> Markup:
    """A sentence without line breaks between a number and its unit, or within an option."""
    option = r'<span class="option">\g<0></span>'
    return Markup(re.sub(r"(?<![\w-])--[a-z][a-z-]*", option, _with_units(text)))


def _breakable(text: str) -> Markup:
    """A text without line breaks between a number and its unit; a line may end after a slash."""
    return Markup(re.sub(r"(?<=\S)/", "/<wbr>", _with_units(text)))


def _with_units(text: str) -> str:
    """A text, escaped, without line breaks between a number and its unit."""
    text = re.sub(r"(?<=\d) (?=(?:%|[mµ]?s|[KMGT]iB)(?!\w))", "\N{NO-BREAK SPACE}", text)
    return str(escape(re.sub(r"(?<=[<≥]) (?=\d)", "\N{NO-BREAK SPACE}", text)))


def _coded(text: str) -> Markup:
    """The same, with the names between backticks as code."""
    code = r'<code class="name">\1</code>'
    return Markup(re.sub(r"`([^`]+)`", code, str(_together(text))))
