"""Sentences about tasks that take no connection from the measured pool in a block."""

from __future__ import annotations

from collections.abc import Iterable

from loadtest.experiment.trial.connection_watch import CallConnections

_BLOCK = "`with self.session(name)`"
_NAME_IT = "give --session MODULE:NAME, which names your application's session"


def unused_call(name: str, taken: CallConnections) -> list[str]:
    """The warning about a task that ended without a connection of the pool, as a list."""
    if taken.inside:
        return []
    if taken.others:
        return [
            f"{name} took no connection from the measured pool. It uses another engine, at "
            f"{_places(taken.others)}: {_NAME_IT}"
        ]
    if not taken.blocks:
        return [f"{name} measured nothing: it has no {_BLOCK}, or did not reach it"]
    return [f"{name} took no connection from the measured pool"]


def unused_pool(scenario: str, taken: CallConnections) -> str:
    """The mistake in a scenario none of whose tasks took a connection in a block.

    taken: by all tasks together.
    """
    if taken.outside:
        return (
            f"The tasks of {scenario} took connections outside of {_BLOCK}: wrap the calls in such "
            "blocks"
        )
    head = f"No task of {scenario} took a connection from the measured pool"
    if taken.others:
        return f"{head}: they use another engine, at {_places(taken.others)}: {_NAME_IT}"
    if not taken.blocks:
        return f"{head}: they have no {_BLOCK}"
    return f"{head}: use the session of `with self.session(name) as session`"


def also_used(taken: CallConnections) -> str:
    """The advice beside mistakes, if tasks used another engine; taken: by all tasks together."""
    return f"The tasks also use another engine, at {_places(taken.others)}: {_NAME_IT}"


def _places(others: Iterable[str]) -> str:
    return ", ".join(sorted(others))
