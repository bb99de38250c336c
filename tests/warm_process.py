"""A process that has imported Locust and this tool, and forks for each client that connects.

`python -u -m tests.warm_process ADDRESS`, the name of an abstract socket. A fork runs a module as
`python -m` does; an attendant passes on the client's signals, and tells it how the fork ended.
"""

import locust.main  # noqa: F401 - first: gevent patches what the others import

import _socket
import gc
import inspect
import json
import os
import runpy
import signal
import socket
import sys
from contextlib import suppress
from importlib import import_module

import gevent
from gevent import monkey

from loadtest.database import supervisor
from loadtest.load.run_output import machine_facts, versions
from loadtest.load.workers import protocol

# gevent's event loop begins in the forks only.
_fork, _wait = (monkey.get_original("os", name) for name in ("fork", "waitpid"))
_select, _handle = monkey.get_original("select", "select"), monkey.get_original("signal", "signal")
# What forks run as `python -m` does, and what that imports when it needs it.
_PROGRAMS = (
    "loadtest.experiment.child_process",
    "loadtest.experiment.scenario_check",
    "loadtest.experiment.trial.trial_process",
    "loadtest.load.setup.driver_probe",
    "tests.undisturbed",
)
_LATE = (
    "loadtest.cli.doctor",
    "loadtest.experiment.doctor",
    "loadtest.experiment.locust_settings",
    "loadtest.report.check_table",
)


def serve(address: str) -> None:
    """Start an attendant for each client; returns in forks, when their module has ended."""
    for name in (*_PROGRAMS, *_LATE):
        import_module(name)
    _remember()
    gc.freeze()  # forks share the pages of what is never collected
    # The patched class would begin the event loop.
    listener = _socket.socket(_socket.AF_UNIX, _socket.SOCK_STREAM)
    listener.bind(f"\0{address}")
    listener.listen(64)
    print("ready", flush=True)
    while True:
        number, _ = listener._accept()
        with suppress(ChildProcessError):
            while _wait(-1, os.WNOHANG)[0]:
                pass
        if not _fork():
            listener.close()
            supervisor.die_with_parent()
            _attend(_socket.socket(fileno=number))
            return
        os.close(number)


def _remember() -> None:
    """Do once what every run does first; its results stay in memory."""
    machine_facts()
    versions()
    inspect.stack()


def _attend(client: _socket.socket) -> None:
    """Fork for a client; returns in the fork, when its module has ended."""
    words, environment, folder, files = _question(client)
    fork = _fork()
    if not fork:
        client.close()
        supervisor.die_with_parent()
        _become(words, environment, folder, files)
        return
    for number in files:
        os.close(number)
    woken, waking = os.pipe()
    os.set_blocking(waking, False)
    signal.set_wakeup_fd(waking)
    _handle(signal.SIGCHLD, lambda *_: None)  # not in the fork, where gevent handles it
    while not (ended := _wait(fork, os.WNOHANG))[0]:
        readable, _, _ = _select([client, woken], [], [])
        if woken in readable:
            os.read(woken, 64)
        if client in readable:
            _pass_on(client.recv(64), fork)
    with suppress(OSError):  # the client was killed
        client.send(ended[1].to_bytes(4, "big"))
    os._exit(0)


def _question(client: _socket.socket) -> tuple[list[str], dict[str, str], str, list[int]]:
    """A module and its arguments, an environment, a folder, and the files 0, 1 and 2."""
    begin, files, *_ = socket.recv_fds(client, 4, 3)
    told, size = b"", int.from_bytes(begin, "big")
    while len(told) < size:
        part = client.recv(size - len(told))
        if not part:
            os._exit(1)
        told += part
    return (*json.loads(told), files)


def _pass_on(signals: bytes, fork: int) -> None:
    """Send signals to a fork; without any, its client was killed: kill it and its own forks."""
    for number in signals:
        os.kill(fork, number)
    if not signals:
        with suppress(ProcessLookupError):  # it has no group yet
            os.killpg(fork, signal.SIGKILL)
        os.kill(fork, signal.SIGKILL)
        os._exit(0)


def _become(words: list[str], environment: dict[str, str], folder: str, files: list[int]) -> None:
    """Run a module with its arguments in this process."""
    gevent.reinit()
    os.setsid()
    protocol._forking = os.getpid()
    os.environ.clear()
    os.environ.update(environment)
    os.chdir(folder)
    sys.path[:1] = [folder, *filter(None, environment.get("PYTHONPATH", "").split(os.pathsep))]
    for number, file in enumerate(files):
        os.dup2(file, number)
        os.close(file)
    for name in _PROGRAMS:
        sys.modules.pop(name, None)
    sys.argv = words
    runpy.run_module(words[0], run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    serve(sys.argv[1])
