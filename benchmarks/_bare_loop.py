"""The work in a bare gevent loop: no Locust, no measuring."""

from gevent import monkey

monkey.patch_all()

import time  # noqa: E402

import gevent  # noqa: E402

from benchmarks import work  # noqa: E402

SECONDS = 5.0


def main() -> None:
    """Run it for a second of warm-up and then SECONDS."""
    parent = work.plain_parent()
    done = 0
    until = time.perf_counter() + 1 + SECONDS

    def user() -> None:
        nonlocal done
        while time.perf_counter() < until:
            parent().execute(work.SELECT).one()
            parent.remove()
            done += 1
            gevent.sleep(0)

    meter = work.Meter()
    gevent.spawn_later(1, lambda: meter.begin(done))
    gevent.joinall([gevent.spawn(user) for _ in range(work.POOL_SIZE)])
    meter.end(done)


if __name__ == "__main__":
    main()
