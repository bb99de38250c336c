"""The start form: its groups, values and mistakes, and its script in a page without Locust."""

from __future__ import annotations

from locust import User, events
from locust.argument_parser import get_parser
from locust.env import Environment
from locust.event import Events

import json
import re
import sys
from argparse import Namespace
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import pytest
from playwright.sync_api import Browser, expect

from loadtest.load.options.form_check import check_form
from loadtest.load.options.run_options import Added, add_options
from loadtest.load.options.start_form import StartForm
from loadtest.model.errors import UsageError
from loadtest.model.pool import AS_IS

HELP = "rows </script> of the shop"


class Shop(User):
    """A scenario with options of its own."""

    @classmethod
    def add_options(cls, group: Any) -> None:
        group.add_argument("--shop-rows", type=int, default=10, help=HELP)
        group.add_argument("--shop-level", type=int, default=1, choices=[1, 2])


class LaterShop(Shop):
    """The scenario that runs; it inherits the options."""


class Bank(User):
    """A scenario that does not run."""

    @classmethod
    def add_options(cls, group: Any) -> None:
        group.add_argument("--bank-rows", type=int, default=10, help="rows of the bank")


class Shown:
    """Locust's page with the start form, for some arguments of the command line.

    refused: the mistakes in the next form.
    """

    def __init__(self, environment: Environment, added: Added, options: Namespace) -> None:
        self.refused = ""
        environment.parsed_options = options
        environment.create_local_runner()
        web_ui = environment.create_web_ui("127.0.0.1", 0, delayed_start=True)
        StartForm(web_ui, added, lambda: options, self._check)
        self._client = web_ui.app.test_client()

    def _check(self, form: Mapping[str, str]) -> None:
        if self.refused:
            raise UsageError(self.refused)

    @property
    def page(self) -> str:
        return self._client.get("/").text

    @property
    def arguments(self) -> dict[str, Any]:
        """What Locust makes its page from."""
        return dict(self._json(r"window\.templateArgs = (.*)"))

    @property
    def described(self) -> dict[str, Any]:
        """What the script knows of the form."""
        return dict(self._json(r'id="start-form">(.*?)</script>'))

    def _json(self, pattern: str) -> Any:
        (text,) = re.findall(pattern, self.page)
        return json.loads(text)

    def field(self, name: str) -> dict[str, Any]:
        return dict(self.arguments["extra_options"][name])

    def send(self, **form: str) -> str:
        """The answer to a form."""
        return str((self._client.post("/swarm", data=form).json or {})["message"])


@pytest.fixture
def show(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., Shown]]:
    """Makes the page for arguments of the command line."""
    environment = Environment(user_classes=[LaterShop], events=Events())
    added: list[Added] = []

    def add(parser: Any) -> None:
        parser.add_argument("--of-another-plugin", default="x", help="not the tool's")
        added.append(add_options(parser, [Shop, Bank]))

    monkeypatch.setattr(events.init_command_line_parser, "_handlers", [add])
    monkeypatch.setattr(sys, "argv", ["locust"])  # the web UI parses it

    def shown(*arguments: str) -> Shown:
        options = get_parser(default_config_files=[]).parse_args([*arguments])
        return Shown(environment, added[-1], options)

    yield shown
    if environment.runner:
        environment.runner.quit()


def test_the_form_has_groups_and_leaves_out_scenarios_that_do_not_run(
    show: Callable[..., Shown],
) -> None:
    shown = show()
    groups = shown.described["groups"]

    assert [group["title"] for group in groups] == [
        "Connection pool (SQLAlchemy's own names)",
        "Load test",
        "Scenario Shop",
        "Other options",
    ]
    assert [group["open"] for group in groups] == [True, False, False, False]
    assert groups[0]["fields"][:3] == ["poolclass", "pool_size", "max_overflow"]
    assert groups[2]["fields"] == ["shop_rows", "shop_level"]
    assert groups[3]["fields"] == ["of_another_plugin"]
    fields = [name for group in groups for name in group["fields"]]
    assert list(shown.arguments["extra_options"]) == fields
    assert shown.described["fields"]["shop_rows"]["help"] == HELP
    assert HELP not in shown.page, "a script would end there"


def test_the_first_form_has_values_that_measure_something(show: Callable[..., Shown]) -> None:
    shown = show()
    assert (shown.arguments["num_users"], shown.arguments["spawn_rate"]) == (50, 50)
    assert shown.field("warmup")["default_value"] == "2s"
    shown.refused = "pool_size: no"
    assert shown.send() == "pool_size: no"
    assert shown.field("warmup")["default_value"] == "2s"

    shown.refused = ""
    shown.send()  # Locust refuses a form without users
    assert shown.field("warmup")["default_value"] == "0s", "the next form has the last values"


