"""A request that holds its connection during a call to another service.

The database is idle meanwhile, but the connection is in use.
"""

from locust import task

import time

from sqlalchemy import insert, update
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from loadtest.load import PoolUser


class Base(DeclarativeBase):
    pass


class Document(Base):
    __tablename__ = "loadtest_held_document"
    id: Mapped[int] = mapped_column(primary_key=True)
    views: Mapped[int]


class HeldConnection(PoolUser):
    metadata = Base.metadata

    @classmethod
    def add_options(cls, group):
        group.add_argument("--held-rows", type=int, default=10_000, help="number of documents")
        group.add_argument("--held-work", type=float, default=0.05, help="time of the call (s)")

    @classmethod
    def fill(cls, session, options):
        session.execute(insert(Document), [{"views": 0} for _ in range(options.held_rows)])

    @task
    def show(self):
        key = self.random.randint(1, self.options.held_rows)
        with self.session("show") as session:
            session.get_one(Document, key)
            time.sleep(self.options.held_work)  # the other service answers
            session.execute(
                update(Document).where(Document.id == key).values(views=Document.views + 1)
            )
            session.commit()
