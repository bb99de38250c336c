"""Messages about engines, as the processes of an application send them."""

from __future__ import annotations

from typing import Any

from loadtest.experiment.driving.told_engines import ToldEngine

QUEUE = {
    "poolclass": "QueuePool",
    "pool_size": 5,
    "max_overflow": 10,
    "pool_timeout": 30.0,
    "pool_recycle": -1,
    "pool_pre_ping": False,
    "pool_use_lifo": False,
    "pool_reset_on_return": "rollback",
}


def message(**changed: Any) -> dict[str, Any]:
    """The message about an engine."""
    told = {
        "kind": "engine",
        "pid": 7,
        "name": "shop",
        "recording": "shop",
        "place": "shop/db.py:9 <module>",
        "url": "mysql+pymysql://app:s3cret@127.0.0.1:3307/shop",
        "through": None,
        "own": {"poolclass": "QueuePool"},
        "set": QUEUE,
        "async": False,
        "by_url": True,
        "number": 0,
        "refused": "",
    }
    return told | changed


def told_engine(**changed: Any) -> ToldEngine:
    """An engine with the settings of SQLAlchemy's default."""
    return ToldEngine.of(message(**changed))
