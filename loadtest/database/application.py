"""The user's own application: its engine and its sessions, found by name."""

from __future__ import annotations

import os
import sys
import traceback
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from importlib import import_module
from operator import attrgetter
from pathlib import Path
from typing import Any

from sqlalchemy import URL, Engine, Pool
from sqlalchemy.ext.asyncio import (
    AsyncEngine,
    AsyncSession,
    async_scoped_session,
    async_sessionmaker,
)
from sqlalchemy.orm import Session, scoped_session, sessionmaker

from loadtest.database.engine import database_url, parent_session, poolclass_of
from loadtest.database.redaction import words_with_type
from loadtest.model.errors import UsageError
from loadtest.model.pool import AS_IS, PoolConfig
from loadtest.pool.engine_settings import another, settings_of
from loadtest.pool.measure import forget
from loadtest.pool.sqlalchemy_internals import creator_of
from loadtest.runfile.folders import as_typed

DATABASE_URL = "LOADTEST_DATABASE_URL"
_ASYNC = (AsyncEngine, AsyncSession, async_scoped_session, async_sessionmaker)
_NO_ASYNC = (
    "is async, and loadtest measures synchronous engines: use create_engine() with "
    "mysql+pymysql:// and a sessionmaker or scoped_session"
)


class NeedsDatabase(UsageError):
    """An application reads its database URL from DATABASE_URL, which is not set."""


class Application:
    """An application's engine, which is under test, and the parent session of its users.

    name: where it was found, like `myapp.db:Session`. shared: whether the parent session belongs to
    the application, so that its code and the users get the same child sessions.
    """

    def __init__(
        self, name: str, engine: Engine, parent: scoped_session[Any], *, shared: bool
    ) -> None:
        self.name, self.engine, self.parent, self.shared = name, engine, parent, shared
        # Processes that are forked after the import would share its sockets.
        engine.dispose(close=False)
        self._settings = settings_of(engine.pool)
        self._own: Pool | None = None

    @property
    def url(self) -> URL:
        """The engine's URL, without the driver's further arguments."""
        return self.engine.url

    @property
    def connecting(self) -> Mapping[str, Any]:
        """Arguments of `create_engine` for another engine that connects in the same way."""
        return {"creator": creator_of(self.engine.pool), "module": self.engine.dialect.dbapi}

    def described(self, config: PoolConfig) -> PoolConfig:
        """The settings to measure; for `as-is`, those of the application's pool."""
        if config.poolclass != AS_IS:
            return config
        return PoolConfig.model_construct(name=config.name, **self._settings)

    def install(self, config: PoolConfig) -> None:
        """Give the engine a new pool: its own (`as-is`) or one with these settings."""
        self.engine.pool.dispose()
        forget(self.engine)
        # Before anything is measured, because a copy keeps all listeners of the original pool.
        self._own = self._own or self.engine.pool.recreate()
        if config.poolclass == AS_IS:
            self.engine.pool = self._own.recreate()
            return
        settings = config.arguments()
        del settings["poolclass"], settings["isolation_level"]
        self.engine.pool = another(self.engine, self._own, poolclass_of(config), settings)


def find_application(session: str, engine: str, folders: Iterable[Path] = ()) -> Application | None:
    """The application that one of the options names as MODULE:NAME; None without either.

    It is imported from the current folder or from these folders. Raises UsageError if the import
    fails or the object cannot be measured.
    """
    if session and engine:
        raise UsageError("--session and --engine: give only one of them; a session has an engine")
    if not (session or engine):
        return None
    name, where = session or engine, f"{'--session' if session else '--engine'} {session or engine}"
    try:
        found = _imported(name, folders, _is_parent if session else _is_engine)
        if session:
            parent = _parent(found)
            bound = _measurable(_bound(parent.session_factory))
            return Application(name, bound, parent, shared=parent is found)
        bound = _measurable(found)
        return Application(name, bound, parent_session(bound), shared=False)
    except NotImplementedError:
        raise UsageError(f"{where}: each run needs a new pool: add recreate()") from None
    except UsageError as error:
        raise type(error)(f"{where}: {error}") from None


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


def _is_engine(thing: Any) -> bool:
    return isinstance(thing, Engine)


def _is_parent(thing: Any) -> bool:
    return isinstance(thing, scoped_session | sessionmaker)


