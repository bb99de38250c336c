"""The work with one driver, without measuring; arguments: the driver's name and the mode.

greenlets, threads: 16 of them share a pool of 16. connect: opens batches of connections. try:
opens one connection.
"""

import sys

if __name__ == "__main__":
    DRIVER, WHAT = sys.argv[1:]
    if DRIVER == "connector_c":
        # Imported before Python's ssl: it cannot be loaded beside an older OpenSSL than its own.
        import _mysql_connector  # noqa: F401
    if WHAT == "greenlets":
        from gevent import monkey

        monkey.patch_all()

import os
import threading
import time
from typing import Any

from sqlalchemy import Engine, NullPool, create_engine, make_url
from sqlalchemy.orm import scoped_session, sessionmaker

from benchmarks import work

# The scheme of each driver's URL, and its arguments to connect without TLS.
DRIVERS: dict[str, tuple[str, dict[str, Any]]] = {
    "pymysql": ("mysql+pymysql", {"ssl_disabled": True}),
    "mysqlclient": ("mysql+mysqldb", {"ssl_mode": "DISABLED"}),
    "connector": ("mysql+mysqlconnector", {"ssl_disabled": True, "use_pure": True}),
    "connector_c": ("mysql+mysqlconnector", {"ssl_disabled": True, "use_pure": False}),
}
CONNECTS = 20


def engine(driver: str, **pool: Any) -> Engine:
    """An engine on the database of the environment."""
    scheme, arguments = DRIVERS[driver]
    url = make_url(os.environ["LOADTEST_DATABASE_URL"]).set(drivername=scheme)
    return create_engine(url, connect_args=arguments, **pool)


class Loop:
    """The loop of each user, which runs until the process ends."""

    def __init__(self, engine: Engine) -> None:
        self._parent = scoped_session(sessionmaker(bind=engine))
        self._done = [0] * work.POOL_SIZE

    def done(self) -> int:
        """The number of sessions of all users."""
        return sum(self._done)

    def user(self, number: int) -> None:
        """Do the work."""
        while True:
            self._parent.execute(work.SELECT).one()
            self._parent.remove()
            self._done[number] += 1
            time.sleep(0)

    def run(self) -> None:
        """Run the loop with all users: greenlets if gevent has patched threads, else threads."""
        users = [
            threading.Thread(target=self.user, args=(number,)) for number in range(work.POOL_SIZE)
        ]
        for user in users:
            user.start()
        for user in users:
            user.join()


def connect(engine: Engine) -> None:
    """For each line of input, open connections one after the other, and print their cost.

    A signal that stops the users must not arrive meanwhile, because a connect would fail.
    """
    engine.raw_connection().close()  # an engine's first connection is slower
    for _ in sys.stdin:
        cpu, wall = time.process_time(), time.perf_counter()
        for _ in range(CONNECTS):
            engine.raw_connection().close()
        print(CONNECTS, time.process_time() - cpu, time.perf_counter() - wall, flush=True)


def main(driver: str, what: str) -> None:
    """Run the mode that the arguments name."""
    if what == "connect":
        connect(engine(driver, poolclass=NullPool))
    elif what == "try":
        engine(driver).connect().close()
    else:
        loop = Loop(engine(driver, pool_size=work.POOL_SIZE, max_overflow=0))
        work.Meter(loop.done)
        loop.run()


if __name__ == "__main__":
    main(DRIVER, WHAT)
