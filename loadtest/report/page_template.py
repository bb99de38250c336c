"""The templates of pages: one style, one script that a hash allows, and how texts are written."""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Mapping, Sequence
from functools import cache
from html import unescape
from itertools import count
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
    *(_HERE / "explore.js", _HERE / "sort.js", _HERE / "copy.js"),
)
_LICENSE = CHART_FOLDER / "uPlot.LICENSE"
# Names and texts from files are escaped, so tags are the template's own.
_HEADING = re.compile(r"<h([1-3])((?: [^>]*)?)>(.*?)</h\1>", re.DOTALL)
_PLACE = re.compile(r'<h([1-3]) id="([^"]*)"[^>]*>(.*?)</h\1>', re.DOTALL)
_CONTENTS = "<nav></nav>"
_STYLES = (CHART_FOLDER / "uPlot.css", _HERE / "report.css")


def whole_page(name: str, **values: Any) -> str:
    """A page: its headings have an id each, and links to its sections stand where `<nav>` is."""
    known = set[str]()

    def with_id(heading: re.Match[str]) -> str:
        rank, about, text = heading.groups()
        if " id=" in about:
            return heading[0]
        place = _unique(slug(unescape(re.sub(r"<[^>]*>", "", text))), known)
        return f'<h{rank} id="{place}"{about}>{text}</h{rank}>'

    page = _HEADING.sub(with_id, page_template(name).render(**values))
    sections = [(place, text) for rank, place, text in _PLACE.findall(page) if rank == "2"]
    links = "".join(f'<a href="#{place}">{text}</a> ' for place, text in sections)
    return page.replace(_CONTENTS, f'<nav aria-label="Contents">{links}</nav>', 1)


def slug(text: str) -> str:
    """A text as an identifier: small letters and digits, with hyphens between."""
    return re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-") or "part"


def _unique(place: str, known: set[str]) -> str:
    numbered = (place if n == 1 else f"{place}-{n}" for n in count(1))
    known.add(free := next(one for one in numbered if one not in known))
    return free


@cache
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
    environment.filters |= {"first": first_sentence, "rest": further_sentences}
    environment.filters |= {"together": _together, "breakable": _breakable, "compact": _compact}
    script = f"/*\n{_joined([_LICENSE])}*/\n{_joined(_SCRIPTS)}"
    environment.globals |= {
        "script": Markup(script),
        "policy": _policy(script),
        "css": Markup(_joined(_STYLES)),
        "colours": {"light": pool_variables(dark=False), "dark": pool_variables(dark=True)},
    }
    return environment.get_template(name)


def first_sentence(text: str) -> str:
    """The first sentence of some."""
    return _sentences(text)[0]


def further_sentences(text: str) -> str:
    """The sentences after the first; empty if there are none."""
    return " ".join(_sentences(text)[1:])


def _sentences(text: str) -> list[str]:
    return re.split(r"(?<=\.) (?=[A-Z])", text, maxsplit=1)


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
