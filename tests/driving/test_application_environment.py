"""The environment of a driven application: the user's own, its variables, and a recording."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

import pytest
from sqlalchemy import URL, make_url

from loadtest.experiment.driving.application_environment import environment_of, own_environment
from loadtest.model.driven_application import DrivenApplication
from loadtest.recording.recording_settings import RecordingSettings
from loadtest.recording.steering.orders import Orders

PRIVATE = make_url("mysql+pymysql://loadtest:a%40b@127.0.0.1:3307/loadtest")
GIVEN = make_url("mysql+pymysql://app:x@db1/shop?charset=utf8mb4")


def plain(variables: Mapping[str, str], url: URL | None = None, **env: str) -> dict[str, str]:
    """The environment of an application without a recording."""
    application = DrivenApplication(command="shop", ready="http://127.0.0.1:8800/", env=env)
    return own_environment(application, url, private=url is PRIVATE, variables=variables)


def test_the_users_variables_stay_and_those_of_the_tool_go(tmp_path: Path) -> None:
    given = {
        "DATABASE_URL": "sqlite:///shop.db",
        "PYTHONPATH": "/own",
        "LOADTEST_TEST_MARK": "7",
        "LOADTEST_DATABASE_URL": "mysql+pymysql://a:b@c/d",
        "LOADTEST_RUN": "{}",
        "LOADTEST_EXPERIMENT": "{}",
        "LOCUST_USERS": "5",
    }
    found = environment_of(tmp_path, "shop", plain(given))
    assert (found["DATABASE_URL"], found["LOADTEST_TEST_MARK"]) == ("sqlite:///shop.db", "7")
    assert not found.keys() & {"LOADTEST_DATABASE_URL", "LOADTEST_RUN", "LOADTEST_EXPERIMENT"}
    assert not [name for name in found if name.startswith("LOCUST_")]
    injected, own = found["PYTHONPATH"].split(os.pathsep)
    assert own == "/own"
    assert (Path(injected) / "sitecustomize.py").is_file()


def test_every_pool_is_recorded_whatever_the_user_has_set(tmp_path: Path) -> None:
    given = {"LOADTEST_RECORDING": "off", "LOADTEST_RECORDING_METRICS_PORT": "9000"}
    settings = RecordingSettings.from_environment(environment_of(tmp_path, "shop", plain(given)))
    assert (settings.on, settings.folder, settings.name) == (True, tmp_path, "shop")
    assert (settings.metrics_port, settings.opentelemetry) == (0, False)


@pytest.mark.parametrize(
    ("url", "text", "found"),
    [
        (PRIVATE, "{database_url}", f"{PRIVATE.render_as_string(False)}?ssl_disabled=true"),
        (
            PRIVATE,
            "{database_url:mysql+aiomysql}",
            "mysql+aiomysql://loadtest:a%40b@127.0.0.1:3307/loadtest",
        ),
        (GIVEN, "{database_url}", "mysql+pymysql://app:x@db1/shop?charset=utf8mb4"),
        (GIVEN, "main={database_url};", "main=mysql+pymysql://app:x@db1/shop?charset=utf8mb4;"),
        (None, "{database_url}", "{database_url}"),
    ],
)
def test_the_url_of_the_database_replaces_its_placeholder(
    url: URL | None, text: str, found: str
) -> None:
    assert plain({}, url, DATABASE_URL=text) == {"DATABASE_URL": found}


def test_variables_of_the_application_replace_those_of_the_user(tmp_path: Path) -> None:
    found = plain({"MODE": "a", "PYTHONPATH": "/own"}, MODE="b", PYTHONPATH="/other")
    assert found == {"MODE": "b", "PYTHONPATH": "/other"}
    assert environment_of(tmp_path, "shop", found)["PYTHONPATH"].endswith(f"{os.pathsep}/other")


def test_orders_reach_the_application(tmp_path: Path) -> None:
    orders = Orders("/tmp/tell", {"pool_size": 20}, "shop", 20)
    found = environment_of(tmp_path, "shop", plain({}), orders=orders)
    assert Orders.given(found) == orders
    assert Orders.given(plain(found)) is None
