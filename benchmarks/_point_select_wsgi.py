"""An application with threads and PyMySQL: a request reads one row by its key.

Its paths are those of `_point_select_asgi`.
"""

import os
from collections.abc import Callable
from typing import Any

from sqlalchemy import create_engine
from sqlalchemy.orm import Session, scoped_session, sessionmaker

from benchmarks.work import POOL_SIZE, SELECT, process_and_writer


def _sessions(**arguments: Any) -> scoped_session[Session]:
    url = os.environ["DATABASE_URL"]
    engine = create_engine(url, pool_size=POOL_SIZE, max_overflow=0, **arguments)
    return scoped_session(sessionmaker(engine))


PLAIN, RECORDED = _sessions(), _sessions(plugins=["loadtest"])


def app(environ: dict[str, Any], start_response: Callable[..., object]) -> list[bytes]:
    """Answer with the row's value."""
    if environ["PATH_INFO"] == "/process":
        value = process_and_writer()
    else:
        session = RECORDED if environ["PATH_INFO"] == "/recorded" else PLAIN
        value = session().scalar(SELECT)
        session.remove()
    body = str(value).encode()
    start_response("200 OK", [("Content-Length", str(len(body)))])
    return [body]
