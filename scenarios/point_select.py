"""The smallest request, one row by its key: it shows the cost of the pool itself."""

from locust import between, task

from sqlalchemy import insert
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from loadtest.load import PoolUser


class Base(DeclarativeBase):
    pass


class Item(Base):
    __tablename__ = "loadtest_point_item"
    id: Mapped[int] = mapped_column(primary_key=True)
    value: Mapped[int]


class PointSelect(PoolUser):
    metadata = Base.metadata
    wait_time = between(0.01, 0.03)  # without a pause, the load generator would be the bottleneck

    @classmethod
    def add_options(cls, group):
        group.add_argument("--point-rows", type=int, default=10_000, help="rows in the table")

    @classmethod
    def fill(cls, session, options):
        session.execute(insert(Item), [{"value": n} for n in range(options.point_rows)])

    @task
    def select(self):
        key = self.random.randint(1, self.options.point_rows)
        with self.session("select") as session:
            session.get_one(Item, key)
