"""The work in a PoolUser, fully measured, with result file and exporter."""

from locust import events, task

from benchmarks import work
from loadtest.load import PoolUser

work.meter_locust(events)


class MeasuredUser(PoolUser):
    """A user with one select per task."""

    @task
    def select(self) -> None:
        """Do the work."""
        with self.session("select") as session:
            session.execute(work.SELECT).one()
