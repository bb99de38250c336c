"""The work in a bare gevent loop, without Locust and without measuring."""

from gevent import monkey

monkey.patch_all()

import gevent  # noqa: E402

from benchmarks import work  # noqa: E402

done = 0


def user() -> None:
    """Do the work until the process ends."""
    global done  # noqa: PLW0603 - the cheapest counter
    while True:
        parent().execute(work.SELECT).one()
        parent.remove()
        done += 1
        gevent.sleep(0)


if __name__ == "__main__":
    parent = work.plain_parent()
    work.Meter(lambda: done)
    gevent.joinall([gevent.spawn(user) for _ in range(work.POOL_SIZE)])
