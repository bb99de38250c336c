"""What a comparison from the live page takes over from the Locust process that serves the page."""

from __future__ import annotations

from locust import events
from locust.argument_parser import get_parser

import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from loadtest.live.comparing.comparison_form import ServedSettings, comparison_words
from loadtest.load.options import run_options
from loadtest.load.options.comparison_settings import served_settings
from loadtest.model.allowances import Allowances

SECRET = "mysql+pymysql://me:s3cret@db/shop"


class Orders:
    """A scenario's users, with options."""

    @classmethod
    def add_options(cls, group: Any) -> None:
        group.add_argument("--rows-for-tests", type=int, default=10, help="rows")
        group.add_argument("--odd-for-tests", action="store_true", default=False, help="odd rows")


class Visits:
    """The users of another scenario."""

    @classmethod
    def add_options(cls, group: Any) -> None:
        group.add_argument("--visits-for-tests", type=int, default=1, help="visits")


@pytest.fixture(autouse=True)
def _without_the_plugin(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Where another test has imported the plugin, its options would be there already."""
    monkeypatch.setattr(events.init_command_line_parser, "_handlers", [])
    monkeypatch.delenv("LOADTEST_DATABASE_URL", raising=False)
    monkeypatch.chdir(tmp_path)
    for name in ("orders", "visits", "empty"):
        (tmp_path / f"{name}.py").touch()
    for cls in (Orders, Visits):
        name = cls.__name__.lower()
        module = SimpleNamespace(__file__=str(tmp_path / f"{name}.py"))
        monkeypatch.setitem(sys.modules, f"made_up_{name}", module)
        monkeypatch.setattr(cls, "__module__", f"made_up_{name}")


def served(
    *arguments: str,
    files: tuple[str, ...] = ("orders.py",),
    own_server: bool = False,
    picked: type | None = None,
) -> ServedSettings:
    """The settings of a Locust process that was started with these arguments.

    picked: the class that its class picker has chosen for the newest run.
    """
    parser = get_parser(default_config_files=[])
    added = run_options.add_options(parser, [Orders, Visits])
    options = parser.parse_args(["-f", ",".join(files), *arguments])
    options.run_time = int(options.run_time) if options.run_time else None
    classes = [cls for cls in (Orders, Visits) if f"{cls.__name__.lower()}.py" in files]
    environment = SimpleNamespace(
        parsed_options=options,
        parsed_locustfiles=list(files),
        user_classes=[picked] if picked else classes,
        available_user_classes={cls.__name__: cls for cls in classes},
        runner=SimpleNamespace(target_user_count=0),
    )
    picks = bool(picked)
    environment.web_ui = SimpleNamespace(environment=environment, userclass_picker_is_active=picks)
    allowed = Allowances(options.allow_overload, per_user=options.connections_per_user)
    server = SimpleNamespace() if own_server else None
    return served_settings(environment, SimpleNamespace(allowed=allowed, server=server), added)


def words(settings: ServedSettings, **form: str) -> str:
    """The command that a form leads to."""
    return " ".join(comparison_words({**settings.defaults, **form}, settings))


def test_without_options_the_form_has_the_commands_own_defaults() -> None:
    settings = served()
    assert settings.defaults == {
        "scenario": "orders.py",
        "pools": "5+10 20+0",
        "rounds": "5",
        "duration": "30s",
        "users": "50",
    }
    assert words(settings) == (
        "compare orders.py --pool 5+10 --pool 20+0 --rounds 5 --users 50 --time 30s "
        "--results reports"
    )
    assert settings.local
    assert settings.refusal == ""


def test_the_settings_of_the_run_are_taken_over() -> None:
    settings = served(
        *("-u", "7", "-t", "12", "--warmup", "2s", "--pool-size", "20", "--max-overflow", "0"),
        *("--arrival-rate", "90", "--prefill", "--seed", "4", "--rows-for-tests", "80"),
        *("--odd-for-tests", "--session", "shop.db:Session", "--results", "there"),
        *("--allow-overload", "--connections-per-user", "2"),
    )
    assert settings.defaults["pools"] == "20+0 5+10"
    assert words(settings) == (
        "compare orders.py --pool 20+0 --pool 5+10 --rounds 5 --users 7 --time 10s --warmup 2s "
        "--prefill --arrival-rate 90.0 --arrivals poisson --session shop.db:Session --seed 4 "
        "--option rows-for-tests=80 --option odd-for-tests=true "
        "--allow-overload --connections-per-user 2 --results there"
    )


@pytest.mark.parametrize(
    ("arguments", "pools"),
    [
        (["--pool-name", "ours"], "ours:5+10 20+0"),
        (["--poolclass", "NullPool"], "poolclass=NullPool 20+0"),
        (
            ["--isolation-level", "READ COMMITTED"],
            "'pool_size=5,max_overflow=10,isolation_level=READ COMMITTED' 20+0",
        ),
        (["--session", "shop.db:Session"], "as-is 20+0"),
    ],
)
def test_the_first_pool_is_that_of_the_run_in_words_that_the_form_reads(
    arguments: list[str], pools: str
) -> None:
    settings = served(*arguments)
    assert settings.defaults["pools"] == pools
    assert words(settings).count("--pool") == 2


def test_a_given_database_is_taken_over_in_the_environment_only() -> None:
    settings = served("--database-url", SECRET)
    assert settings.database_url == SECRET
    assert "s3cret" not in words(settings)


def test_a_comparison_starts_its_own_private_server() -> None:
    settings = served("--database-url", SECRET, "--server", "mysql", own_server=True)
    assert settings.database_url == ""
    assert "--server mysql" in words(settings)


def test_of_several_locustfiles_those_with_users_are_offered_each_with_its_own_options() -> None:
    several = ("empty.py", "orders.py", "visits.py")
    given = ("--rows-for-tests", "80", "--visits-for-tests", "3")
    settings = served(*given, files=several)
    assert settings.scenarios == {
        "orders.py": ["rows-for-tests=80"],
        "visits.py": ["visits-for-tests=3"],
    }


def test_a_picked_class_leaves_all_scenarios_to_choose_from() -> None:
    settings = served(files=("orders.py", "visits.py"), picked=Visits)
    assert list(settings.scenarios) == ["orders.py", "visits.py"]


def test_chosen_user_classes_cannot_be_compared() -> None:
    assert "run loadtest compare with an experiment" in served("Orders").refusal


@pytest.mark.parametrize(
    ("arguments", "local"),
    [
        ([], True),
        (["--web-host", "localhost"], True),
        (["--web-host", "*"], False),
        (["--web-host", "10.0.0.7"], False),
        (["--web-login"], False),
    ],
)
def test_a_page_for_this_machine_only(arguments: list[str], local: bool) -> None:
    assert served(*arguments).local is local


def test_the_results_of_a_comparison_need_a_folder() -> None:
    assert "with a folder as --results" in served("--results", "one.jsonl").refusal
