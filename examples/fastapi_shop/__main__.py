"""Creates and fills the tables: python -m fastapi_shop."""

import asyncio

from shop_data.models import Base, fill

from fastapi_shop.db import Session, engine


async def main():
    async with engine.begin() as connection:
        await connection.run_sync(Base.metadata.create_all)
    async with Session() as session:
        await session.run_sync(fill)
    await engine.dispose()


asyncio.run(main())
