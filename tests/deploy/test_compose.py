"""The Compose file, as far as it can be checked without Docker."""

import json
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml
from jsonschema import Draft202012Validator
from sqlalchemy import make_url

from tests.conftest import ROOT
from tests.deploy.stack import DEPLOY, PASSWORDS, SERVERS, compose, services

SCHEMA = Path(__file__).parent / "compose-spec" / "compose-spec.json"
DATABASE_URL = "LOADTEST_DATABASE_URL"
either_server = pytest.mark.parametrize("chosen", SERVERS.values(), ids=SERVERS)


@pytest.fixture(scope="module")
def validator() -> Draft202012Validator:
    return Draft202012Validator(json.loads(SCHEMA.read_text()))


@pytest.mark.parametrize("name", ["docker-compose.yml", "deploy/mariadb.yml", "deploy/mysql.yml"])
def test_it_keeps_to_the_compose_specification(validator: Draft202012Validator, name: str) -> None:
    assert [error.message for error in validator.iter_errors(compose(name))] == []


@pytest.mark.parametrize(
    "wrong", [{"imaeg": "x"}, {"ports": "3306"}, {"healthcheck": {"test": 1}}, {"ulimits": 1}]
)
def test_the_schema_finds_a_mistake_in_a_service(
    validator: Draft202012Validator, wrong: dict[str, Any]
) -> None:
    file = compose()
    file["services"]["master"] |= wrong

    assert list(validator.iter_errors(file))


@either_server
def test_everything_is_there_and_nothing_else(chosen: dict[str, str]) -> None:
    assert set(services(chosen)) == {"database", "master", "worker", "prometheus", "grafana"}


@either_server
def test_everything_is_published_on_loopback_only(chosen: dict[str, str]) -> None:
    found = services(chosen)
    published = [port for service in found.values() for port in service.get("ports", ())]

    assert [port for port in published if not port.startswith("127.0.0.1:")] == []
    assert {port.split(":")[1] for port in published} == {"3306", "8089", "9090", "3000"}
    assert not any({"network_mode", "privileged"} & service.keys() for service in found.values())


@either_server
@pytest.mark.parametrize("name", PASSWORDS)
def test_no_password_has_a_default(name: str, chosen: dict[str, str]) -> None:
    others = {key: value for key, value in chosen.items() if key != name}

    with pytest.raises(KeyError, match=name):
        services(others)


@either_server
def test_every_password_is_one_that_was_chosen(chosen: dict[str, str]) -> None:
    given = [
        value
        for service in services(chosen).values()
        for key, value in service.get("environment", {}).items()
        if key.endswith("PASSWORD") and "RANDOM" not in key
    ]
    assert sorted(given) == sorted(PASSWORDS.values())


def test_who_is_not_logged_in_to_grafana_can_only_look() -> None:
    settings = services()["grafana"]["environment"]

    assert settings["GF_AUTH_ANONYMOUS_ORG_ROLE"] == "Viewer"
    assert settings["GF_USERS_ALLOW_SIGN_UP"] == "false"


@either_server
def test_images_are_pinned_to_a_version(chosen: dict[str, str]) -> None:
    found = services(chosen)
    images = {name: service["image"] for name, service in found.items() if "image" in service}

    assert images.keys() == {"database", "prometheus", "grafana"}
    for image in images.values():
        assert re.fullmatch(r"[a-z/]+:v?\d+\.\d+\.\d+", image)
    (built_on,) = re.findall(r"^FROM (.+)$", (DEPLOY / "Dockerfile").read_text(), re.MULTILINE)
    assert re.match(r"python:\d+\.\d+\.\d+-", built_on)


@either_server
def test_every_service_says_whether_it_is_well_and_waits_for_those_it_needs(
    chosen: dict[str, str],
) -> None:
    all_of_them = services(chosen)

    assert [name for name, service in all_of_them.items() if "healthcheck" not in service] == []
    assert all_of_them["master"]["depends_on"] == {"database": {"condition": "service_healthy"}}
    assert all_of_them["worker"]["depends_on"] == {"master": {"condition": "service_healthy"}}
    assert all_of_them["grafana"]["depends_on"] == {"prometheus": {"condition": "service_healthy"}}


