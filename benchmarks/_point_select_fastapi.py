"""The requests of `_point_select_asgi` in FastAPI, with a session from a dependency."""

from collections.abc import AsyncIterator
from typing import Annotated

from fastapi import Depends, FastAPI
from fastapi.responses import PlainTextResponse
from sqlalchemy.ext.asyncio import AsyncSession

from benchmarks._point_select_asgi import PLAIN, RECORDED
from benchmarks.work import SELECT, process_and_writer

app = FastAPI(default_response_class=PlainTextResponse)


async def plain_session() -> AsyncIterator[AsyncSession]:
    """A session of the engine that is not recorded."""
    async with PLAIN() as session:
        yield session


async def recorded_session() -> AsyncIterator[AsyncSession]:
    """A session of the recorded engine."""
    async with RECORDED() as session:
        yield session


@app.get("/")
async def plain(session: Annotated[AsyncSession, Depends(plain_session)]) -> str:
    """Answer with the row's value."""
    return str(await session.scalar(SELECT))


@app.get("/recorded")
async def recorded(session: Annotated[AsyncSession, Depends(recorded_session)]) -> str:
    """The same."""
    return str(await session.scalar(SELECT))


@app.get("/process")
async def process() -> str:
    """Answer with the numbers of this process and of the thread that writes."""
    return process_and_writer()