def test_what_the_command_line_says_is_in_the_form(show: Callable[..., Shown]) -> None:
    shown = show("-u", "7", "--warmup", "0s", "--pool-size", "9")
    assert (shown.arguments["num_users"], shown.arguments["spawn_rate"]) == (7, 7)
    assert shown.field("warmup")["default_value"] == "0s"
    assert shown.field("pool_size")["default_value"] == 9
    assert AS_IS not in shown.field("poolclass")["choices"]
    assert shown.described["fields"]["isolation_level"]["idle"] == []


def test_an_applications_own_pool_can_be_chosen(show: Callable[..., Shown]) -> None:
    shown = show("--engine", "myapp.db:engine")
    assert AS_IS in shown.field("poolclass")["choices"]
    assert shown.described["fields"]["isolation_level"]["idle"] == [
        {"when": {}, "why": "no effect: the application sets its own"}
    ]


def test_all_mistakes_are_told_at_once_each_with_its_field(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(events.init_command_line_parser, "_handlers", [])
    parser = get_parser(default_config_files=[])
    added = add_options(parser, [Shop])
    form = {
        "poolclass": "Queue",
        "pool_size": "abc",
        "max_overflow": "-2",
        "pool_name": "../up",
        "arrival_rate": "nan",
        "arrivals": "never",
        "drop_after": "0",
        "warmup": "soon",
        "stages": "x",
        "shop_level": "3",
        "shop_rows": "2.5",
    }
    with pytest.raises(UsageError) as caught:
        check_form(parser.parse_args([]), form, added)

    told = caught.value.problems
    begins = [
        "poolclass: 'Queue' is unknown; use QueuePool, NullPool, FairPool",
        "pool_size: 'abc' is not a whole number: connections to keep",
        "arrival_rate: 'nan' is not a number: offered rate",
        "arrivals: 'never' is unknown; use poisson, even",
        "shop_rows: '2.5' is not a whole number: rows",
        "shop_level: '3' is unknown; use 1, 2",
        "pool_name: '../up' is not a name",
        "max_overflow: must be at least -1",
        "--warmup: 'soon' is not a duration",
        "--stages x: stage 'x'",
    ]
    missing = [begin for begin in begins if not any(one.startswith(begin) for one in told)]
    assert missing == []
    assert len(told) == len(begins)
    with pytest.raises(UsageError, match=r"^--drop-after must be above zero$"):
        check_form(parser.parse_args([]), {"drop_after": "0"}, added)


def plain_form(shown: Shown, *, without: str = "") -> str:
    """A form with the fields of Locust's, without anything else of its page."""
    fields = {n: f for n, f in shown.arguments["extra_options"].items() if n != without}
    rows = "".join(_row(name, field) for name, field in fields.items())
    parts = re.findall(r'<script type="application/json".*</script>', shown.page, re.DOTALL)
    users = "<input name='userCount'>"
    return f"<body><form><div>{users}<div id='box'>{rows}</div></div></form>{parts[0]}</body>"


def _row(name: str, field: dict[str, Any]) -> str:
    start, *words = name.split("_")
    label = f"{name.replace('_', ' ').title()} ({field['help_text']})".replace("<", "&lt;")
    sent = start + "".join(word.title() for word in words)
    kind = "checkbox" if isinstance(field["default_value"], bool) else "text"
    given = f'id="{name}" name="{sent}" type="{kind}" value="{field["default_value"]}"'
    return f'<p><label for="{name}">{label}</label><input {given}></p>'


@pytest.mark.browser
def test_the_script_needs_little_of_locusts_page_and_leaves_another_one_alone(
    show: Callable[..., Shown], browser: Browser
) -> None:
    shown, page, errors = show(), browser.new_page(), list[str]()
    page.on("pageerror", lambda error: errors.append(str(error)))
    box = "document.getElementById('box').innerHTML"
    page.set_content(plain_form(shown, without="pool_recycle"))
    assert "data-loadtest" not in page.evaluate(box)
    assert errors == []

    page.set_content(plain_form(shown))
    size = page.get_by_label("pool_size", exact=True)
    expect(size).to_have_accessible_description("connections to keep open (0: no limit)")
    page.get_by_label("poolclass", exact=True).fill("NullPool")
    expect(size).to_be_disabled()
    page.evaluate(
        """() => { const said = document.createElement("p");
        said.setAttribute("role", "alert");
        said.textContent = "--warmup: 'soon' is not a duration\\nseed: 'x' is not a number";
        document.forms[0].append(said); }"""
    )
    warmup = page.get_by_label("warmup", exact=True)
    expect(warmup).to_be_focused()
    expect(warmup).to_have_accessible_description("--warmup: 'soon' is not a duration")
    expect(page.get_by_label("seed", exact=True)).to_have_accessible_description(
        "'x' is not a number"
    )
    warmup.fill("2s")
    expect(warmup).to_have_attribute("aria-invalid", "false")
    assert errors == []
    page.close()
