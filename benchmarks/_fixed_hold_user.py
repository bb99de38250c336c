"""A user that holds a connection for a fixed time and does nothing with it."""

from locust import task

from typing import Any

import gevent

from loadtest.load import PoolUser


class FixedHoldUser(PoolUser):
    """A user with one hold per task and as little Python around it as possible."""

    @classmethod
    def add_options(cls, group: Any) -> None:
        """Add the hold."""
        group.add_argument("--hold", type=float, default=0.1, help="seconds")

    @task
    def hold(self) -> None:
        """Hold a connection, return it, and let a waiting user run at once."""
        with self.session("hold") as session:
            connection: Any = session.get_bind().raw_connection()  # type: ignore[union-attr]
            gevent.sleep(self.options.hold)
            connection.close()
            gevent.sleep(0)  # otherwise the waiter would also wait for this user's bookkeeping
