"""A route does not close its session; its connection is lost until the garbage collector runs."""

from fastapi import APIRouter

from fastapi_shop.db import Session
from fastapi_shop.routes import described, existing

router = APIRouter()


@router.get("/products/{product_id}")
async def product_detail(product_id: int):
    session = Session()
    return described(await existing(session, product_id))
