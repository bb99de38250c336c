"""An application with threads and PyMySQL: a request reads one row by its key."""

import os
from collections.abc import Callable
from typing import Any

from sqlalchemy import create_engine
from sqlalchemy.orm import scoped_session, sessionmaker

from benchmarks.work import POOL_SIZE, SELECT

engine = create_engine(os.environ["DATABASE_URL"], pool_size=POOL_SIZE, max_overflow=0)
Session = scoped_session(sessionmaker(engine))


def app(environ: dict[str, Any], start_response: Callable[..., object]) -> list[bytes]:
    """Answer with the row's value; `/process` with the number of this process."""
    if environ["PATH_INFO"] == "/process":
        value = os.getpid()
    else:
        value = Session().scalar(SELECT)
        Session.remove()
    body = str(value).encode()
    start_response("200 OK", [("Content-Length", str(len(body)))])
    return [body]
