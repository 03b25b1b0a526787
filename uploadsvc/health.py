"""Liveness and readiness, for whatever starts, stops or routes to this process."""

import threading
from collections.abc import Callable
from functools import cache, partial
from pathlib import Path
from typing import TypeVar

from alembic.script import ScriptDirectory
from flask import Blueprint, Flask, Response, current_app, jsonify
from sqlalchemy import Connection, Engine, text
from sqlalchemy.exc import SQLAlchemyError

from .errors import ApiError
from .extensions import db
from .storage import Storage

bp = Blueprint("health", __name__)

Answer = TypeVar("Answer")
_PATIENCE = 1.0  # seconds
_ANYTHING = text("SELECT 1")
_VERSION = text("SELECT version_num FROM alembic_version")


def init_app(app: Flask) -> None:
    """Register the checks; the newest schema is read now, not when a load balancer asks."""
    app.extensions["draining"] = threading.Event()
    app.extensions["readiness"] = {"database": Check(), "storage": Check()}
    _heads()
    app.register_blueprint(bp)


def draining(app: Flask) -> threading.Event:
    """Return the event that is set once the server has been asked to stop."""
    event: threading.Event = app.extensions["draining"]
    return event


@bp.get("/healthz")
def healthz() -> Response:
    """Tell that the process answers."""
    return jsonify(ok=True)


@bp.get("/readyz")
def readyz() -> tuple[Response, int]:
    """Tell whether uploads would work: the database answers, its schema is ours, the storage is writable, no stop."""
    storage, engine = current_app.extensions["storage"], db.engine
    checks = current_app.extensions["readiness"]
    database, schema = checks["database"].ask(partial(_database, engine)) or (False, False)
    result = {
        "not_draining": not draining(current_app).is_set(),
        "database": database,
        "schema": schema,
        "storage": checks["storage"].ask(partial(_is_writable, storage)) or False,
    }
    ok = all(result.values())
    return jsonify(ok=ok, checks=result), 200 if ok else 503


class Check:
    """One thing that may hang, asked in a thread of its own; while one hangs no other is begun.

    A lock, a full pool, a network or a dead file server holds whoever asks, and no setting of the database ends all.
    """

    def __init__(self) -> None:
        self._turn = threading.Lock()

    def ask(self, question: Callable[[], Answer]) -> Answer | None:
        """Return what `question` does, or None when its turn or its answer does not come within a second."""
        answers: list[Answer] = []
        if not self._turn.acquire(timeout=_PATIENCE):
            return None

        def run() -> None:
            try:
                answers.append(question())
            finally:
                self._turn.release()

        thread = threading.Thread(target=run, daemon=True, name="readiness")
        thread.start()
        thread.join(_PATIENCE)
        return answers[0] if answers else None


def _database(engine: Engine) -> tuple[bool, bool]:
    """Tell whether the database answers, and whether its schema is ours."""
    try:
        with engine.connect() as connection:
            connection.execute(_ANYTHING)
            return True, _schema_is_current(connection)
    except SQLAlchemyError:
        return False, False


def _schema_is_current(connection: Connection) -> bool:
    try:
        current = connection.scalars(_VERSION).all()
    except SQLAlchemyError:
        return False
    return frozenset(current) == _heads()


@cache
def _heads() -> frozenset[str]:
    """Return the newest schema that this process knows; an upgrade on the disk does not change it."""
    migrations = Path(__file__).resolve().parent.parent / "migrations"
    return frozenset(ScriptDirectory(str(migrations)).get_heads())


def _is_writable(storage: Storage) -> bool:
    try:
        storage.check()
    except (ApiError, OSError):
        return False
    return True
