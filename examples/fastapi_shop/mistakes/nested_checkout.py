"""A helper opens a session of its own while its caller's session holds a connection."""

from fastapi import APIRouter
from shop_data.models import Product

from fastapi_shop.db import RequestSession, Session
from fastapi_shop.routes import described

router = APIRouter()


@router.get("/products/{product_id}")
async def product_detail(session: RequestSession, product_id: int):
    product = await session.get_one(Product, product_id)
    return described(product) | {"next": await name_of(product_id + 1)}


async def name_of(product_id):
    async with Session() as session:
        product = await session.get(Product, product_id)
    return product.name if product else None
