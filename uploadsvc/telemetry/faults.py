"""The unforeseen, and what the operator must know of: answered as JSON, logged with the reason."""

import logging
import sqlite3

from flask import Flask, Response, g
from sqlalchemy.exc import DBAPIError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from ..errors import Busy, InsufficientStorage, InternalError, StorageFailed, Unavailable, answer

log = logging.getLogger("uploadsvc.request")
_SQLITE_LOCKED = {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED}
# lock not available, serialization failure, deadlock, canceled by somebody or by a timeout
_POSTGRES_LOCKED = {"55P03", "40001", "40P01", "57014"}
# No connection, no resources for one, the server stops or begins; and read only is a copy that has not taken over yet.
_POSTGRES_GONE = ("08", "53", "57P0", "25006")
_POSTGRES_FULL = "53100"


def init_app(app: Flask) -> None:
    """Answer what nobody foresaw, and log what the disk or the database refused."""
    app.register_error_handler(Exception, _unforeseen)
    app.register_error_handler(StorageFailed, _disk_refused)
    app.register_error_handler(Busy, _busy)
    app.register_error_handler(Unavailable, _unavailable)


def _unforeseen(error: Exception) -> Response:
    """Log a fault of ours with its traceback and tell the client its id; a full database is a full disk."""
    if _is_locked(error):
        return _busy(Busy())
    if _is_gone(error):
        unavailable = Unavailable("The database cannot be reached just now. Try again in a few seconds.")
        unavailable.__cause__ = error
        return _unavailable(unavailable)
    log.error("unforeseen", exc_info=error)
    fault = str(error.orig) if isinstance(error, DBAPIError) else ""
    if "disk is full" in fault or _sqlstate(error) == _POSTGRES_FULL:
        return answer(InsufficientStorage("The server's disk is full. Nothing was stored; try again later."))
    if "disk I/O error" in fault:
        return answer(StorageFailed("The server could not write to its disk. Nothing was stored."))
    return answer(InternalError(g.get("request_id", "-")))


def _is_locked(error: Exception) -> bool:
    """Tell whether somebody else held a lock, or every connection, for too long."""
    if not isinstance(error, DBAPIError):
        return isinstance(error, PoolTimeout)
    sqlite = getattr(error.orig, "sqlite_errorcode", 0) & 0xFF  # of an extended code the last byte is the primary one
    return sqlite in _SQLITE_LOCKED or _sqlstate(error) in _POSTGRES_LOCKED


def _is_gone(error: Exception) -> bool:
    """Tell whether the database cannot be reached, or stops, or has no room for one more connection."""
    if not isinstance(error, DBAPIError) or _sqlstate(error) == _POSTGRES_FULL:
        return False
    if error.connection_invalidated or (_sqlstate(error) or "").startswith(_POSTGRES_GONE):
        return True
    is_postgres = hasattr(error.orig, "sqlstate")
    return is_postgres and isinstance(error, OperationalError) and _sqlstate(error) is None  # no server answered


def _sqlstate(error: Exception) -> str | None:
    """Return PostgreSQL's code for an error; None where there is none, as of every error of SQLite's."""
    code: str | None = getattr(getattr(error, "orig", None), "sqlstate", None)
    return code


def _unavailable(error: Unavailable) -> Response:
    """Tell the operator why: what the driver says of the database, which names host and account, and no password.

    A store's client names the file in its sentence, and so only the kind of its error is told.
    """
    cause = error.__cause__
    reason = " ".join(str(cause.orig).split()) if isinstance(cause, DBAPIError) else type(cause or error).__name__
    log.error("unavailable", extra={"reason": reason})
    return answer(error)


def _busy(error: Busy) -> Response:
    log.warning("database_busy")
    return answer(error)


def _disk_refused(error: StorageFailed) -> Response:
    """Tell the operator why; the name of the file is the user's."""
    log.error("storage_failed", extra={"reason": getattr(error.__cause__, "strerror", None)})
    return answer(error)