def test_workers_are_what_the_master_is_and_there_can_be_many() -> None:
    master, worker = services()["master"], services()["worker"]

    for same in ("build", "user", "ulimits", "environment"):
        assert worker[same] == master[same]
    # A name, or a port of the host, is one container's only.
    assert not {"container_name", "hostname", "ports", "volumes"} & worker.keys()


def test_make_up_starts_as_many_workers_as_asked_for() -> None:
    command = ["make", "--dry-run", "up", "WORKERS=3"]
    shown = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout

    assert "docker compose up --build --scale worker=3" in shown


def test_passwords_in_a_file_for_compose_are_not_committed() -> None:
    assert ".env" in (ROOT / ".gitignore").read_text().splitlines()


@either_server
def test_three_thousand_connections_find_room(chosen: dict[str, str]) -> None:
    found = services(chosen)
    for name in ("database", "master", "worker"):
        assert found[name]["ulimits"]["nofile"]["hard"] > 2 * 3000
        assert found[name]["ulimits"]["nofile"]["soft"] > 2 * 3000
    options = dict(option.partition("=")[::2] for option in found["database"]["command"])
    assert options.keys() == {"--max-connections", "--back-log", "--skip-name-resolve"}
    assert int(options["--max-connections"]) > 3000
    assert int(options["--back-log"]) > 3000


@pytest.mark.parametrize(
    ("server", "image", "prefix"),
    [
        ("", "mariadb:11.8.", "MARIADB_"),
        ("mariadb", "mariadb:11.8.", "MARIADB_"),
        ("mysql", "mysql:8.4.", "MYSQL_"),
    ],
)
def test_one_variable_chooses_the_database(server: str, image: str, prefix: str) -> None:
    found = services(SERVERS[server])
    database, url = found["database"], make_url(found["master"]["environment"][DATABASE_URL])

    assert database["image"].startswith(image)
    assert database["environment"] == {
        f"{prefix}DATABASE": url.database,
        f"{prefix}USER": url.username,
        f"{prefix}PASSWORD": url.password,
        f"{prefix}RANDOM_ROOT_PASSWORD": "1",
    }
    assert (url.host, url.port) == ("database", 3306)
    assert database["ports"] == ["127.0.0.1:3306:3306"]


def test_mysql_is_asked_with_a_login_that_no_argument_has() -> None:
    test = services(SERVERS["mysql"])["database"]["healthcheck"]["test"]

    assert test[0] == "CMD-SHELL"
    assert test[1].startswith('MYSQL_PWD="$MYSQL_PASSWORD" mysqladmin --host=127.0.0.1 ')
    assert '--user="$MYSQL_USER"' in test[1].split()


def test_what_is_mounted_exists() -> None:
    mounted = [
        volume.split(":")[0]
        for service in services().values()
        for volume in service.get("volumes", ())
    ]
    own = {source for source in mounted if source.startswith("./deploy/")}

    assert len(own) == 4
    assert [source for source in own if not (ROOT / source).is_dir()] == []
    named = {source for source in mounted if not source.startswith("./")}
    assert named == compose()["volumes"].keys()
    assert (ROOT / services()["master"]["build"]["dockerfile"]).is_file()


def test_addresses_name_services() -> None:
    names = services().keys()
    sources = yaml.safe_load(
        (DEPLOY / "grafana/provisioning/datasources/prometheus.yml").read_text()
    )
    scraped = yaml.safe_load((DEPLOY / "prometheus/prometheus.yml").read_text())["scrape_configs"]

    (source,) = sources["datasources"]
    assert source["url"] == "http://prometheus:9090"
    assert [job["static_configs"][0]["targets"] for job in scraped] == [["master:8089"]]
    assert {"prometheus", "master"} <= names


def test_grafana_finds_the_dashboard_where_it_looks() -> None:
    grafana = services()["grafana"]
    mounts = dict(volume.removesuffix(":ro").split(":") for volume in grafana["volumes"])
    provider = DEPLOY / "grafana/provisioning/dashboards/loadtest.yml"
    (path,) = [p["options"]["path"] for p in yaml.safe_load(provider.read_text())["providers"]]

    (folder,) = [ROOT / source for source, target in mounts.items() if target == path]
    home = grafana["environment"]["GF_DASHBOARDS_DEFAULT_HOME_DASHBOARD_PATH"]
    assert (folder / Path(home).relative_to(path)).is_file()
    assert {f"/etc/grafana/provisioning/{kind}" for kind in ("datasources", "dashboards")} < set(
        mounts.values()
    )
