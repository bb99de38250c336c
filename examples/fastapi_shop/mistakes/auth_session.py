"""The dependency that finds the customer keeps a session of its own until the response is sent."""

from typing import Annotated

from fastapi import APIRouter, BackgroundTasks, Depends, Header, HTTPException
from shop_data.models import Customer
from sqlalchemy import select

from fastapi_shop import routes
from fastapi_shop.db import RequestSession, Session

router = APIRouter()


async def get_customer(x_token: Annotated[str, Header()]):
    async with Session() as session:
        customer = await session.scalar(select(Customer).where(Customer.token == x_token))
        if not customer:
            raise HTTPException(401, "unknown token")
        yield customer


@router.post("/orders", status_code=201)
async def order(
    session: RequestSession,
    customer: Annotated[Customer, Depends(get_customer)],
    wanted: routes.Wanted,
    after: BackgroundTasks,
):
    return await routes.order(session, customer, wanted, after)
