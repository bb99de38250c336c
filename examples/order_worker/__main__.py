"""Creates and fills the tables, adds orders and sends them to the worker.

Usage: python -m order_worker [ORDERS [PER_SECOND]]
"""

import sys
import time

from shop_data.models import CUSTOMERS, Base, Order, fill

from order_worker.db import Session, engine
from order_worker.tasks import fulfil


def main(number=0, per_second=10):
    Base.metadata.create_all(engine)
    with Session() as session:
        fill(session)
    for place in range(number):
        fulfil.delay(new_order(place % CUSTOMERS + 1))
        time.sleep(1 / per_second)


def new_order(customer_id):
    with Session.begin() as session:
        order = Order(customer_id=customer_id, total=9.99)
        session.add(order)
    return order.id


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
