"""A user who holds a connection for an exponentially distributed time, slept by the server."""

from locust import task

from typing import Any

import gevent

from loadtest.load import PoolUser


class ErlangUser(PoolUser):
    """One hold a task, with as little Python around it as can be."""

    @classmethod
    def add_options(cls, group: Any) -> None:
        """Add the mean hold."""
        group.add_argument("--mean-hold", type=float, default=0.04, help="seconds")

    @task
    def hold(self) -> None:
        """Hold a connection, give it back, and let whoever waits for it have it at once."""
        seconds = self.random.expovariate(1 / self.options.mean_hold)
        with self.session("hold") as session:
            connection: Any = session.get_bind().raw_connection()  # type: ignore[union-attr]
            connection.cursor().execute(f"SELECT SLEEP({seconds:.6f})")
            connection.close()
            gevent.sleep(0)  # else the waiter would wait for this user's bookkeeping, too
