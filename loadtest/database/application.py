"""The user's own application: its engine, its sessions, and the database URL that it reads."""

from __future__ import annotations

import os
import sys
import traceback
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from importlib import import_module
from operator import attrgetter
from pathlib import Path
from types import ModuleType
from typing import Any

from sqlalchemy import URL, Engine, Pool
from sqlalchemy.orm import scoped_session

from loadtest.database.connection_errors import connection_error
from loadtest.database.engine import database_url, parent_session, poolclass_of
from loadtest.database.measurable import (
    OtherObject,
    engine_of_sessions,
    measurable_engine,
    session_source,
)
from loadtest.database.named_objects import corrected, missing_module, use_instead
from loadtest.database.probing import session_variables
from loadtest.database.redaction import words_with_type
from loadtest.model.errors import UsageError
from loadtest.model.pool import AS_IS, PoolConfig
from loadtest.pool.engine_settings import another, settings_of
from loadtest.pool.measured_dialects import forget
from loadtest.pool.sqlalchemy_internals import creator_of
from loadtest.runfile.folders import as_typed

DATABASE_URL = "LOADTEST_DATABASE_URL"


class NeedsDatabase(UsageError):
    """An application reads its database URL from DATABASE_URL, which is not set."""


class Application:
    """An application's engine, which is under test, and the parent session of its users.

    name: where it was found, like `myapp.db:Session`. shared: whether the parent session belongs to
    the application, so that its code and the users get the same child sessions. settings: those of
    its pool.
    """

    def __init__(
        self, name: str, engine: Engine, parent: scoped_session[Any], *, shared: bool
    ) -> None:
        self.name, self.engine, self.parent, self.shared = name, engine, parent, shared
        # Processes that are forked after the import would share its sockets.
        engine.dispose(close=False)
        self.settings = settings_of(engine.pool)
        self._own: Pool | None = None

    @property
    def url(self) -> URL:
        """The engine's URL, without the driver's further arguments."""
        return self.engine.url

    @property
    def connecting(self) -> Mapping[str, Any]:
        """Arguments of `create_engine` for another engine that connects in the same way."""
        return {"creator": creator_of(self.engine.pool), "module": self.engine.dialect.dbapi}

    def session_variables(self) -> dict[str, str]:
        """The SESSION_VARIABLES of a connection of its own engine, after its `connect` listeners.

        Raises UsageError if the engine cannot connect.
        """
        try:
            with self.engine.connect() as connection:
                return session_variables(connection)
        except Exception as error:  # listeners raise errors of any class
            raise connection_error(error, self.url, hint="") from None
        finally:
            self.engine.dispose()

    def described(self, config: PoolConfig) -> PoolConfig:
        """The settings to measure: settings that the configuration does not name stay."""
        return config.on(self.settings)

    def install(self, config: PoolConfig) -> None:
        """Give the engine a new pool: its own, with the settings that the configuration names."""
        self.engine.pool.dispose()
        forget(self.engine)
        # Before anything is measured, because a copy keeps all listeners of the original pool.
        self._own = self._own or self.engine.pool.recreate()
        wanted, own = self.described(config), PoolConfig(name=config.name, poolclass=AS_IS)
        if wanted == self.described(own):
            self.engine.pool = self._own.recreate()
            return
        settings = wanted.arguments()
        del settings["isolation_level"]
        same = settings.pop("poolclass") == self.settings["poolclass"]
        poolclass = type(self._own) if same else poolclass_of(wanted)
        self.engine.pool = another(self.engine, self._own, poolclass, settings)


def find_application(session: str, engine: str, folders: Iterable[Path] = ()) -> Application | None:
    """The application that one of the options names as MODULE:NAME; None without either.

    It is imported from the current folder or from these folders. Raises UsageError if the import
    fails or the object cannot be measured.
    """
    if session and engine:
        raise UsageError("--session and --engine: give only one of them; a session has an engine")
    if not (session or engine):
        return None
    option, name = ("session", session) if session else ("engine", engine)
    where, found = f"--{option} {name}", None
    try:
        found = _imported(option, name, folders)
        return _of_session(name, found) if session else _of_engine(name, found)
    except NotImplementedError:
        raise UsageError(f"{where}: each run needs a new pool: add recreate()") from None
    except OtherObject as error:
        raise UsageError(f"{where} {error}{use_instead(option, name, found)}") from None
    except UsageError as error:
        raise type(error)(f"{where}: {error}") from None


