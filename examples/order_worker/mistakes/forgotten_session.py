"""A thread's session is not removed after the task, so each thread keeps a connection."""

from shop_data.models import Order
from sqlalchemy import func, select
from sqlalchemy.orm import scoped_session, sessionmaker

from order_worker import work
from order_worker.db import engine

Session = scoped_session(sessionmaker(engine))


def fulfil(order_id):
    work.fulfil(order_id)
    newest = Session.scalar(select(func.max(Order.id)))
    print(f"order {order_id} is paid; the newest order is {newest}")
