"""A flash sale: many customers buy two of a few popular articles.

A request locks its articles in the order of the customer's clicks, so two requests can wait for
each other: a deadlock. A larger pool allows more concurrent transactions and more deadlocks.
As the manuals of MariaDB and MySQL recommend, the transaction locks a row when it reads it, and
restarts after a deadlock or a write conflict.
"""

from locust import task

import time

from sqlalchemy import ForeignKey, insert
from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from loadtest.load import PoolUser

ATTEMPTS = 5
TRY_AGAIN = {1020, 1205, 1213}  # write conflict, lock wait timeout, deadlock


class Base(DeclarativeBase):
    pass


class Article(Base):
    __tablename__ = "loadtest_hot_article"
    id: Mapped[int] = mapped_column(primary_key=True)
    stock: Mapped[int]


class Order(Base):
    __tablename__ = "loadtest_hot_order"
    id: Mapped[int] = mapped_column(primary_key=True)
    article_id: Mapped[int] = mapped_column(ForeignKey(Article.id))


class HotRow(PoolUser):
    metadata = Base.metadata

    @classmethod
    def add_options(cls, group):
        group.add_argument("--hot-rows", type=int, default=120, help="number of articles")
        group.add_argument("--hot-work", type=float, default=0.06, help="work per request (s)")

    @classmethod
    def fill(cls, session, options):
        session.execute(insert(Article), [{"stock": 10**9} for _ in range(options.hot_rows)])

    @task
    def buy(self):
        cart = self.random.sample(range(1, self.options.hot_rows + 1), 2)
        with self.session("buy") as session:
            for attempt in range(1, ATTEMPTS + 1):
                try:
                    return self.sell(session, cart)
                except OperationalError as error:
                    if error.orig.args[0] not in TRY_AGAIN or attempt == ATTEMPTS:
                        raise
                    session.rollback()

    def sell(self, session, cart):
        for key in cart:
            session.get_one(Article, key, with_for_update=True).stock -= 1
        time.sleep(self.options.hot_work)  # prices, vouchers, the payment's first step
        session.add(Order(article_id=cart[0]))
        session.commit()
