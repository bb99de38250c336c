"""Users that write down what they do, for tests to count: a row for each thing that they did."""

from locust import task

import threading
import time

from gevent import monkey
from sqlalchemy import BigInteger, String, select
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from loadtest.load import PoolUser


class Base(DeclarativeBase):
    pass


class Done(Base):
    __tablename__ = "loadtest_counting_done"
    id: Mapped[int] = mapped_column(primary_key=True)
    what: Mapped[str] = mapped_column(String(20))
    thread: Mapped[int]
    session: Mapped[int] = mapped_column(BigInteger)
    patched: Mapped[bool]


class Counting(PoolUser):
    metadata = Base.metadata

    @classmethod
    def add_options(cls, group):
        group.add_argument("--work", type=float, default=0.0, help="seconds after the row")
        group.add_argument("--pause", type=float, default=0.02, help="seconds between tasks")
        group.add_argument("--only-work", action="store_true", help="no row at start and stop")
        group.add_argument("--quit-after", type=int, default=0, help="rows of a user")

    def wait_time(self):
        return self.options.pause

    def on_start(self):
        self.rows = 0
        if not self.options.only_work:
            self.write_down("start")

    def on_stop(self):
        if not self.options.only_work:
            self.write_down("stop")

    @task
    def work(self):
        self.write_down("work", self.options.work)
        self.rows += 1
        if self.rows == self.options.quit_after:
            self.environment.runner.quit()

    def write_down(self, what, seconds=0.0):
        with self.session(what) as session:
            session.add(
                Done(
                    what=what,
                    thread=threading.get_native_id(),
                    session=id(session),
                    patched=any(map(monkey.is_module_patched, monkey.saved)),
                )
            )
            session.commit()
            session.execute(select(1))  # it has a connection again, for as long as the work takes
            time.sleep(seconds)
