"""One request in a hundred calls a helper that opens its own session and never closes it.

The code works on the developer's machine and on the first day. Each such request keeps a connection
for ever, until the pool is empty.
"""

from locust import task

import time

from sqlalchemy import insert
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column

from loadtest.load import PoolUser

forgotten = []


class Base(DeclarativeBase):
    pass


class Invoice(Base):
    __tablename__ = "loadtest_forgotten_invoice"
    id: Mapped[int] = mapped_column(primary_key=True)
    cents: Mapped[int]


class ForgottenSession(PoolUser):
    metadata = Base.metadata

    @classmethod
    def add_options(cls, group):
        help_ = "share of the requests that forget to close a session"
        group.add_argument("--forgotten-share", type=float, default=0.01, help=help_)

    @classmethod
    def fill(cls, session, options):
        session.execute(insert(Invoice), [{"cents": number} for number in range(1_000)])

    @task
    def pay(self):
        key = self.random.randint(1, 1_000)
        with self.session("pay") as session:
            session.get_one(Invoice, key)
            if self.random.random() < self.options.forgotten_share:
                mine = Session(session.get_bind())  # should be in a `with` block
                mine.get_one(Invoice, key)
                forgotten.append(mine)
        time.sleep(0.02)
