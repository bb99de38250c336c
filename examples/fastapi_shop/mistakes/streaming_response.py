"""The request's session stays open until the last piece of a streamed response."""

from fastapi import APIRouter
from fastapi.responses import StreamingResponse

from fastapi_shop import partner
from fastapi_shop.db import RequestSession
from fastapi_shop.routes import existing

router = APIRouter()


@router.get("/products/{product_id}/text")
async def product_text(session: RequestSession, product_id: int):
    product = await existing(session, product_id)
    return StreamingResponse(partner.words_about(product.name), media_type="text/plain")
