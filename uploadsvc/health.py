"""Liveness and readiness, for whatever starts, stops or routes to this process."""

import threading
from functools import cache
from pathlib import Path

from alembic.script import ScriptDirectory
from flask import Blueprint, Flask, Response, current_app, jsonify
from sqlalchemy import text
from sqlalchemy.exc import SQLAlchemyError

from .errors import ApiError
from .extensions import db

bp = Blueprint("health", __name__)


def init_app(app: Flask) -> None:
    """Register the checks; the newest schema is read now, not when a load balancer asks."""
    app.extensions["draining"] = threading.Event()
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
