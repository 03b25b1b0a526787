"""The unforeseen, and what the operator must know of: answered as JSON, logged with the reason."""

import logging
import sqlite3

from flask import Flask, Response, g
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from ..errors import Busy, InsufficientStorage, InternalError, StorageFailed, answer

log = logging.getLogger("uploadsvc.request")
_SQLITE_LOCKED = {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED}
_POSTGRES_LOCKED = {"55P03", "40001", "40P01"}  # lock not available, serialization failure, deadlock


def init_app(app: Flask) -> None:
    """Answer what nobody foresaw, and log what the disk or the database refused."""
    app.register_error_handler(Exception, _unforeseen)
    app.register_error_handler(StorageFailed, _disk_refused)
    app.register_error_handler(Busy, _busy)


def _unforeseen(error: Exception) -> Response:
    """Log a fault of ours with its traceback and tell the client its id; a full database is a full disk."""
    if _is_locked(error):
        return _busy(Busy())
    log.error("unforeseen", exc_info=error)
    fault = str(error.orig) if isinstance(error, DBAPIError) else ""
    if "disk is full" in fault:
        return answer(InsufficientStorage("The server's disk is full. Nothing was stored; try again later."))
    if "disk I/O error" in fault:
        return answer(StorageFailed("The server could not write to its disk. Nothing was stored."))
    return answer(InternalError(g.get("request_id", "-")))


def _is_locked(error: Exception) -> bool:
    """Tell whether somebody else held a lock, or every connection, for too long."""
    if not isinstance(error, DBAPIError):
        return isinstance(error, PoolTimeout)
    sqlite = getattr(error.orig, "sqlite_errorcode", 0) & 0xFF  # of an extended code the last byte is the primary one
    return sqlite in _SQLITE_LOCKED or getattr(error.orig, "sqlstate", None) in _POSTGRES_LOCKED


def _busy(error: Busy) -> Response:
    log.warning("database_busy")
    return answer(error)


def _disk_refused(error: StorageFailed) -> Response:
    """Tell the operator why; the name of the file is the user's."""
    log.error("storage_failed", extra={"reason": getattr(error.__cause__, "strerror", None)})
    return answer(error)
