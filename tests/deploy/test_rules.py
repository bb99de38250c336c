"""The rules of Prometheus, by its own tool."""

import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.conftest import ROOT
from tests.deploy.stack import DEPLOY, rule_files, rules

pytestmark = pytest.mark.prometheus
UNIT_TESTS = "tests/deploy/alerts_test.yml"


@pytest.fixture
def promtool(program: Callable[[str], str]) -> Callable[..., subprocess.CompletedProcess[str]]:
    def run(*arguments: object) -> subprocess.CompletedProcess[str]:
        command = [program("promtool"), *map(str, arguments)]
        return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)

    return run


def test_the_configuration_is_one(
    promtool: Callable[..., subprocess.CompletedProcess[str]],
) -> None:
    checked = promtool("check", "config", DEPLOY / "prometheus" / "prometheus.yml")

    assert checked.returncode == 0, checked.stdout + checked.stderr
    assert "2 rule files found" in checked.stdout


def test_rules_are_well_formed(promtool: Callable[..., subprocess.CompletedProcess[str]]) -> None:
    checked = promtool("check", "rules", "--lint=all", "--lint-fatal", *rule_files())

    assert checked.returncode == 0, checked.stdout + checked.stderr


def test_alerts_fire_when_they_should_and_not_else(
    promtool: Callable[..., subprocess.CompletedProcess[str]],
) -> None:
    tested = promtool("test", "rules", UNIT_TESTS)

    assert tested.returncode == 0, tested.stdout + tested.stderr


def test_every_alert_has_a_case_in_which_it_fires() -> None:
    cases = (ROOT / UNIT_TESTS).read_text()

    for rule in rules("alert"):
        assert f"- alertname: {rule['alert']}\n" in cases


@pytest.mark.parametrize("rule", rules("alert"), ids=lambda rule: str(rule["alert"]))
def test_the_cases_notice_an_alert_that_is_gone(
    promtool: Callable[..., subprocess.CompletedProcess[str]], tmp_path: Path, rule: dict[str, str]
) -> None:
    for path in rule_files():
        (tmp_path / path.name).write_text(path.read_text().replace(rule["alert"], "Other"))
    cases = (ROOT / UNIT_TESTS).read_text().replace("../../deploy/prometheus", str(tmp_path))
    (tmp_path / "cases.yml").write_text(cases)

    tested = promtool("test", "rules", tmp_path / "cases.yml")

    assert tested.returncode == 1
    assert rule["alert"] in tested.stdout + tested.stderr


def test_every_alert_says_how_bad_it_is_and_of_which_pool() -> None:
    for rule in rules("alert"):
        assert rule["labels"]["severity"] in {"warning", "critical"}
        assert "db_client_connection_pool_name" in rule["annotations"]["summary"]
        assert "$value" in rule["annotations"]["description"]
