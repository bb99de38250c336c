"""The work with one driver, without measuring; arguments: the driver's name, and what to do.

greenlets, threads: 16 of them share a pool of 16. connect: connections, some at a time. try: one.
"""

import sys

if __name__ == "__main__":
    DRIVER, WHAT = sys.argv[1:]
    if DRIVER == "connector_c":
        # Before Python's ssl: beside an OpenSSL older than its own it could not be loaded.
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

# The scheme of its URL, and how it connects: without TLS, each in its own words.
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
    """What each user does until the process ends."""

    def __init__(self, engine: Engine) -> None:
        self._parent = scoped_session(sessionmaker(bind=engine))
        self._done = [0] * work.POOL_SIZE

    def done(self) -> int:
        """The sessions of all users."""
        return sum(self._done)

    def user(self, number: int) -> None:
        """Do the work."""
        while True:
            self._parent.execute(work.SELECT).one()
            self._parent.remove()
            self._done[number] += 1
            time.sleep(0)

    def run(self) -> None:
        """Do it with all users: greenlets if gevent has patched threads."""
        users = [
            threading.Thread(target=self.user, args=(number,)) for number in range(work.POOL_SIZE)
        ]
        for user in users:
            user.start()
        for user in users:
            user.join()


def connect(engine: Engine) -> None:
    """For each line that comes in, open connections one after the other, and tell what they took.

    No signal may stop it meanwhile, as it stops users: a connect would fail.
    """
    engine.raw_connection().close()  # the first one of an engine asks the server about itself
    for _ in sys.stdin:
        cpu, wall = time.process_time(), time.perf_counter()
        for _ in range(CONNECTS):
            engine.raw_connection().close()
        print(CONNECTS, time.process_time() - cpu, time.perf_counter() - wall, flush=True)


def main(driver: str, what: str) -> None:
    """Do it."""
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
