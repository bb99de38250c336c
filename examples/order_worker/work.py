"""What the worker does with an order."""

import requests
from shop_data.models import Order
from shop_data.settings import PARTNER_URL

from order_worker.db import Session


def fulfil(order_id):
    """Have an order paid, and note that it is."""
    with Session() as session:
        order = session.get_one(Order, order_id)
    pay(order)
    with Session.begin() as session:
        session.get_one(Order, order_id).paid = True


def pay(order):
    """Have the total of an order paid by the partner."""
    body = {"order": order.id, "total": order.total}
    requests.post(f"{PARTNER_URL}/payments", json=body, timeout=30).raise_for_status()
