"""The additions to Locust's web server, and the metrics server of a headless run."""

from __future__ import annotations

import socket
from typing import Any

from prometheus_client import (
    CONTENT_TYPE_LATEST,
    CollectorRegistry,
    generate_latest,
    start_http_server,
)

from loadtest.model.errors import UsageError


def add_routes(web_ui: Any, registry: CollectorRegistry) -> None:
    """Serve `/metrics`, behind Locust's login if it is on."""

    @web_ui.auth_required_if_enabled
    def metrics() -> tuple[bytes, dict[str, str]]:
        return generate_latest(registry), {"Content-Type": CONTENT_TYPE_LATEST}

    web_ui.app.add_url_rule("/metrics", "loadtest_metrics", metrics)


def check_port(host: str, port: int) -> None:
    """Raise UsageError if the port of Locust's web UI, which starts later, is not free.

    host: the value of `--web-host`.
    """
    host = "" if host == "*" else host
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        with socket.socket(family) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind((host, port))
    except OSError as error:
        raise UsageError(f"--web-port {port}: {error.strerror}; choose another port") from None


def serve_metrics(port: int, registry: CollectorRegistry) -> None:
    """Serve the metrics on a loopback port; raises UsageError if it is taken."""
    try:
        start_http_server(port, addr="127.0.0.1", registry=registry)
    except OSError as error:
        raise UsageError(f"--metrics-port {port}: {error.strerror}; choose another port") from None
