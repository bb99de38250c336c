"""An application with asyncio and aiomysql: a request reads one row by its key.

`/recorded` does it with an engine that is recorded. `/process` answers with the numbers of this
process and of the thread that writes the recording.
"""

import os
from collections.abc import Awaitable, Callable
from typing import Any

from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker, create_async_engine

from benchmarks.work import POOL_SIZE, SELECT, process_and_writer


def _sessions(**arguments: Any) -> async_sessionmaker[AsyncSession]:
    url = os.environ["DATABASE_URL"]
    return async_sessionmaker(
        create_async_engine(url, pool_size=POOL_SIZE, max_overflow=0, **arguments)
    )


PLAIN, RECORDED = _sessions(), _sessions(plugins=["loadtest"])


async def app(
    scope: dict[str, Any], receive: object, send: Callable[[dict[str, Any]], Awaitable[None]]
) -> None:
    """Answer with the row's value."""
    if scope["path"] == "/process":
        value = process_and_writer()
    else:
        async with (RECORDED if scope["path"] == "/recorded" else PLAIN)() as session:
            value = await session.scalar(SELECT)
    body = str(value).encode()
    length = (b"content-length", str(len(body)).encode())
    await send({"type": "http.response.start", "status": 200, "headers": [length]})
    await send({"type": "http.response.body", "body": body})
