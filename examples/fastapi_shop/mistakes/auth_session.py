"""The dependency that finds the customer keeps a session of its own until the response is sent."""

from typing import Annotated

from fastapi import APIRouter, BackgroundTasks, Depends, Header
from shop_data.models import Customer

from fastapi_shop import routes
from fastapi_shop.db import RequestSession, Session

router = APIRouter()


async def get_customer(x_token: Annotated[str, Header()]):
    async with Session() as session:
        yield await routes.get_customer(session, x_token)


@router.post("/orders", status_code=201)
async def order(
    session: RequestSession,
    customer: Annotated[Customer, Depends(get_customer)],
    wanted: routes.Wanted,
    after: BackgroundTasks,
):
    return await routes.order(session, customer, wanted, after)
