"""A flash sale: many customers buy two of a few popular products, without an account.

A sale locks its products in the order of the customer's clicks, so two sales can wait for each
other: a deadlock. A larger pool allows more concurrent transactions and more deadlocks.
As the manuals of MariaDB and MySQL recommend, the transaction locks a row when it reads it, and
restarts after a deadlock or a write conflict.
"""

import asyncio

from fastapi import APIRouter, HTTPException
from shop_data.models import Order, OrderLine, Product
from sqlalchemy.exc import OperationalError

from fastapi_shop.db import RequestSession
from fastapi_shop.routes import Wanted, summary

ATTEMPTS = 5
TRY_AGAIN = {1020, 1205, 1213}  # write conflict, lock wait timeout, deadlock
WORK_SECONDS = 0.12
GUEST = 1  # the customer of all sales

router = APIRouter()


@router.post("/sales", status_code=201)
async def sale(session: RequestSession, wanted: Wanted):
    for _ in range(ATTEMPTS):
        try:
            return summary(await sell(session, wanted.quantities))
        except OperationalError as error:
            if error.orig.args[0] not in TRY_AGAIN:
                raise
            await session.rollback()
    raise HTTPException(503, "too many customers, try again")


async def sell(session, quantities):
    """Sell products in the given order, {product id: quantity}; the answer 409 if sold out."""
    order = Order(customer_id=GUEST, total=0)
    for product_id, quantity in quantities.items():
        product = await session.get(Product, product_id, with_for_update=True)
        if product is None or product.stock < quantity:
            raise HTTPException(409, "sold out")
        product.stock -= quantity
        order.total += product.price * quantity
        order.lines.append(OrderLine(product_id=product_id, quantity=quantity))
    await asyncio.sleep(WORK_SECONDS)  # prices, vouchers, the payment's first step
    session.add(order)
    await session.commit()
    return order
