"""The order's transaction, and so its connection and row locks, stays open during the payment."""

from fastapi import APIRouter

from fastapi_shop import partner
from fastapi_shop.db import RequestSession
from fastapi_shop.routes import RequestCustomer, Wanted, mark_paid, place_order, summary

router = APIRouter()


@router.post("/orders", status_code=201)
async def order(session: RequestSession, customer: RequestCustomer, wanted: Wanted):
    placed = await place_order(session, customer, wanted)
    await partner.pay(placed)
    await mark_paid(session, placed)
    return summary(placed)
