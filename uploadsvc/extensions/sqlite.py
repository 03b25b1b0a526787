"""How each connection to SQLite behaves: pragmas, one writer at a time, a private file."""

import os
import sqlite3
import threading
import time
from contextlib import suppress
from typing import Any

from sqlalchemy import event
from sqlalchemy.engine import Engine

from ..errors import Busy

_SOON = 1.0  # seconds: once a writer has waited that long, the next one is told so at once
_PATIENCE = 4.0  # seconds for one's turn; below busy_timeout, so that a turn is not begun just to be given up
_WRITING = "writing"  # in the connection's record
_WRITES = {"INSERT", "UPDATE", "DELETE"}  # what makes sqlite3 begin a transaction


class WriteGate:
    """Lets the threads of this process write one after the other, and always leaves one of them to those who read.

    SQLite has one writer anyway; here the others wait in line instead of asking again and again. When the lock is held
    by another process, all but one of the threads wait for it, and whoever comes then is refused.
    """

    def __init__(self, threads: int) -> None:
        self._places = threading.Semaphore(threads - 1)
        self._turn = threading.Lock()
        self._since = float("inf")  # when the one who writes now came

    def enter(self) -> None:
        """Wait for one's turn; raise Busy when it does not come."""
        came = time.monotonic()
        soon = min(_SOON, max(0, self._since + _SOON - came))
        if not self._places.acquire(timeout=soon):
            raise Busy
        if not self._turn.acquire(timeout=_PATIENCE):
            self._places.release()
            raise Busy
        self._since = came

    def leave(self) -> None:
        """Let the next one write."""
        self._since = float("inf")
        self._turn.release()
        self._places.release()


def guard(engine: Engine, threads: int) -> WriteGate | None:
    """Make a new database's file private, and let each transaction that writes pass the gate, which is returned."""
    if engine.dialect.name != "sqlite":
        return None
    gate = WriteGate(threads)

    def create(_dialect: object, _record: object, arguments: list[str], _options: object) -> None:
        with suppress(OSError):  # it is there; or SQLite says better what is wrong. Its -wal and -shm get the same mode
            os.close(os.open(arguments[0], os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))

    def enter(connection: Any, _cursor: object, statement: str, *_: object) -> None:
        if statement[:6].upper() in _WRITES:
            take_turn(gate, connection.connection.record_info)

    def leave(connection: Any, record: Any) -> None:
        if connection is not None:
            connection.rollback()  # SQLAlchemy does not after a COMMIT that failed, and SQLite may still be in it
        if record.record_info.pop(_WRITING, False):
            gate.leave()

    event.listen(engine, "do_connect", create)
    event.listen(engine, "before_cursor_execute", enter)
    event.listen(engine, "checkin", leave)  # after commit, rollback or a lost connection: the session gives it back
    return gate


def take_turn(gate: WriteGate, info: dict[Any, Any]) -> None:
    """Pass the gate before a transaction's first write; `info` is that of the connection's record in the pool."""
    if _WRITING not in info:
        gate.enter()
        info[_WRITING] = True


@event.listens_for(Engine, "connect")
def _sqlite_pragmas(connection: Any, _record: object) -> None:
    """Readers beside one writer (WAL), no commit lost by power failure (FULL), foreign keys, 5 s for a lock."""
    if isinstance(connection, sqlite3.Connection):
        for pragma in ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON", "busy_timeout=5000"):
            connection.execute(f"PRAGMA {pragma}")
