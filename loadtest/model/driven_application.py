"""An application behind HTTP: the command that starts it, and the URL that tells it is ready."""

from __future__ import annotations

import re
import shlex
from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import count
from pathlib import Path, PurePath
from typing import Annotated, Any, Self
from urllib.parse import SplitResult, urlsplit

from pydantic import AfterValidator, BeforeValidator, Field, model_validator

from loadtest.model.field_types import Name, Seconds, Strict

_PORTS = {"http": 80, "https": 443}
_SHELL_WORDS = {"&&", "||", "|", ";", "&", ">", ">>", "<"}
_ASSIGNMENT = re.compile(r"[A-Za-z_]\w*=")
_SHELL_SIGN = re.compile(r"`|\$(?:[A-Za-z_]\w*|[{(])|^~|^\d?[<>].*|;$")
# The URL of the database in the value of an environment variable, with another driver if named.
PLACEHOLDER = re.compile(r"\{database_url(?::([a-z]\w*(?:\+\w+)?))?\}")
_BEGINS_PLACEHOLDER = "{database_url"
# The placeholder without a driver has none of these names.
_MYSQL_NAMES = ("", "mysql", "mariadb")
# The number of processes, in the command or in the value of an environment variable.
PROCESSES = "{app_processes}"
_VARIABLE = re.compile(r"[A-Za-z_]\w*")
# Signs of a program that no name has.
_NOT_IN_NAMES = re.compile(r"[^\w.+-]+")
# Stands for a value that is not shown.
_HIDDEN = "***"
MOST_STOP_SECONDS = 600.0


def _split(command: str) -> tuple[str, ...]:
    """The words of a command; raises ValueError if there are none, or if it needs a shell."""
    try:
        words = tuple(shlex.split(command))
    except ValueError as error:
        raise ValueError(f"{command!r} is not a command: {error}") from None
    if not words:
        raise ValueError("the command is empty")
    if sign := _shell_sign(words):
        variable = ", or put the variable into env (--app-env)" if sign.endswith("=") else ""
        raise ValueError(
            f"the command needs a shell because of {sign!r}; write sh -c '…'{variable}"
        )
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
    return _public(command)


def _perhaps_a_command(command: str) -> str:
    return _without_shell(command) if command else command


def _public(text: str) -> str:
    """A text that other users of the machine can read, or that results contain."""
    if _BEGINS_PLACEHOLDER in text:
        raise ValueError(
            "{database_url} contains the password, and others can see arguments: put it into env, "
            "with --app-env NAME={database_url}"
        )
    return text


def _variables(env: dict[str, str]) -> dict[str, str]:
    for name, value in env.items():
        if not _VARIABLE.fullmatch(name):
            raise ValueError(f"{name!r} is not the name of an environment variable")
        if _BEGINS_PLACEHOLDER in PLACEHOLDER.sub("", value):
            raise ValueError(
                f"{name}: write {{database_url}}, or {{database_url:mysql+aiomysql}} for a driver"
            )
        if "\0" in value:
            raise ValueError(f"{name}: the value contains a null character")
        _check_drivers(name, value)
    return env


def _check_drivers(name: str, value: str) -> None:
    for driver in PLACEHOLDER.findall(value):
        if driver.partition("+")[0] not in _MYSQL_NAMES:
            raise ValueError(
                f"{name}: {{database_url}} leads to MariaDB or MySQL, so its driver cannot be "
                f"{driver}; give the application the URL of another server as it is"
            )


def _numbers_of_processes(value: Any) -> Any:
    """The numbers in 4, `4`, `1,2,4` or a list; raises ValueError."""
    texts = value.split(",") if isinstance(value, str) else value
    texts = texts if isinstance(texts, list | tuple) else [texts]
    numbers = [str(one).strip() for one in texts]
    if not all(re.fullmatch(r"[1-9]\d*", one) for one in numbers):
        raise ValueError(f"{value!r} is not a number of processes; write 4, or 1,2,4 for tune")
    if len({*numbers}) < len(numbers):
        raise ValueError(f"{value!r} has a number twice")
    return tuple(map(int, numbers))


def _address(url: str) -> str:
    parts = urlsplit(url)
    if parts.scheme not in _PORTS or not parts.hostname:
        raise ValueError(f"{url!r} is not a URL; write http://127.0.0.1:8800/health")
    _ = parts.port  # raises ValueError if it is no port
    return _public(url)


