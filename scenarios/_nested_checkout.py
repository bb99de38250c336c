"""An audit log with its own session, written while the request's session is still open.

Each request needs two connections at once. If requests that wait for their second connection hold
all connections, no request can continue. The safe minimum is users x (2 - 1) + 1 connections.
"""

from locust import task

import time

from sqlalchemy import insert
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column

from loadtest.load import PoolUser


class Base(DeclarativeBase):
    pass


class Account(Base):
    __tablename__ = "loadtest_nested_account"
    id: Mapped[int] = mapped_column(primary_key=True)
    balance: Mapped[int]


class Audit(Base):
    __tablename__ = "loadtest_nested_audit"
    id: Mapped[int] = mapped_column(primary_key=True)
    account_id: Mapped[int]


class NestedCheckout(PoolUser):
    metadata = Base.metadata

    @classmethod
    def add_options(cls, group):
        group.add_argument("--nested-work", type=float, default=0.05, help="work in between (s)")

    @classmethod
    def fill(cls, session, options):
        session.execute(insert(Account), [{"balance": 100} for _ in range(1_000)])

    @task
    def transfer(self):
        key = self.random.randint(1, 1_000)
        with self.session("transfer") as session:
            session.get_one(Account, key)
            time.sleep(self.options.nested_work)  # the amount is checked
            with Session(session.get_bind()) as audit:
                audit.add(Audit(account_id=key))
                audit.commit()
        time.sleep(0.02)
