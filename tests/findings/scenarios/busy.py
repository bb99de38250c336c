"""Work in Python that leaves the generator no processor time."""

from locust import task

from sqlalchemy import text

from loadtest.load import PoolUser


class Busy(PoolUser):
    @task
    def work(self):
        with self.session("work") as session:
            session.execute(text("SELECT 1"))
            sum(range(200_000))
