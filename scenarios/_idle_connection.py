"""Connections that are idle in the pool for longer than the server's `wait_timeout`.

The server closes them, and the next request that gets one fails with "gone away". Here each session
sets a `wait_timeout` of one second; in production it is eight hours, or a minute in a proxy.
"""

from locust import task

import time

from sqlalchemy import insert, text
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from loadtest.load import PoolUser


class Base(DeclarativeBase):
    pass


class Setting(Base):
    __tablename__ = "loadtest_idle_setting"
    id: Mapped[int] = mapped_column(primary_key=True)
    value: Mapped[int]


class IdleConnection(PoolUser):
    metadata = Base.metadata

    @classmethod
    def add_options(cls, group):
        group.add_argument("--idle-timeout", type=int, default=1, help="wait_timeout (s)")
        group.add_argument("--idle-between", type=float, default=0.5, help="mean pause (s)")

    @classmethod
    def fill(cls, session, options):
        session.execute(insert(Setting), [{"value": number} for number in range(100)])

    @task
    def read(self):
        with self.session("read") as session:
            session.execute(
                text("SET SESSION wait_timeout = :seconds"), {"seconds": self.options.idle_timeout}
            )
            session.get_one(Setting, self.random.randint(1, 100))
        time.sleep(self.random.expovariate(1 / self.options.idle_between))
