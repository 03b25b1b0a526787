"""The Flask extensions, unbound, and how each connection to the database behaves."""

import json
import os
import re
import sqlite3
import threading
import time
from contextlib import suppress
from itertools import accumulate
from pathlib import Path
from typing import Any, NoReturn

from flask import Flask, Response, g, request
from flask.json.provider import DefaultJSONProvider
from flask_cors import CORS
from flask_jwt_extended import JWTManager
from flask_migrate import Migrate
from flask_sqlalchemy import SQLAlchemy
from jwt import DecodeError
from jwt.utils import base64url_decode
from sqlalchemy import MetaData, event
from sqlalchemy.engine import Connection, Engine
from sqlalchemy.orm import DeclarativeBase

from .errors import Busy

_SOON = 1.0  # seconds: once a writer has waited that long, the next one is told so at once
_PATIENCE = 4.0  # seconds for one's turn; below busy_timeout, so that a turn is not begun just to be given up
_WRITES = {"INSERT", "UPDATE", "DELETE"}  # what makes sqlite3 begin a transaction


class Model(DeclarativeBase):
    """The declarative base; named constraints let a migration change them on any engine."""

    metadata = MetaData(
        naming_convention={
            "ix": "ix_%(table_name)s_%(column_0_N_name)s",
            "uq": "uq_%(table_name)s_%(column_0_N_name)s",
            "fk": "fk_%(table_name)s_%(column_0_name)s_%(referred_table_name)s",
            "pk": "pk_%(table_name)s",
        }
    )


class BoundedTokens(JWTManager):
    """Refuses a token that cannot be ours before PyJWT parses it, wherever it came from.

    How deep PyJWT can read depends on the interpreter's version and stack; this bound does not.
    """

    def _decode_jwt_from_config(self, encoded_token: str, *args: Any, **options: Any) -> dict[str, Any]:
        # The one method of the library that every token passes: header, cookie and body.
        if len(encoded_token) > _MAX_TOKEN or max(map(_brackets, encoded_token.split(".")[:2])) > _MAX_BRACKETS:
            raise DecodeError("longer or more nested than any of ours")
        claims: dict[str, Any] = super()._decode_jwt_from_config(encoded_token, *args, **options)
        return claims


_MAX_TOKEN = 4096  # characters, as many as a cookie may have; ours have about 400
_MAX_BRACKETS = 8  # in a token's header or its claims, so nesting is no deeper; ours have one


def _brackets(segment: str) -> int:
    """Count the brackets that open in a token's segment; PyJWT itself refuses what is no base64."""
    try:
        text = base64url_decode(segment)
    except ValueError:
        return 0
    return text.count(b"[") + text.count(b"{")


db = SQLAlchemy(model_class=Model, session_options={"expire_on_commit": False})
migrate = Migrate(render_as_batch=True)
jwt = BoundedTokens()
cors = CORS()


class StrictJSON(DefaultJSONProvider):
    """JSON that refuses what neither a database nor a password check can take."""

    sort_keys = False

    def loads(self, s: str | bytes, **kwargs: Any) -> Any:
        """Parse `s`, UTF-8 if bytes (RFC 8259 §8.1); raise ValueError for NaN, NUL, lone surrogates, deep nesting."""
        text = s if isinstance(s, str) else s.decode("utf-8-sig")
        if _depth(text) > _MAX_DEPTH:
            raise ValueError("nested too deeply")
        value = super().loads(text, parse_constant=_no_constant, **kwargs)
        again = json.dumps(value, ensure_ascii=False)
        if _NUL.search(again):
            raise ValueError("holds a NUL character")
        again.encode()  # a lone surrogate is a UnicodeEncodeError, which is a ValueError
        return value


_MAX_DEPTH = 32  # of lists and objects; our own bodies need 3. The interpreter's depth differs from version to version
_STRING = re.compile(r'"(?:[^"\\]|\\.)*+"?', re.DOTALL)  # one without an end takes all, so that time is linear
_NUL = re.compile(r"(?<!\\)(?:\\\\)*\\u0000")  # as json.dumps writes it


def _depth(text: str) -> int:
    """Return how deep lists and objects are nested, brackets in strings left out."""
    brackets = re.findall(r"[\[\]{}]", _STRING.sub("", text))
    return max(accumulate((1 if bracket in "[{" else -1 for bracket in brackets), initial=0))


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")


def init_app(app: Flask) -> None:
    """Bind the extensions; CORS only where origins are named, for flask-cors would allow any otherwise."""
    app.json = StrictJSON(app)
    db.init_app(app)
    with app.app_context():
        _guard_sqlite(db.engine, app.config["THREADS"])
    app.teardown_appcontext(release_connection)
    migrate.init_app(app, db, directory=str(Path(app.root_path).parent / "migrations"))
    jwt.init_app(app)
    if app.config["FRONTEND_URL"]:
        cors.init_app(
            app,
            resources=r"/api/.*",
            origins=app.config["FRONTEND_URL"],
            supports_credentials=True,
            always_send=False,
            vary_header=False,  # it adds the header only where it allows an origin
            allow_headers=["Authorization", "X-CSRF-Token", "Idempotency-Key", "Content-Type"],
            expose_headers=["X-Request-ID", "Retry-After", "Content-Disposition"],
            max_age=600,
        )
        app.after_request(_vary_by_origin)


def _vary_by_origin(response: Response) -> Response:
    """Keep a cache from giving one origin's answer to another, refusals and preflights too (Fetch §CORS protocol)."""
    if request.path.startswith("/api/"):
        response.vary.add("Origin")
    return response


def connection() -> Connection:
    """Return the connection of this request or command for plain SQL, opened at its first use.

    An upload asks two statements, and an ORM session around them costs more than both. Whoever commits gives the
    connection back with `release_connection`; what is left open goes back with the application context.
    """
    if "connection" not in g:
        g.connection = db.engine.connect()
    opened: Connection = g.connection
    return opened


def release_connection(_error: BaseException | None = None) -> None:
    """Give the connection back; what was not committed is rolled back."""
    opened = g.pop("connection", None)
    if opened is not None:
        opened.close()


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


def _guard_sqlite(engine: Engine, threads: int) -> None:
    """Make a new database's file private, and let each transaction that writes pass the gate until it is over."""
    if engine.dialect.name != "sqlite":
        return
    gate = WriteGate(threads)

    def create(_dialect: object, _record: object, arguments: list[str], _options: object) -> None:
        with suppress(OSError):  # it is there; or SQLite says better what is wrong. Its -wal and -shm get the same mode
            os.close(os.open(arguments[0], os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))

    def enter(connection: Any, _cursor: object, statement: str, *_: object) -> None:
        if statement[:6].upper() in _WRITES and "writes" not in connection.connection.record_info:
            gate.enter()
            connection.connection.record_info["writes"] = True

    def leave(connection: Any, record: Any) -> None:
        if connection is not None:
            connection.rollback()  # SQLAlchemy does not after a COMMIT that failed, and SQLite may still be in it
        if record.record_info.pop("writes", False):
            gate.leave()

    event.listen(engine, "do_connect", create)
    event.listen(engine, "before_cursor_execute", enter)
    event.listen(engine, "checkin", leave)  # after commit, rollback or a lost connection: the session gives it back


@event.listens_for(Engine, "connect")
def _sqlite_pragmas(connection: Any, _record: object) -> None:
    """Readers beside one writer (WAL), no commit lost by power failure (FULL), foreign keys, 5 s for a lock."""
    if isinstance(connection, sqlite3.Connection):
        for pragma in ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON", "busy_timeout=5000"):
            connection.execute(f"PRAGMA {pragma}")
