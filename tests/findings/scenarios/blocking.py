"""A call that blocks the event loop, like that of a driver written in C, between queries."""

from locust import task

import gevent
from gevent.monkey import get_original
from sqlalchemy import text

from loadtest.load import PoolUser

SLEEPS = {"blocking": get_original("time", "sleep"), "yielding": gevent.sleep}


class Blocking(PoolUser):
    @classmethod
    def add_options(cls, group):
        group.add_argument("--sleep", choices=list(SLEEPS), default="blocking", help="how to")

    @task
    def query(self):
        with self.session("query") as session:
            session.execute(text("SELECT SLEEP(0.2)"))
        SLEEPS[self.options.sleep](0.1)
        gevent.sleep(0.05)
