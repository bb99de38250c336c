"""Runs a module in a fork of a warm process: `warm_client.py ADDRESS MODULE ARGUMENTS`.

The fork has the output, the environment and the folder of this process, gets its signals, and this
process ends like it. It is killed with this process.
"""

import json
import os
import signal
import socket
import sys
from contextlib import suppress

PASSED_ON = (signal.SIGINT, signal.SIGTERM, signal.SIGURG)


def main(address: str, *words: str) -> None:
    """Ask for a fork, and wait for its end."""
    # Until the question is complete, nothing else is sent.
    signal.pthread_sigmask(signal.SIG_BLOCK, PASSED_ON)
    server = socket.socket(socket.AF_UNIX)
    server.connect(f"\0{address}")

    def pass_on(number: int, _: object) -> None:
        with suppress(OSError):  # the fork has ended
            server.send(bytes([number]))

    for number in PASSED_ON:
        signal.signal(number, pass_on)
    question = json.dumps([words, dict(os.environ), os.getcwd()]).encode()
    socket.send_fds(server, [len(question).to_bytes(4, "big")], [0, 1, 2])
    server.sendall(question)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, PASSED_ON)
    status = server.recv(4)
    if not status:
        sys.exit("the warm process has ended")
    _end_like(os.waitstatus_to_exitcode(int.from_bytes(status, "big")))


def _end_like(code: int) -> None:
    if code < 0:
        if -code in PASSED_ON:
            signal.signal(-code, signal.SIG_DFL)
        os.kill(os.getpid(), -code)
    sys.exit(code)


if __name__ == "__main__":
    main(*sys.argv[1:])
