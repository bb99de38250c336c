"""Each request makes an engine, so it connects anew and leaves an idle pool behind."""

from fastapi import APIRouter
from shop_data import settings
from sqlalchemy.ext.asyncio import AsyncSession, create_async_engine

from fastapi_shop.routes import described, existing

router = APIRouter()


@router.get("/products/{product_id}")
async def product_detail(product_id: int):
    engine = create_async_engine(settings.DATABASE_URL, **settings.pool_arguments())
    async with AsyncSession(engine) as session:
        return described(await existing(session, product_id))
