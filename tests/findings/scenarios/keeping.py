"""A task that takes a connection beside its session and never gives it back."""

from locust import task

import gevent
from sqlalchemy import text

from loadtest.load import PoolUser

kept = []


class Keeping(PoolUser):
    @classmethod
    def add_options(cls, group):
        group.add_argument("--give-back", action="store_true", help="close what was taken")

    @task
    def careless(self):
        with self.session("careless") as session:
            connection = session.get_bind().connect()
            connection.execute(text("SELECT 1"))
            if self.options.give_back:
                connection.close()
            kept.append(connection)
        gevent.sleep(0.2)

    @task
    def careful(self):
        with self.session("careful") as session:
            session.execute(text("SELECT 1"))
        gevent.sleep(0.2)
