"""Reads back whether an application runs with the requested pool, on the expected server."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from sqlalchemy import URL

from loadtest.experiment.driving.servers.server_address import address_in_words, server_address
from loadtest.experiment.driving.told_engines import ToldEngine
from loadtest.model.errors import RefusedRun
from loadtest.model.pool import AS_IS, PoolConfig

# Classes with a queue count as the requested QueuePool, except for this one.
_QUEUE, _FAIR = "QueuePool", "FairPool"


def asked_settings(pool: PoolConfig) -> dict[str, Any]:
    """The settings that a driven application gets; those that are not named stay."""
    named = pool.named
    if named.get("poolclass") == AS_IS:
        del named["poolclass"]
    return named


def check_told(
    engine: ToldEngine,
    pool: PoolConfig,
    expected: URL | None,
    relay: tuple[str, int] | None = None,
) -> None:
    """Raise RefusedRun if an engine has another pool, or its URL another server than the expected.

    An engine that does not connect to the address of its URL is judged by the server it reaches.
    relay: the address through which it must reach the server, if any.
    """
    if engine.refused:
        raise RefusedRun(f"the engine at {engine.line}: {engine.refused}")
    check_pool(engine.pool, pool, engine.line)
    if expected is not None and engine.by_url and _server(engine.url) != _server(expected):
        raise RefusedRun(
            f"the engine {engine} connects to {address_in_words(engine.url)}, not to "
            f"{address_in_words(expected)}: put {{database_url}} where the application reads its "
            "URL"
        )
    if engine.through != relay:
        raise RefusedRun(not_through_relay(engine))


def not_through_relay(engine: ToldEngine) -> str:
    """The sentence that says that faults do not reach the connections of an engine."""
    return (
        f"the engine {engine} does not connect to the address in its URL, so faults between it and "
        "its server are not possible"
    )


def check_pool(found: Mapping[str, Any], pool: PoolConfig, place: str) -> None:
    """Raise RefusedRun if settings differ from the named ones of a pool.

    found: the settings of a pool under `create_engine`'s names. place: where it is made.
    """
    asked = asked_settings(pool)
    if different := list(_different_settings(asked, found)):
        requested = ", ".join(f"{name}={asked[name]}" for name in different)
        runs = ", ".join(f"{name}={found.get(name)}" for name in different)
        raise RefusedRun(f"requested {requested}, but the engine at {place} runs with {runs}")


def _different_settings(asked: Mapping[str, Any], found: Mapping[str, Any]) -> Iterator[str]:
    for name, value in asked.items():
        queue = name == "poolclass" and value == _QUEUE
        same = _has_queue(found) if queue else found.get(name) == value
        if not same:
            yield name


def _has_queue(found: Mapping[str, Any]) -> bool:
    return found.get("pool_size") is not None and found["poolclass"] != _FAIR


def _server(url: URL) -> tuple[object, ...]:
    """The server with the database; another one on the same server may be in production."""
    return *server_address(url), url.database
