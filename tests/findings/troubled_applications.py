"""Applications behind HTTP as scripts, each with one mistake, or at one limit."""

from __future__ import annotations

# A WSGI server with a thread for each request. PAGE is what a request of `/rows` does; it may set
# `status`. It stops on SIGTERM as servers do, by an exception.
_THREADS = """
import os, signal, socketserver, sys, threading, time
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server
from sqlalchemy import create_engine, exc, text

engine = create_engine(f"sqlite:///{{sys.argv[2]}}", {pool})
served = []

class Server(socketserver.ThreadingMixIn, WSGIServer):
    daemon_threads = True

class Handler(WSGIRequestHandler):
    def log_message(self, *_):
        pass

def rows():
{page}

def shop(environ, start_response):
    status = (environ["PATH_INFO"] == "/rows" and rows()) or "200 OK"
    start_response(status, [("Content-Type", "text/plain")])
    return [b"ok"]

def stop(*_):
    raise SystemExit

def serve(server):
    signal.signal(signal.SIGTERM, stop)
    server.serve_forever()

server = make_server("127.0.0.1", int(sys.argv[1]), shop, Server, Handler)
{start}
"""

_HOLD = """
    with engine.connect() as connection:
        connection.execute(text("SELECT 1")).all()
        time.sleep({seconds})
"""
_SERVE = "serve(server)"

# A pool of two connections that are held for 50 ms.
SMALL_POOL = _THREADS.format(
    pool="pool_size=2, max_overflow=0", page=_HOLD.format(seconds=0.05), start=_SERVE
)

# A pool of one connection, for which others wait for 20 ms at most.
IMPATIENT = _THREADS.format(
    pool="pool_size=1, max_overflow=0, pool_timeout=0.02",
    page="""
    try:
        with engine.connect() as connection:
            connection.execute(text("SELECT 1")).all()
            time.sleep(0.05)
    except exc.TimeoutError:
        return "500 Internal Server Error"
""",
    start=_SERVE,
)

# A process whose clock of its processor runs as fast as time does: a busy machine would leave it
# less than a whole core.
COMPUTING = "import time\ntime.process_time_ns = time.perf_counter_ns\n" + _THREADS.format(
    pool="pool_size=9, max_overflow=0", page=_HOLD.format(seconds=0.2), start=_SERVE
)

# Its recorder fails some seconds after the first request.
UNSEEN = _THREADS.format(
    pool="pool_size=2, max_overflow=0",
    page="""
    with engine.connect() as connection:
        connection.execute(text("SELECT 1")).all()
    from loadtest.recording.process_recorder import PROCESS_RECORDER
    served.append(time.monotonic())
    if served[-1] - served[0] > 3.5 and not PROCESS_RECORDER.off:
        PROCESS_RECORDER.switch_off(OSError("the disk is full"))
""",
    start=_SERVE,
)

# Workers that serve for two seconds each, one after the other.
RESTARTING = _THREADS.format(
    pool="pool_size=2, max_overflow=0",
    page=_HOLD.format(seconds=0.001),
    start="""
signal.signal(signal.SIGTERM, stop)
while True:
    worker = os.fork()
    if worker == 0:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        time.sleep(2)
        raise SystemExit
    os.waitpid(worker, 0)
""",
)

# A server of asyncio whose handler uses a driver that blocks, for 50 ms.
BLOCKING = """
import asyncio, signal, sys, time
from sqlalchemy import create_engine, event, text

engine = create_engine(f"sqlite:///{sys.argv[2]}", pool_size=2, max_overflow=0)

@event.listens_for(engine, "connect")
def connected(connection, _):
    connection.create_function("pause", 0, lambda: time.sleep(0.05))

async def serve(reader, writer):
    head = await reader.readuntil(b"\\r\\n\\r\\n")
    if b" /rows " in head:
        with engine.connect() as connection:
            connection.execute(text("SELECT pause()")).all()
    writer.write(b"HTTP/1.1 200 OK\\r\\nContent-Length: 2\\r\\nConnection: close\\r\\n\\r\\nok")
    await writer.drain()
    writer.close()

async def main():
    stopped = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stopped.set)
    async with await asyncio.start_server(serve, "127.0.0.1", int(sys.argv[1])):
        await stopped.wait()

asyncio.run(main())
"""

# A response of half a second that is sent while a session is open.
STREAMING = """
import asyncio, sys, uvicorn
from sqlalchemy import text
from sqlalchemy.ext.asyncio import create_async_engine
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse, StreamingResponse
from starlette.routing import Route

engine = create_async_engine(f"sqlite+aiosqlite:///{sys.argv[2]}", pool_size=4, max_overflow=0)

async def health(request):
    return PlainTextResponse("ok")

async def rows(request):
    async def lines():
        async with engine.connect() as connection:
            for number in range(5):
                await connection.execute(text("SELECT 1"))
                yield f"{number}\\n"
                await asyncio.sleep(0.1)

    return StreamingResponse(lines())

app = Starlette(routes=[Route("/health", health), Route("/rows", rows)])
uvicorn.run(app, port=int(sys.argv[1]), log_level="warning")
"""
