"""Each task makes an engine, so it connects anew and leaves an idle pool behind."""

from shop_data import settings
from shop_data.models import Order
from sqlalchemy import create_engine
from sqlalchemy.orm import Session

from order_worker.work import pay


def fulfil(order_id):
    engine = create_engine(settings.DATABASE_URL, **settings.pool_arguments())
    with Session(engine, expire_on_commit=False) as session:
        order = session.get_one(Order, order_id)
        session.commit()
        pay(order)
        order.paid = True
        session.commit()
