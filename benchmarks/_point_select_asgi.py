"""An application with asyncio and aiomysql: a request reads one row by its key."""

import os
from collections.abc import Awaitable, Callable
from typing import Any

from sqlalchemy.ext.asyncio import async_sessionmaker, create_async_engine

from benchmarks.work import POOL_SIZE, SELECT

engine = create_async_engine(os.environ["DATABASE_URL"], pool_size=POOL_SIZE, max_overflow=0)
Session = async_sessionmaker(engine)


async def app(
    scope: dict[str, Any], receive: object, send: Callable[[dict[str, Any]], Awaitable[None]]
) -> None:
    """Answer with the row's value; `/process` with the number of this process."""
    if scope["path"] == "/process":
        value = os.getpid()
    else:
        async with Session() as session:
            value = await session.scalar(SELECT)
    body = str(value).encode()
    length = (b"content-length", str(len(body)).encode())
    await send({"type": "http.response.start", "status": 200, "headers": [length]})
    await send({"type": "http.response.body", "body": body})
