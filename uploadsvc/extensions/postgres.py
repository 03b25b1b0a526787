"""How each connection to PostgreSQL behaves, and what several processes on one database agree on by its locks."""

import logging
import select
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from sqlalchemy import URL, cast, event, func
from sqlalchemy import select as sql_select
from sqlalchemy.dialects.postgresql import REGCLASS
from sqlalchemy.engine import Connection, Engine
from sqlalchemy.exc import InvalidatePoolError, SQLAlchemyError

log = logging.getLogger("uploadsvc.database")

SETTING_UP, KEEPING_HOUSE = 0x75706C6F6164_0001, 0x75706C6F6164_0002  # keys of advisory locks: "upload", and a number
_RECYCLE = 1800  # seconds: whatever stands between may end a connection that is older
_POOL_PATIENCE = 5  # seconds for one of the pool's connections
_CONNECT = {  # a server that is gone without a word is given up after half a minute, be it asked or not
    "connect_timeout": 5,
    "application_name": "uploadsvc",
    "keepalives_idle": 10,
    "keepalives_interval": 5,
    "keepalives_count": 4,
    "tcp_user_timeout": 30_000,
}
_SESSION = (  # the patience for a lock is that of SQLite's busy_timeout; and the server, too, gives up who is gone
    "SET lock_timeout = '5s'; SET tcp_keepalives_idle = 30; SET tcp_keepalives_interval = 10; "
    "SET tcp_keepalives_count = 3"
)
_NOTE_ON = "alembic_version"  # the one table that no model describes
_SETUP_PATIENCE, _ASK_AGAIN = 60, 0.2  # seconds


def options(url: URL) -> dict[str, Any]:
    """Return what the engine of `url` needs beside what every engine has; what the URL says itself is left to it."""
    if url.get_backend_name() != "postgresql":
        return {}
    arguments = {name: value for name, value in _CONNECT.items() if name not in url.query}
    return {
        "pool_recycle": _RECYCLE,
        "pool_timeout": _POOL_PATIENCE,
        "isolation_level": "READ COMMITTED",  # whatever the server's default: a conditional UPDATE decides races
        "connect_args": arguments,
    }


def guard(engine: Engine) -> None:
    """Let nobody wait for a lock for ever, and have no request meet a connection that the server has ended."""
    if engine.dialect.name == "postgresql":
        event.listen(engine, "connect", _begin_session)
        event.listen(engine, "checkout", _look)


def _begin_session(connection: Any, _record: object) -> None:
    connection.autocommit = True
    connection.execute(_SESSION)
    connection.autocommit = False


def _look(connection: Any, _record: object, _proxy: object) -> None:
    """Have the pool made anew when the server has said goodbye.

    Between requests it says nothing else, so there is something to read. Asking it (pool_pre_ping) would take one more
    round trip in each request; whoever says nothing at all is what the keepalives are for.
    """
    if connection.closed or _has_something_to_read(connection.fileno()):
        raise InvalidatePoolError


def _has_something_to_read(descriptor: int) -> bool:
    poll = select.poll()
    poll.register(descriptor, select.POLLIN)
    return bool(poll.poll(0))


def note(connection: Connection) -> str | None:
    """Return the note that stands in the database, None where there is none."""
    found: str | None = connection.scalar(sql_select(func.obj_description(cast(_NOTE_ON, REGCLASS))))
    return found


def write_note(connection: Connection, words: str) -> None:
    """Have `words`, of letters and digits, stand in the database, with which they are copied and dumped."""
    connection.exec_driver_sql(f"COMMENT ON TABLE {_NOTE_ON} IS '{words}'")


class LockTaken(RuntimeError):
    """Another process holds the lock for longer than one should wait."""


@contextmanager
def alone(engine: Engine) -> Iterator[None]:
    """Let one process of all that use the database set it up at a time; raise LockTaken after a minute.

    The lock is held by a connection of its own: on that of the migrations Alembic would see a transaction that is not
    its to commit. On any other engine this does nothing.
    """
    if engine.dialect.name != "postgresql":
        yield
        return
    with _own_connection(engine) as connection:
        deadline = time.monotonic() + _SETUP_PATIENCE
        while not _try_lock(connection, SETTING_UP):
            if time.monotonic() > deadline:
                raise LockTaken(f"another process has been setting it up for {_SETUP_PATIENCE} seconds")
            time.sleep(_ASK_AGAIN)
        try:
            yield
        finally:
            connection.execute(sql_select(func.pg_advisory_unlock(SETTING_UP)))


class Leadership:
    """One process of all that use the database has it, as long as it lives; with any other engine everyone has."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._lock: Connection | None = None  # the connection that holds it

    def is_ours(self) -> bool:
        """Tell whether this process leads, which it does from here on when nobody else does."""
        if self._engine.dialect.name != "postgresql":
            return True
        try:
            if self._lock is None:
                self._lock = self._taken()
                if self._lock is not None:
                    log.info("leads")
            else:
                self._lock.execute(sql_select(1))  # with the connection the lock is lost
        except SQLAlchemyError:
            self.resign()
        return self._lock is not None

    def resign(self) -> None:
        """Let another process lead. Idempotent."""
        if self._lock is not None:
            log.warning("leads_no_more")
            self._lock.invalidate()
            self._lock.close()
            self._lock = None

    def _taken(self) -> Connection | None:
        connection, taken = _own_connection(self._engine), False
        try:
            taken = _try_lock(connection, KEEPING_HOUSE)
        finally:
            if not taken:
                connection.close()
        return connection if taken else None


def _own_connection(engine: Engine) -> Connection:
    """Return a connection on which every statement is a transaction, so that holding it holds up nobody."""
    return engine.connect().execution_options(isolation_level="AUTOCOMMIT")


def _try_lock(connection: Connection, key: int) -> bool:
    return bool(connection.scalar(sql_select(func.pg_try_advisory_lock(key))))
