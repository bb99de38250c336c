"""Several applications behind HTTP from options, and the commands that take only one."""

from __future__ import annotations

from typing import Any

import pytest

from loadtest.cli.driven_options import DrivenOptions
from loadtest.experiment.driving.repeated_command import repeated_command
from loadtest.experiment.rounds import plans
from loadtest.model.driven_application import DrivenApplication
from loadtest.model.errors import UsageError
from tests.conftest import ROOT
from tests.experiment.driven_experiments import two_applications

THREADS, LOOP = "threads:gunicorn --threads 16 shop.web:app", "loop:uvicorn shop.aweb:app"
READY, OTHER = "http://127.0.0.1:8800/health", "http://127.0.0.1:8801/health"


def applications(*apps: str, ready: Any = (READY,), **more: Any) -> list[DrivenApplication]:
    found = DrivenOptions(app=[*apps], ready=[*ready], **more).settings()["application"]
    return [*found]


def test_applications_are_named_like_pools() -> None:
    threads, loop = applications(THREADS, LOOP)
    assert (threads.name, threads.words()[0]) == ("threads", "gunicorn")
    assert (loop.name, loop.command) == ("loop", "uvicorn shop.aweb:app")
    assert (threads.ready, loop.ready) == (READY, READY)


@pytest.mark.parametrize(
    ("commands", "names"),
    [
        (["uvicorn shop.web:app"], [""]),
        (["loop:uvicorn shop.web:app"], ["loop"]),
        (["uvicorn a:app", "gunicorn a:app"], ["uvicorn", "gunicorn"]),
        (
            ["uvicorn a:app", "uvicorn b:app", "uvicorn c:app"],
            ["uvicorn", "uvicorn-2", "uvicorn-3"],
        ),
        (["uvicorn a:app", "uvicorn:gunicorn a:app"], ["uvicorn-2", "uvicorn"]),
        (["bin/my·shop run:it", "sh -c 'a: b'"], ["my-shop", "sh"]),
        (["'the shop' a", "b"], ["the-shop", "b"]),
    ],
)
def test_an_application_without_a_name_has_that_of_its_program(
    commands: list[str], names: list[str]
) -> None:
    assert [one.name for one in applications(*commands)] == names


@pytest.mark.parametrize(
    ("ready", "urls"),
    [
        ([READY], [READY, READY]),
        ([READY, OTHER], [READY, OTHER]),
        ([f"loop:{OTHER}", f"threads:{READY}"], [READY, OTHER]),
        ([READY, f"loop:{OTHER}"], [READY, OTHER]),
    ],
)
def test_the_url_is_for_all_in_order_or_named(ready: list[str], urls: list[str]) -> None:
    assert [one.ready for one in applications(THREADS, LOOP, ready=ready)] == urls


def test_other_options_are_for_all_or_for_one() -> None:
    threads, loop = applications(
        *("threads:gunicorn -w {app_processes} shop.web:app", LOOP),
        app_env=["URL={database_url}", "loop:URL={database_url:mysql+aiomysql}", "A=http://b"],
        app_prepare=["python -m shop.tables"],
        app_cwd=["shop", "loop:ashop"],
        app_engine=["loop:shop/db.py:9"],
        app_stop_timeout=["threads:3s"],
        app_processes=["threads:4"],
    )
    assert threads.env == {"URL": "{database_url}", "A": "http://b"}
    assert loop.env == {"URL": "{database_url:mysql+aiomysql}", "A": "http://b"}
    assert threads.prepare == loop.prepare == "python -m shop.tables"
    assert (str(threads.cwd), str(loop.cwd)) == ("shop", "ashop")
    assert (threads.engine, loop.engine) == ("", "shop/db.py:9")
    assert (threads.processes, loop.processes) == ((4,), ())
    assert (threads.stop_timeout, loop.stop_timeout) == (3.0, 10.0)


@pytest.mark.parametrize(
    ("more", "problem"),
    [
        (
            {"ready": [f"lop:{OTHER}", READY]},
            "there is no application lop; there is: threads, loop",
        ),
        ({"ready": [f"lop:{OTHER}", READY]}, "did you mean loop?"),
        ({"ready": [f"loop:{OTHER}"]}, "--ready is missing for the application threads"),
        ({"ready": [f"loop:{OTHER}"] * 2}, "--ready is given twice for loop; give it once"),
        ({"ready": [READY] * 3}, "--ready is given 3 times for 2 applications: give it once"),
        ({"app_env": ["loop:A=s3cret", "loop:A=s3cret"]}, "--app-env A is given twice"),
        ({"app_env": ["lop:A=s3cret"]}, "'lop:A' is not the name of an environment variable"),
        ({"app_cwd": ["loop:a", "loop:b"]}, "--app-cwd is given 2 times for one application"),
    ],
)
def test_mistakes_are_told(more: dict[str, Any], problem: str) -> None:
    with pytest.raises(UsageError) as refused:
        applications(THREADS, LOOP, **more)
    assert problem in str(refused.value)
    assert "s3cret" not in str(refused.value)


def test_two_applications_of_one_name_are_refused() -> None:
    with pytest.raises(UsageError, match="--app: two applications have the name 'loop'"):
        applications(LOOP, LOOP)


@pytest.mark.parametrize(("command", "one"), [("run", "a run"), ("tune", "a search")])
def test_a_run_and_a_search_have_one_application(loadtest: Any, command: str, one: str) -> None:
    visitors = ROOT / "scenarios" / "point_select.py"
    ended = loadtest(command, visitors, "--app", THREADS, "--app", LOOP, "--ready", READY)
    assert ended.returncode == 2
    said = f"--app is given 2 times: {one} drives one application; loadtest compare takes several"
    assert said in " ".join(ended.stderr.split())


def test_the_command_that_repeats_a_run_names_its_application() -> None:
    second = plans(two_applications("5+10", "20+0"))[1]
    words = repeated_command(second.experiment, second.pool, second.seed)
    assert words[words.index("--app") + 1] == "loop:uvicorn shop.aweb:app"
    assert words[words.index("--ready") + 1] == OTHER
    assert words[words.index("--pool") + 1] == "5+10.loop:5+10"
    assert words.count("--app") == 1
