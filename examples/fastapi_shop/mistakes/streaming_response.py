"""The request's session stays open until the last piece of a streamed response."""

from fastapi import APIRouter
from fastapi.responses import StreamingResponse
from shop_data.models import Product

from fastapi_shop import partner
from fastapi_shop.db import RequestSession

router = APIRouter()


@router.get("/products/{product_id}/text")
async def product_text(session: RequestSession, product_id: int):
    product = await session.get_one(Product, product_id)
    return StreamingResponse(partner.words_about(product.name), media_type="text/plain")
