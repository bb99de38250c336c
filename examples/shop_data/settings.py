"""The settings of the shops and the worker, from the environment."""

import os
from importlib import import_module

from sqlalchemy import NullPool

DATABASE_URL = os.environ["DATABASE_URL"]
PARTNER_URL = os.environ.get("PARTNER_URL", "http://127.0.0.1:8100")
MISTAKE = os.environ.get("SHOP_MISTAKE", "")
WITHOUT_POOL = "null_pool"
# Arguments of create_engine and the variables that set them.
POOL = {
    "pool_size": "DATABASE_POOL_SIZE",
    "max_overflow": "DATABASE_MAX_OVERFLOW",
    "pool_timeout": "DATABASE_POOL_TIMEOUT",
    "pool_recycle": "DATABASE_POOL_RECYCLE",
}


def pool_arguments():
    """Pool arguments of create_engine; SQLAlchemy's default where a variable is not set."""
    if MISTAKE == WITHOUT_POOL:
        return {"poolclass": NullPool}
    return {name: int(os.environ[key]) for name, key in POOL.items() if key in os.environ}


def chosen_mistake(package):
    """The module with the chosen mistake in a package of mistakes, None if there is none."""
    if MISTAKE in ("", WITHOUT_POOL):
        return None
    return import_module(f"{package}.mistakes.{MISTAKE}")
