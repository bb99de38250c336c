"""The requests of `_point_select_wsgi` in Flask."""

from flask import Flask

from benchmarks._point_select_wsgi import PLAIN, RECORDED
from benchmarks.work import SELECT, process_and_writer

app = Flask(__name__)


@app.get("/")
def plain() -> str:
    """Answer with the row's value."""
    return str(PLAIN().scalar(SELECT))


@app.get("/recorded")
def recorded() -> str:
    """The same."""
    return str(RECORDED().scalar(SELECT))


@app.get("/process")
def process() -> str:
    """Answer with the numbers of this process and of the thread that writes."""
    return process_and_writer()


@app.teardown_appcontext
def remove_sessions(_: object) -> None:
    """End the sessions of the request."""
    PLAIN.remove()
    RECORDED.remove()
