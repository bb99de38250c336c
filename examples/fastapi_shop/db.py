"""The engine of the shop, and its sessions."""

from typing import Annotated

from fastapi import Depends
from shop_data import settings
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker, create_async_engine

engine = create_async_engine(settings.DATABASE_URL, **settings.pool_arguments())
Session = async_sessionmaker(engine, expire_on_commit=False)


async def get_session():
    """A session, closed after the response."""
    async with Session() as session:
        yield session


RequestSession = Annotated[AsyncSession, Depends(get_session)]
