"""The environment of a driven application: the user's own, and a recording."""

from __future__ import annotations

import os
from pathlib import Path

from loadtest.experiment.driving.application_environment import environment_of
from loadtest.recording.recording_settings import RecordingSettings


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
    found = environment_of(tmp_path, "shop", given)
    assert (found["DATABASE_URL"], found["LOADTEST_TEST_MARK"]) == ("sqlite:///shop.db", "7")
    assert not found.keys() & {"LOADTEST_DATABASE_URL", "LOADTEST_RUN", "LOADTEST_EXPERIMENT"}
    assert not [name for name in found if name.startswith("LOCUST_")]
    injected, own = found["PYTHONPATH"].split(os.pathsep)
    assert own == "/own"
    assert (Path(injected) / "sitecustomize.py").is_file()


def test_every_pool_is_recorded_whatever_the_user_has_set(tmp_path: Path) -> None:
    given = {"LOADTEST_RECORDING": "off", "LOADTEST_RECORDING_METRICS_PORT": "9000"}
    settings = RecordingSettings.from_environment(environment_of(tmp_path, "shop", given))
    assert (settings.on, settings.folder, settings.name) == (True, tmp_path, "shop")
    assert (settings.metrics_port, settings.opentelemetry) == (0, False)
