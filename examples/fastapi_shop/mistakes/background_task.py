"""A background task reads with the request's session, then waits for another service."""

from fastapi import APIRouter, BackgroundTasks
from shop_data.models import Order

from fastapi_shop import partner
from fastapi_shop.db import RequestSession
from fastapi_shop.routes import RequestCustomer, Wanted, paid_order, summary

router = APIRouter()


@router.post("/orders", status_code=201)
async def order(
    session: RequestSession, customer: RequestCustomer, wanted: Wanted, after: BackgroundTasks
):
    placed = await paid_order(session, customer, wanted)
    after.add_task(send_receipt, session, placed.id)
    return summary(placed)


async def send_receipt(session, order_id):
    placed = await session.get_one(Order, order_id, populate_existing=True)
    await partner.send_receipt(placed)
