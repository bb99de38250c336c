"""The work in a plain Locust user that only fires `request`, as a scenario by hand would."""

from locust import User, events, task

import time

from benchmarks import work

parent = work.plain_parent()
work.meter_locust(events)


class PlainUser(User):
    """A user with one select per task."""

    @task
    def select(self) -> None:
        """Do the work, then report its time."""
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
