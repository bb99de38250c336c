"""Each request makes an engine, so it connects anew and leaves an idle pool behind."""

from fastapi import APIRouter
from shop_data import settings
from shop_data.models import Product
from sqlalchemy.ext.asyncio import AsyncSession, create_async_engine

from fastapi_shop.routes import described

router = APIRouter()


@router.get("/products/{product_id}")
async def product_detail(product_id: int):
    engine = create_async_engine(settings.DATABASE_URL, **settings.pool_arguments())
    async with AsyncSession(engine) as session:
        product = await session.get_one(Product, product_id)
    return described(product)
