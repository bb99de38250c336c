"""One query that takes its time on the server without work, then a pause."""

from locust import task

from sqlalchemy import text

from loadtest.load import PoolUser


class Query(PoolUser):
    @classmethod
    def add_options(cls, group):
        group.add_argument("--query-seconds", type=float, default=0.02, help="on the server")
        group.add_argument("--think-seconds", type=float, default=0.05, help="between queries")

    def wait_time(self):
        return self.options.think_seconds

    @task
    def query(self):
        with self.session("query") as session:
            session.execute(text("SELECT SLEEP(:n)"), {"n": self.options.query_seconds})
