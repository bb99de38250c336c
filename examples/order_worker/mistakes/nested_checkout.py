"""A helper opens a session of its own while its caller's session holds a connection."""

from shop_data.models import Customer, Order

from order_worker.db import Session
from order_worker.work import pay


def fulfil(order_id):
    with Session() as session:
        order = session.get_one(Order, order_id)
        token = token_of(order.customer_id)
    pay(order)
    with Session.begin() as session:
        session.get_one(Order, order_id).paid = True
    print(f"order {order.id} of {token} is paid")


def token_of(customer_id):
    with Session() as session:
        return session.get_one(Customer, customer_id).token
