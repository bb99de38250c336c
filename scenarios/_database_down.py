"""Customers who pay while the database fails, and check their payments afterwards.

Customers repeat a failed payment. At the end each customer checks whether all confirmed payments
exist, and whether any exists twice: the server did its COMMIT, but the answer was lost.
"""

from locust import task

import time
from contextlib import suppress

from sqlalchemy import BigInteger, func, insert, select, update
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from loadtest.load import PoolUser


class Base(DeclarativeBase):
    pass


class Shop(Base):
    __tablename__ = "loadtest_down_shop"
    id: Mapped[int] = mapped_column(primary_key=True)
    earned: Mapped[int]


class Payment(Base):
    __tablename__ = "loadtest_down_payment"
    id: Mapped[int] = mapped_column(primary_key=True)
    customer: Mapped[int] = mapped_column(BigInteger, index=True)
    number: Mapped[int]


class DatabaseDown(PoolUser):
    metadata = Base.metadata
    customer, number = 0, 0

    def wait_time(self):
        return self.random.uniform(0.5, 1.5) * self.options.down_pause

    @classmethod
    def add_options(cls, group):
        group.add_argument("--down-shops", type=int, default=500, help="number of shops")
        group.add_argument("--down-pause", type=float, default=0.3, help="mean pause (s)")
        group.add_argument("--down-work", type=float, default=0.03, help="work per request (s)")

    @classmethod
    def fill(cls, session, options):
        session.execute(insert(Shop), [{"earned": 0} for _ in range(options.down_shops)])

    def on_start(self):
        self.customer = self.random.getrandbits(62)

    @task
    def pay(self):
        shop = self.random.randint(1, self.options.down_shops)
        with self.session("pay") as session:
            session.add(Payment(customer=self.customer, number=self.number))
            session.flush()
            time.sleep(self.options.down_work)  # receipts, stock, the bank's answer
            session.execute(update(Shop).where(Shop.id == shop).values(earned=Shop.earned + 1))
            session.commit()
        self.number += 1  # the payment is confirmed

    def on_stop(self):
        for _ in range(3):  # other connections in the pool may be broken, too
            with suppress(DBAPIError):
                self.count()
                break

    def count(self):
        mine = select(Payment.number, func.count()).where(Payment.customer == self.customer)
        with self.session("count") as session:
            found = dict(session.execute(mine.group_by(Payment.number)).all())
        lost = sum(number not in found for number in range(self.number))
        doubled = sum(times - 1 for times in found.values())
        self.checked(self.number, lost=lost, doubled=doubled)
