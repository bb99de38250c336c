"""A task that takes a second connection while it holds the first, or after it."""

from locust import task

import gevent
from sqlalchemy import text

from loadtest.load import PoolUser

QUERY = text("SELECT SLEEP(0.01)")


class Nested(PoolUser):
    @classmethod
    def add_options(cls, group):
        group.add_argument("--commit-first", action="store_true", help="one after the other")

    @task
    def audit(self):
        with self.session("audit") as session:
            session.execute(QUERY)
            if self.options.commit_first:
                session.commit()
            with session.get_bind().connect() as second:
                second.execute(QUERY)
        gevent.sleep(0.02)