def _imported(name: str, folders: Iterable[Path], fits: Callable[[Any], bool]) -> Any:
    module_name, _, attribute = name.partition(":")
    if not (module_name and attribute) or name.endswith(".py") or "/" in name:
        raise UsageError("write MODULE:NAME with dots in the module, like myapp.db:Session")
    sys.path += [str(f) for f in (Path.cwd(), *folders) if str(f) not in sys.path]
    try:
        module = import_module(module_name)
    except (Exception, SystemExit) as error:
        if waits_for_database(error):
            raise NeedsDatabase(f"it reads {DATABASE_URL}, which is not set") from None
        raise UsageError(_why_not(error, module_name)) from None
    try:
        return attrgetter(attribute)(module)
    except AttributeError:
        there = ", ".join(n for n, thing in vars(module).items() if fits(thing))
        hint = f"but it has {there}" if there else "and nothing else that fits"
        raise UsageError(f"{module_name} has no {attribute}, {hint}") from None
    except Exception as error:
        raise UsageError(words_with_type(error)) from None


def _why_not(error: BaseException, module: str) -> str:
    missing = getattr(error, "name", None) if isinstance(error, ModuleNotFoundError) else None
    if missing and f"{module}.".startswith(f"{missing}."):
        return (
            f"there is no module {missing}: start loadtest in the folder of the module, or add "
            "this folder to PYTHONPATH"
        )
    places = [frame for frame in traceback.extract_tb(error.__traceback__) if _users(frame)]
    if not places:
        return words_with_type(error)
    file, line = as_typed(Path(places[-1].filename)), places[-1].lineno
    return f"{file}, line {line}: {words_with_type(error)}"


def _users(frame: traceback.FrameSummary) -> bool:
    parts = Path(frame.filename).parts
    inside = "site-packages" in parts or frame.filename == __file__
    return not inside and "importlib" not in frame.filename and frame.filename[:1] != "<"


def _measurable(engine: Any) -> Engine:
    """The engine itself. Raises UsageError if it cannot be measured."""
    if isinstance(engine, _ASYNC) or (isinstance(engine, Engine) and engine.dialect.is_async):
        raise UsageError(_NO_ASYNC)
    if not isinstance(engine, Engine):
        what = f"is {_kind(engine)}, not an Engine"
        hint = "; use --session for it" if _is_parent(engine) else _how_to_name(engine)
        raise UsageError(what + hint)
    if engine.dialect.name not in ("mysql", "mariadb"):
        raise UsageError(
            f"it is an engine for {engine.dialect.name}; loadtest measures MySQL and MariaDB"
        )
    return engine


def _parent(found: Any) -> scoped_session[Any]:
    if isinstance(found, _ASYNC):
        raise UsageError(_NO_ASYNC)
    if isinstance(found, scoped_session):
        return found
    if isinstance(found, sessionmaker):
        return scoped_session(found)
    what = f"is {_kind(found)}, not a scoped_session or sessionmaker"
    raise UsageError(what + ("; use --engine for it" if _is_engine(found) else _how_to_name(found)))


def _kind(thing: Any) -> str:
    if isinstance(thing, type):
        return f"the class {thing.__name__}"
    name = type(thing).__name__
    return f"{'an' if name[0] in 'AEIOUaeiou' else 'a'} {name}"


def _how_to_name(thing: Any) -> str:
    return "; name the object that the call returns" if callable(thing) else ""


def _bound(factory: Callable[[], Any]) -> Any:
    """The engine that all sessions of a factory use."""
    try:
        session = factory()
    except Exception as error:
        raise UsageError(f"it cannot make a session: {words_with_type(error)}") from None
    if isinstance(session, _ASYNC):
        raise UsageError(_NO_ASYNC)
    options = getattr(factory, "kw", {})
    engines = [session.bind, *(options.get("binds") or {}).values()]
    pools = {id(getattr(engine, "pool", engine)) for engine in engines if engine is not None}
    session.close()
    if len(pools) > 1 or type(session).get_bind is not Session.get_bind:
        raise UsageError(
            "its sessions choose among several engines (binds or get_bind), but loadtest measures "
            "one: name that engine with --engine"
        )
    if not pools:
        raise UsageError(
            "it has no engine after the import: bind one, with sessionmaker(bind=engine)"
        )
    return next(engine for engine in engines if engine is not None)
