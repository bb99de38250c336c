"""What `docker-compose.yml` and `deploy/` say, read for the tests."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

import yaml

from tests.conftest import ROOT

DEPLOY = ROOT / "deploy"
DASHBOARD = DEPLOY / "grafana" / "dashboards" / "pool.json"
PASSWORDS = {"DATABASE_PASSWORD": "chosen1", "GRAFANA_PASSWORD": "chosen2"}
# The environment with each choice of a database.
SERVERS = {
    "": PASSWORDS,
    "mariadb": {**PASSWORDS, "DATABASE_SERVER": "mariadb"},
    "mysql": {**PASSWORDS, "DATABASE_SERVER": "mysql"},
}
_VARIABLE = re.compile(r"\$(?:\$|\{(\w+)(?::([-?])([^}]*))?\})")


def compose(name: str = "docker-compose.yml") -> dict[str, Any]:
    """A Compose file as it is written, variables and all."""
    return dict(yaml.safe_load((ROOT / name).read_text()))


def services(environment: Mapping[str, str] = PASSWORDS) -> dict[str, Any]:
    """The services as Compose would start them, those of included files first.

    Raises KeyError for a variable that is required.
    """
    file = compose()
    files = [*map(compose, resolved(file["include"], environment)), file]
    return {k: v for one in files for k, v in resolved(one["services"], environment).items()}


def resolved(value: Any, environment: Mapping[str, str]) -> Any:
    """A part of a Compose file with `$$`, `${A}`, `${A:-default}` and `${A:?why}` replaced."""
    if isinstance(value, dict):
        return {key: resolved(part, environment) for key, part in value.items()}
    if isinstance(value, list):
        return [resolved(part, environment) for part in value]
    if not isinstance(value, str):
        return value

    def replaced(found: re.Match[str]) -> str:
        name, kind, rest = found.groups()
        if name is None:
            return "$"
        if kind == "?" and not environment.get(name):
            raise KeyError(f"{name}: {rest}")
        return environment.get(name) or (rest if kind == "-" else "")

    return _VARIABLE.sub(replaced, value)


def dashboard() -> dict[str, Any]:
    """The dashboard as Grafana reads it."""
    return dict(json.loads(DASHBOARD.read_text()))


def queries() -> list[tuple[str, str]]:
    """Each query of the dashboard by its panel and legend, as Grafana sends it for all pools."""
    return [
        (f"{panel['title']}: {target['legendFormat']}", asked(target["expr"]))
        for panel in dashboard()["panels"]
        for target in panel.get("targets", ())
    ]


def asked(expression: str) -> str:
    """A query with the values of the dashboard's and Grafana's variables, in a window of 10 s."""
    values = {"job": ".*", "pool": ".*", "__rate_interval": "10s", "__range": "1m"}
    return re.sub(r"\$(\w+)", lambda found: values[found[1]], expression)


def rules(kind: str) -> list[dict[str, Any]]:
    """The rules of one kind, `record` or `alert`."""
    files = (yaml.safe_load(path.read_text()) for path in rule_files())
    found = [rule for file in files for group in file["groups"] for rule in group["rules"]]
    return [rule for rule in found if kind in rule]


def rule_files() -> list[Any]:
    """The files that the configuration of Prometheus names as those of its rules."""
    folder = DEPLOY / "prometheus"
    configuration = yaml.safe_load((folder / "prometheus.yml").read_text())
    return [folder / name for name in configuration["rule_files"]]
