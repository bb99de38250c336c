"""Connections of a driver of its own, which no pool knows of."""

from locust import task

import gevent
import pymysql
from sqlalchemy import text

from loadtest.load import PoolUser

kept = []


class Beside(PoolUser):
    @classmethod
    def add_options(cls, group):
        group.add_argument("--close", action="store_true", help="close them at once")

    def on_start(self):
        with self.session("connect") as session:
            url = session.get_bind().url
        for _ in range(4):
            connection = pymysql.connect(
                host=url.host,
                port=url.port,
                user=url.username,
                password=url.password,
                ssl_disabled=True,
            )
            if self.options.close:
                connection.close()
            kept.append(connection)

    @task
    def query(self):
        with self.session("query") as session:
            session.execute(text("SELECT 1"))
        gevent.sleep(0.1)
