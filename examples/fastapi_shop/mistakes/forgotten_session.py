"""A route does not close its session; its connection is lost until the garbage collector runs."""

from fastapi import APIRouter
from shop_data.models import Product

from fastapi_shop.db import Session
from fastapi_shop.routes import described

router = APIRouter()


@router.get("/products/{product_id}")
async def product_detail(product_id: int):
    session = Session()
    product = await session.get_one(Product, product_id)
    return described(product)
