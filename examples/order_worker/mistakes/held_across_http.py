"""The session, and so its connection, stays open during the payment."""

from shop_data.models import Order

from order_worker.db import Session
from order_worker.work import pay


def fulfil(order_id):
    with Session.begin() as session:
        order = session.get_one(Order, order_id)
        pay(order)
        order.paid = True
