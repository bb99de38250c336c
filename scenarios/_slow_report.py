"""A slow report among fast requests: a few slow requests hold most of the connections."""

from locust import task

import time

from sqlalchemy import func, insert, select
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from loadtest.load import PoolUser


class Base(DeclarativeBase):
    pass


class Sale(Base):
    __tablename__ = "loadtest_report_sale"
    id: Mapped[int] = mapped_column(primary_key=True)
    cents: Mapped[int]


class SlowReport(PoolUser):
    metadata = Base.metadata

    @classmethod
    def add_options(cls, group):
        group.add_argument("--report-seconds", type=float, default=1.0, help="time per report (s)")

    @classmethod
    def fill(cls, session, options):
        session.execute(insert(Sale), [{"cents": number} for number in range(1_000)])

    @task(99)
    def look_up(self):
        with self.session("look up") as session:
            session.get_one(Sale, self.random.randint(1, 1_000))
        time.sleep(0.02)

    @task(1)
    def report(self):
        # The server sleeps instead of reading a large table.
        with self.session("report") as session:
            session.execute(select(func.sum(Sale.cents), func.sleep(self.options.report_seconds)))
