"""Applications behind HTTP as scripts, and users that visit them."""

from __future__ import annotations

# A WSGI server with a thread for each request and a pool of two connections to a file. Each request
# of `/rows` takes a connection once. It stops on SIGTERM as servers do, by an exception.
APPLICATION = """
import os, signal, socketserver, sys
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server
from sqlalchemy import create_engine, text

engine = create_engine(f"sqlite:///{sys.argv[2]}", pool_size=2, max_overflow=0)

class Server(socketserver.ThreadingMixIn, WSGIServer):
    daemon_threads = True

class Handler(WSGIRequestHandler):
    def log_message(self, *_):
        pass

def shop(environ, start_response):
    path = environ["PATH_INFO"]
    if path == "/rows":
        with engine.connect() as connection:
            connection.execute(text("SELECT 1")).all()
    if path == "/end":
        print("the last words", flush=True)
        os._exit(3)
    found = path in ("/health", "/rows")
    start_response("200 OK" if found else "404 Not Found", [("Content-Type", "text/plain")])
    return [b"ok"]

def stop(*_):
    raise SystemExit

signal.signal(signal.SIGTERM, stop)
print("listening", flush=True)
make_server("127.0.0.1", int(sys.argv[1]), shop, Server, Handler).serve_forever()
"""

VISITORS = """
from locust import HttpUser, constant, task

class Visitor(HttpUser):
    wait_time = constant(0.05)

    @task
    def rows(self):
        self.client.get({path!r})
"""