def _shown(value: str) -> str:
    return value if value == PROCESSES or PLACEHOLDER.fullmatch(value) else _HIDDEN


def shown_variable(text: str) -> str:
    """`NAME=VALUE` for results: the value is hidden, except for a placeholder alone."""
    name, equals, value = text.partition("=")
    return f"{name}={_shown(value)}" if equals else _HIDDEN


class DrivenApplication(Strict):
    """An application that the tool starts for each run and drives over HTTP.

    command: its command line, which no shell reads. ready: a URL that answers as soon as the
    application is ready. env: further environment variables; `{database_url}` in a value stands for
    the URL of the database. cwd: its working directory. prepare: a command that runs before each
    start. engine: the name or the place of the engine that is meant, if it makes several.
    stop_timeout: the seconds after which it is killed. processes: the numbers of processes that
    `{app_processes}` stands for, in the command or a variable; only a search has several. name: in
    results; empty without one.
    """

    command: Annotated[str, AfterValidator(_without_shell)]
    ready: Annotated[str, AfterValidator(_address)]
    env: Annotated[dict[str, str], AfterValidator(_variables)] = Field(default_factory=dict)
    cwd: Path | None = None
    prepare: Annotated[str, AfterValidator(_perhaps_a_command)] = ""
    engine: str = ""
    stop_timeout: Annotated[Seconds, Field(ge=0, le=MOST_STOP_SECONDS)] = 10.0
    name: Name = ""
    processes: Annotated[tuple[int, ...], BeforeValidator(_numbers_of_processes)] = ()

    @model_validator(mode="after")
    def _processes_are_placed(self) -> Self:
        placed = any(PROCESSES in text for text in (self.command, *self.env.values()))
        if placed and not self.processes:
            raise ValueError(
                f"{PROCESSES} stands for a number that is not given; add --app-processes 4 (in an "
                "experiment processes = 4)"
            )
        if self.processes and not placed:
            raise ValueError(
                f"the number of processes is given, but the command has no {PROCESSES}; write it "
                f"in place of the number, like gunicorn -w {PROCESSES} shop.web:app"
            )
        return self

    def words(self) -> tuple[str, ...]:
        """The program and its arguments."""
        return tuple(map(self._with_processes, _split(self.command)))

    @property
    def variables(self) -> dict[str, str]:
        """The further environment variables; only the URL of the database has a placeholder."""
        return {name: self._with_processes(text) for name, text in self.env.items()}

    def _with_processes(self, text: str) -> str:
        return text.replace(PROCESSES, str(self.most_processes))

    @property
    def most_processes(self) -> int | None:
        """The largest number of processes that is asked for; None if none is."""
        return max(self.processes, default=None)

    def with_processes(self, number: int) -> Self:
        """The same with one number of processes."""
        return self.model_copy(update={"processes": (number,)})

    @property
    def preparing(self) -> tuple[str, ...]:
        """The program of `prepare` and its arguments; empty without one."""
        return _split(self.prepare) if self.prepare else ()

    @property
    def needs_database(self) -> bool:
        """Whether a variable contains the URL of the database."""
        return any(map(PLACEHOLDER.search, self.env.values()))

    @property
    def shown_env(self) -> dict[str, str]:
        """The variables for results: a value is hidden, except for a placeholder alone."""
        return {name: _shown(value) for name, value in self.env.items()}

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


def application_names(given: Sequence[str], commands: Sequence[str]) -> list[str]:
    """The names of several applications: the given ones, else their programs', numbered if equal.

    given: empty for one without a name. Raises ValueError if two have the same given name.
    """
    named = Counter(filter(None, given))
    if double := [name for name, times in named.items() if times > 1]:
        raise ValueError(f"two applications have the name {double[0]!r}; rename one of them")
    taken, found = set(named), list[str]()
    for name, command in zip(given, commands, strict=True):
        found.append(name or next(free for free in _numbered(command) if free not in taken))
        taken.add(found[-1])
    return found


def _numbered(command: str) -> Iterator[str]:
    """The name of a program, then the same with the numbers from 2."""
    try:
        program = PurePath(next(iter(shlex.split(command)), "")).name
    except ValueError:  # of a command that is refused later
        program = ""
    name = _NOT_IN_NAMES.sub("-", program) or "application"
    yield name
    yield from (f"{name}-{number}" for number in count(2))
