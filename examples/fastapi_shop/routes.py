"""The routes of the shop."""

from typing import Annotated

from fastapi import APIRouter, BackgroundTasks, Depends, Header, HTTPException
from fastapi.responses import StreamingResponse
from pydantic import BaseModel, Field, PositiveInt
from shop_data.models import Customer, Order, Product
from sqlalchemy import text

from fastapi_shop import orders, partner
from fastapi_shop.db import RequestSession, Session

router = APIRouter()


class Wanted(BaseModel):
    """An order as the customer sends it."""

    quantities: Annotated[dict[int, PositiveInt], Field(min_length=1)]


async def get_customer(session: RequestSession, x_token: Annotated[str, Header()]):
    """The customer whose token the request carries."""
    if customer := await orders.customer_with(session, x_token):
        return customer
    raise HTTPException(401, "unknown token")


RequestCustomer = Annotated[Customer, Depends(get_customer)]


@router.get("/health")
async def health(session: RequestSession):
    await session.execute(text("SELECT 1"))
    return {"status": "ok"}


@router.get("/products")
async def products(session: RequestSession, page: PositiveInt = 1):
    found = await orders.page_of_products(session, page)
    return [{"id": product.id, "name": product.name} for product in found]


@router.get("/products/{product_id}")
async def product_detail(session: RequestSession, product_id: int):
    return described(await existing(session, product_id))


@router.get("/products/{product_id}/text")
async def product_text(product_id: int):
    async with Session() as session:
        product = await existing(session, product_id)
    return StreamingResponse(partner.words_about(product.name), media_type="text/plain")


@router.post("/orders", status_code=201)
async def order(
    session: RequestSession, customer: RequestCustomer, wanted: Wanted, after: BackgroundTasks
):
    placed = await paid_order(session, customer, wanted)
    after.add_task(partner.send_receipt, placed)
    return summary(placed)


async def paid_order(session, customer, wanted):
    """A new order, paid while no connection is held."""
    placed = await place_order(session, customer, wanted)
    await session.commit()
    await partner.pay(placed)
    await mark_paid(session, placed)
    return placed


async def place_order(session, customer, wanted):
    """A new order; the answer 409 if a product is sold out."""
    try:
        return await orders.place_order(session, customer, wanted.quantities)
    except orders.SoldOut:
        raise HTTPException(409, "sold out") from None


async def mark_paid(session, placed):
    """Note that an order is paid."""
    placed.paid = True
    await session.commit()


async def existing(session, product_id):
    """A product; the answer 404 if there is none."""
    if product := await session.get(Product, product_id):
        return product
    raise HTTPException(404, "no such product")


def described(product: Product):
    return {
        "id": product.id,
        "name": product.name,
        "price": product.price,
        "stock": product.stock,
    }


def summary(placed: Order):
    return {"id": placed.id, "total": placed.total, "paid": placed.paid}
