"""What the operator sees: request ids, one log line a request, security events, liveness and readiness."""

import json
import logging
import re
import sqlite3
import threading
import time
import uuid
from contextvars import ContextVar
from functools import cache
from pathlib import Path
from typing import Any

from alembic.script import ScriptDirectory
from flask import Blueprint, Flask, Response, current_app, g, jsonify, request
from pythonjsonlogger.json import JsonFormatter
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError, SQLAlchemyError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from .errors import ApiError, Busy, InsufficientStorage, InternalError, StorageFailed, answer
from .extensions import db

bp = Blueprint("health", __name__)
log = logging.getLogger("uploadsvc.request")
BYTES_IN = "uploadsvc.bytes_in"  # in the WSGI environment, from a server that counts
_request_id: ContextVar[str] = ContextVar("request_id", default="-")
_GIVEN_ID = re.compile(r"[A-Za-z0-9._-]{8,64}")
_SQLITE_LOCKED = {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED}
_POSTGRES_LOCKED = {"55P03", "40001", "40P01"}  # lock not available, serialization failure, deadlock
_METHODS = {"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"}


def init_app(app: Flask) -> None:
    """Number and log every request, answer what nobody foresaw, and register the health checks."""
    _configure_logging(app.config["LOG_LEVEL"], app.config["LOG_FORMAT"])
    app.extensions["draining"] = threading.Event()
    _heads()  # read now, not when a load balancer asks
    app.before_request(_begin)
    app.after_request(_end)
    app.register_error_handler(Exception, _unforeseen)
    app.register_error_handler(StorageFailed, _disk_refused)
    app.register_error_handler(Busy, _busy)
    app.register_blueprint(bp)


def _begin() -> None:
    given = request.headers.get("X-Request-ID", "")
    trusted = bool(current_app.config["TRUSTED_PROXY"]) and _GIVEN_ID.fullmatch(given)
    g.request_id = given if trusted else uuid.uuid4().hex
    g.started = time.perf_counter()
    _request_id.set(g.request_id)


def _end(response: Response) -> Response:
    """Log the request: no names, no tokens, no query, and the route instead of the path."""
    response.headers["X-Request-ID"] = g.request_id
    log.info(
        "request",
        extra={
            "method": request.method if request.method in _METHODS else "OTHER",
            "route": request.url_rule.rule if request.url_rule else "unmatched",
            "status": response.status_code,
            "duration_ms": round((time.perf_counter() - g.started) * 1000, 1),
            "bytes_in": request.environ.get(BYTES_IN, request.content_length or 0),
            "user_id": g.get("user_id"),
            "remote_addr": request.remote_addr,
        },
    )
    return response


def outside_app(method: str, status: int, remote_addr: str, **fields: Any) -> str:
    """Log a request that ended before it reached the application; return the id to answer it with."""
    request_id = uuid.uuid4().hex
    fields = {"method": method if method in _METHODS else "OTHER", "route": "unmatched", "status": status} | fields
    log.info("request", extra=fields | {"remote_addr": remote_addr, "request_id": request_id})
    return request_id


def draining(app: Flask) -> threading.Event:
    """Return the event that is set once the server has been asked to stop."""
    event: threading.Event = app.extensions["draining"]
    return event


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


@bp.get("/healthz")
def healthz() -> Response:
    """Tell that the process answers."""
    return jsonify(ok=True)


@bp.get("/readyz")
def readyz() -> tuple[Response, int]:
    """Tell whether uploads would work: the database answers, its schema is ours, the storage is writable, no stop."""
    result = {
        "not_draining": not draining(current_app).is_set(),
        "database": _database_answers(),
        "schema": _schema_is_current(),
        "storage": _storage_writable(),
    }
    ok = all(result.values())
    return jsonify(ok=ok, checks=result), 200 if ok else 503


def _database_answers() -> bool:
    try:
        db.session.execute(text("SELECT 1"))
    except SQLAlchemyError:
        return False
    return True


def _schema_is_current() -> bool:
    try:
        current = db.session.scalars(text("SELECT version_num FROM alembic_version")).all()
    except SQLAlchemyError:
        return False
    return frozenset(current) == _heads()


@cache
def _heads() -> frozenset[str]:
    """Return the newest schema that this process knows; an upgrade on the disk does not change it."""
    migrations = Path(__file__).resolve().parent.parent / "migrations"
    return frozenset(ScriptDirectory(str(migrations)).get_heads())


def _storage_writable() -> bool:
    try:
        current_app.extensions["storage"].check()
    except (ApiError, OSError):
        return False
    return True


def _with_request_id(record: logging.LogRecord) -> bool:
    if not hasattr(record, "request_id"):
        record.request_id = _request_id.get()
    return True


def _configure_logging(level: str, style: str) -> None:
    """Send every logger to standard error, once, whoever configured what before."""
    handler = logging.StreamHandler()
    handler.addFilter(_with_request_id)
    handler.setFormatter(_JsonLines() if style == "json" else _TextLines())
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level)
    logging.getLogger("alembic").setLevel("WARNING")
    logging.getLogger("waitress.queue").setLevel("ERROR")  # it warns whenever all threads are busy


class _JsonLines(JsonFormatter):
    def __init__(self) -> None:
        super().__init__(
            "{asctime}{levelname}{name}{message}{request_id}",
            style="{",
            rename_fields={"asctime": "ts", "levelname": "level", "name": "logger"},
        )
        self.converter = time.gmtime
        self.default_time_format, self.default_msec_format = "%Y-%m-%dT%H:%M:%S", "%s.%03dZ"


_STANDARD = set(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}


class _TextLines(logging.Formatter):
    """One line a record, whatever strangers put into it; only the lines of a traceback follow it, indented."""

    def format(self, record: logging.LogRecord) -> str:
        extra = [f"{key}={_value(value)}" for key, value in vars(record).items() if key not in _STANDARD]
        line = " ".join([self.formatTime(record), record.levelname, record.getMessage(), *extra])
        trace = self.formatException(record.exc_info) if record.exc_info else ""
        stack = self.formatStack(record.stack_info) if record.stack_info else ""
        following = [f"    {part}" for part in f"{trace}\n{stack}".split("\n") if part]
        return "\n".join(_printable(part) for part in [line, *following])


def _value(value: Any) -> str:
    """Return a value that neither ends early nor looks like the next one."""
    shown = str(value)
    return json.dumps(shown, ensure_ascii=False) if re.search(r'[\s="]', shown) else shown


def _printable(line: str) -> str:
    """Return `line` with line ends, terminal and bidi controls and lone surrogates as escapes (CWE-117)."""
    if line.isprintable():
        return line
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in line)
