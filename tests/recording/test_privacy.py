"""Recordings have none of an application's data: it is planted everywhere and searched for."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

from tests.recording.recorded import python, runs_in

SHOP = """
import os
import sys

from flask import Flask, request
from sqlalchemy import QueuePool, create_engine, exc, text
from sqlalchemy.orm import Session

engine = create_engine(
    "sqlite:///file:sesame-database?mode=memory&uri=true&plugin=loadtest",
    poolclass=QueuePool, pool_size=1, max_overflow=0, pool_timeout=0.05,
    pool_logging_name="shop", connect_args={"check_same_thread": False},
)
app = Flask("shop")


@app.get("/orders/<token>")
def order(token, secret="sesame-default"):
    password = "sesame-local"
    try:
        with Session(engine) as session:
            session.execute(text("SELECT 'sesame-literal', :p"), {"p": "sesame-parameter"})
            fail(token, session)
    except Exception as error:
        return f"{error}", 500


def fail(sesame_argument, session):
    try:
        engine.connect()
    except exc.TimeoutError:
        pass
    try:
        session.execute(text("SELECT * FROM sesame_table"))
    except exc.OperationalError:
        pass
    session.connection().invalidate(ValueError("sesame-invalidated"))
    raise ValueError(f"sesame-message {sesame_argument}")
"""
START = """
import sys
from sqlalchemy.dialects import plugins
plugins.register("loadtest", "loadtest.recording.engine_plugin", "RecordingPlugin")
sys.argv[1:] = ["--token", "sesame-argv"]
from shop import web
import time
answer = web.app.test_client().get("/orders/sesame-path?q=sesame-query")
assert answer.status_code == 500
assert "X-Loadtest" not in answer.headers
held = web.engine.connect()
time.sleep(1.2)
held.close()
"""


def test_no_file_of_a_recording_has_data_of_the_application(tmp_path: Path) -> None:
    package = tmp_path / "sesame-elsewhere" / "shop"
    package.mkdir(parents=True)
    (package / "__init__.py").write_text("")
    (package / "web.py").write_text(SHOP)
    (tmp_path / "run").mkdir()
    path = f"import sys; sys.path.insert(0, {str(package.parent)!r})\n"
    recordings = tmp_path / "recordings"
    environment = {"LOADTEST_RECORDING_FOLDER": str(recordings), "API_KEY": "sesame-environment"}
    said = python(path + START, cwd=tmp_path / "run", env=environment)
    assert "recording" not in said.stderr
    files = list(recordings.rglob("*"))
    texts = [file.name for file in files]
    texts += [gzip.decompress(one.read_bytes()).decode() for one in files if one.suffix == ".gz"]
    texts += [one.read_text() for one in files if one.is_file() and one.suffix != ".gz"]
    assert texts
    assert not [text for text in texts if "sesame" in text.lower()]
    assert not [text for text in texts if str(tmp_path) in text]
    # The recording is not empty: it has the places, the route, the shortage and the lines.
    (run,) = runs_in(recordings)
    told = json.dumps([interval.to_json() for interval in run.intervals])
    for name in ("shop/web.py:22 order", "GET /orders/<token>", '"timed_out": true', "idle_at"):
        assert name in told, name
