"""The work in a plain Locust user that only fires `request`, as one would write it by hand."""

from locust import User, events, task

import time

from benchmarks import work

parent = work.plain_parent()
work.meter_locust(events)


class PlainUser(User):
    """One select a task."""

    @task
    def select(self) -> None:
        """Do the work, then say how long it took."""
        start, failure = time.perf_counter(), None
        try:
            parent().execute(work.SELECT).one()
        except Exception as error:
            failure = error
            raise
        finally:
            parent.remove()
            self.environment.events.request.fire(
                request_type="session",
                name="select",
                response_time=(time.perf_counter() - start) * 1000,
                response_length=0,
                exception=failure,
                context={},
            )
