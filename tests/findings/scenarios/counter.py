"""Everybody counts up one of a few rows and works before the commit."""

from locust import task

import gevent
from sqlalchemy import insert, update
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from loadtest.load import PoolUser


class Base(DeclarativeBase):
    pass


class Count(Base):
    __tablename__ = "loadtest_findings_count"
    id: Mapped[int] = mapped_column(primary_key=True)
    value: Mapped[int]


class Counter(PoolUser):
    metadata = Base.metadata

    @classmethod
    def add_options(cls, group):
        group.add_argument("--rows", type=int, default=1, help="rows to choose from")

    @classmethod
    def fill(cls, session, options):
        session.execute(insert(Count), [{"value": 0} for _ in range(options.rows)])

    @task
    def count(self):
        row = self.random.randint(1, self.options.rows)
        with self.session("count") as session:
            session.execute(update(Count).where(Count.id == row).values(value=Count.value + 1))
            gevent.sleep(0.03)
            session.commit()
