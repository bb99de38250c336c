"""A user that holds a connection for an exponentially distributed time, which the server sleeps."""

from locust import task

from typing import Any

import gevent

from loadtest.load import PoolUser


class ErlangUser(PoolUser):
    """A user with one hold per task and as little Python around it as possible."""

    @classmethod
    def add_options(cls, group: Any) -> None:
        """Add the mean hold."""
        group.add_argument("--mean-hold", type=float, default=0.04, help="seconds")

    @task
    def hold(self) -> None:
        """Hold a connection, return it, and let a waiting user run at once."""
        seconds = self.random.expovariate(1 / self.options.mean_hold)
        with self.session("hold") as session:
            connection: Any = session.get_bind().raw_connection()  # type: ignore[union-attr]
            connection.cursor().execute(f"SELECT SLEEP({seconds:.6f})")
            connection.close()
            gevent.sleep(0)  # otherwise the waiter would also wait for this user's bookkeeping