def _of_session(name: str, found: Any) -> Application:
    source = session_source(found)
    shared = isinstance(source, scoped_session)
    parent, bound = _with_engine(source if shared else scoped_session(source))
    return Application(name, measurable_engine(bound), parent, shared=shared)


def _of_engine(name: str, found: Any) -> Application:
    bound = measurable_engine(found)
    return Application(name, bound, parent_session(bound), shared=False)


def refuse_second_database(application: Application, given: str) -> None:
    """Raise UsageError if the given database is not the application's."""
    if given and _place(database_url(given)) != _place(application.url):
        raise UsageError(
            f"{application.name} has its own database: leave out --database-url, and remove "
            f"{DATABASE_URL} from the environment"
        )


def _place(url: URL) -> tuple[str | None, int, str | None]:
    return url.host, url.port or 3306, url.database


def waits_for_database(error: BaseException) -> bool:
    """Whether an import failed because DATABASE_URL is not set."""
    return isinstance(error, KeyError) and error.args == (DATABASE_URL,)


def environment_with(address: str) -> dict[str, str]:
    """The environment of a child process with this database URL; without one if it is empty."""
    others = {name: value for name, value in os.environ.items() if name != DATABASE_URL}
    return others | ({DATABASE_URL: address} if address else {})


@contextmanager
def database_in_environment(address: str) -> Iterator[None]:
    """Set DATABASE_URL for this process and its children, and restore it afterwards."""
    before = os.environ.get(DATABASE_URL, "")
    _hand_on(address)
    try:
        yield
    finally:
        _hand_on(before)


def _hand_on(address: str) -> None:
    os.environ.pop(DATABASE_URL, None)
    os.environ.update(environment_with(address))


def _imported(option: str, name: str, folders: Iterable[Path]) -> Any:
    module_name, _, attribute = name.partition(":")
    sys.path += [str(f) for f in (Path.cwd(), *folders) if str(f) not in sys.path]
    if not (module_name and attribute) or name.endswith(".py") or "/" in name:
        like = corrected(option, name) or ", like myapp.db:Session"
        raise UsageError(f"write MODULE:NAME with dots in the module{like}")
    try:
        module = import_module(module_name)
    except (Exception, SystemExit) as error:
        if waits_for_database(error):
            raise NeedsDatabase(f"it reads {DATABASE_URL}, which is not set") from None
        raise UsageError(_why_not(error, module_name)) from None
    try:
        return _attribute(module, attribute)
    except AttributeError:
        instead = use_instead(option, name)
        raise UsageError(f"{module_name} has no {attribute}{instead}") from None
    except Exception as error:
        raise UsageError(words_with_type(error)) from None


def _attribute(module: ModuleType, path: str) -> Any:
    """The attribute at a dotted path, also one that exists in a Flask app's context only."""
    try:
        return attrgetter(path)(module)
    except RuntimeError:
        if "flask_sqlalchemy" not in sys.modules:
            raise
        from loadtest.database.flask_sessions import attribute_in_context

        return attribute_in_context(module, path)


def _with_engine(parent: scoped_session[Any]) -> tuple[scoped_session[Any], Any]:
    """A parent session as users call it, and the engine of its sessions."""
    if "flask_sqlalchemy" in sys.modules:
        from loadtest.database.flask_sessions import uses_flask, with_context

        if uses_flask(parent):
            return with_context(parent)
    return parent, engine_of_sessions(parent.session_factory)


def _why_not(error: BaseException, module: str) -> str:
    missing = getattr(error, "name", None) if isinstance(error, ModuleNotFoundError) else None
    if missing and f"{module}.".startswith(f"{missing}."):
        return missing_module(missing, module)
    places = [frame for frame in traceback.extract_tb(error.__traceback__) if _users(frame)]
    if not places:
        return words_with_type(error)
    file, line = as_typed(Path(places[-1].filename)), places[-1].lineno
    return f"{file}, line {line}: {words_with_type(error)}"


def _users(frame: traceback.FrameSummary) -> bool:
    parts = Path(frame.filename).parts
    inside = "site-packages" in parts or frame.filename == __file__
    return not inside and "importlib" not in frame.filename and frame.filename[:1] != "<"
