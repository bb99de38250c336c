"""A session that keeps its connection while another service answers, and one that does not."""

from locust import task

import gevent
from sqlalchemy import text

from loadtest.load import PoolUser


class IdleHold(PoolUser):
    @classmethod
    def add_options(cls, group):
        group.add_argument("--commit-first", action="store_true", help="give back, then ask")

    @task
    def ask(self):
        with self.session("ask") as session:
            session.execute(text("SELECT SLEEP(0.005)"))
            if self.options.commit_first:
                session.commit()
            gevent.sleep(0.05)

    @task
    def query(self):
        with self.session("query") as session:
            session.execute(text("SELECT SLEEP(0.005)"))
        gevent.sleep(0.05)
