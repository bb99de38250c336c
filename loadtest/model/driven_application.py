"""An application behind HTTP: the command that starts it, and the URL that tells it is ready."""

from __future__ import annotations

import re
import shlex
from typing import Annotated
from urllib.parse import SplitResult, urlsplit

from pydantic import AfterValidator

from loadtest.model.field_types import Strict

_PORTS = {"http": 80, "https": 443}
_SHELL_WORDS = {"&&", "||", "|", ";", "&", ">", ">>", "<"}
_ASSIGNMENT = re.compile(r"[A-Za-z_]\w*=")
_SHELL_SIGN = re.compile(r"`|\$[A-Za-z_{(]|^~")


def _split(command: str) -> tuple[str, ...]:
    """The words of a command; raises ValueError if there are none, or if it needs a shell."""
    try:
        words = tuple(shlex.split(command))
    except ValueError as error:
        raise ValueError(f"{command!r} is not a command: {error}") from None
    if not words:
        raise ValueError("the command is empty")
    if sign := _shell_sign(words):
        raise ValueError(f"the command needs a shell because of {sign!r}; write sh -c '…'")
    return words


def _shell_sign(words: tuple[str, ...]) -> str:
    """The part of a command that only a shell understands; empty without one."""
    if assigned := _ASSIGNMENT.match(words[0]):
        return assigned[0]
    if words[0] in ("sh", "bash", "dash", "zsh"):
        return ""
    for word in words:
        if word in _SHELL_WORDS:
            return word
        quoted = " " in word
        if not quoted and (found := _SHELL_SIGN.search(word)):
            return found[0]
    return ""


def _without_shell(command: str) -> str:
    _split(command)
    return command


def _address(url: str) -> str:
    parts = urlsplit(url)
    if parts.scheme not in _PORTS or not parts.hostname:
        raise ValueError(f"{url!r} is not a URL; write http://127.0.0.1:8800/health")
    _ = parts.port  # raises ValueError if it is no port
    return url


class DrivenApplication(Strict):
    """An application that the tool starts for each run and drives over HTTP.

    command: its command line, which no shell reads. ready: a URL that answers as soon as the
    application is ready.
    """

    command: Annotated[str, AfterValidator(_without_shell)]
    ready: Annotated[str, AfterValidator(_address)]

    def words(self) -> tuple[str, ...]:
        """The program and its arguments."""
        return _split(self.command)

    @property
    def _parts(self) -> SplitResult:
        return urlsplit(self.ready)

    @property
    def origin(self) -> str:
        """The scheme, the host and the port of its requests, like `http://127.0.0.1:8800`."""
        return f"{self._parts.scheme}://{self._parts.netloc}"

    @property
    def host(self) -> str:
        """The host of `ready`."""
        return self._parts.hostname or ""

    @property
    def port(self) -> int:
        """The port of `ready`."""
        return self._parts.port or _PORTS[self._parts.scheme]
