"""The Flask extensions, unbound, and how each connection to the database behaves."""

import json
import re
import sqlite3
from pathlib import Path
from typing import Any, NoReturn

from flask import Flask
from flask.json.provider import DefaultJSONProvider
from flask_cors import CORS
from flask_jwt_extended import JWTManager
from flask_migrate import Migrate
from flask_sqlalchemy import SQLAlchemy
from sqlalchemy import MetaData, event
from sqlalchemy.engine import Engine
from sqlalchemy.orm import DeclarativeBase


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


db = SQLAlchemy(model_class=Model, session_options={"expire_on_commit": False})
migrate = Migrate(render_as_batch=True)
jwt = JWTManager()
cors = CORS()


class StrictJSON(DefaultJSONProvider):
    """JSON that refuses what neither a database nor a password check can take."""

    sort_keys = False

    def loads(self, s: str | bytes, **kwargs: Any) -> Any:
        """Parse `s`; raise ValueError for NaN, NUL, lone surrogates and nesting beyond the interpreter's depth."""
        try:
            value = super().loads(s, parse_constant=_no_constant, **kwargs)
        except RecursionError as error:
            raise ValueError("nested too deeply") from error
        text = json.dumps(value, ensure_ascii=False)
        if _NUL.search(text):
            raise ValueError("holds a NUL character")
        text.encode()  # a lone surrogate is a UnicodeEncodeError, which is a ValueError
        return value


_NUL = re.compile(r"(?<!\\)(?:\\\\)*\\u0000")  # as json.dumps writes it


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")


def init_app(app: Flask) -> None:
    """Bind the extensions; CORS only where origins are named, for flask-cors would allow any otherwise."""
    app.json = StrictJSON(app)
    db.init_app(app)
    migrate.init_app(app, db, directory=str(Path(app.root_path).parent / "migrations"))
    jwt.init_app(app)
    if app.config["FRONTEND_URL"]:
        cors.init_app(
            app,
            resources=r"/api/.*",
            origins=app.config["FRONTEND_URL"],
            supports_credentials=True,
            always_send=False,
            allow_headers=["Authorization", "X-CSRF-Token", "Idempotency-Key", "Content-Type"],
            expose_headers=["X-Request-ID", "Retry-After", "Content-Disposition"],
            max_age=600,
        )


@event.listens_for(Engine, "connect")
def _sqlite_pragmas(connection: Any, _record: object) -> None:
    """Readers beside one writer (WAL), no commit lost by power failure (FULL), foreign keys, 5 s for a lock."""
    if isinstance(connection, sqlite3.Connection):
        for pragma in ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON", "busy_timeout=5000"):
            connection.execute(f"PRAGMA {pragma}")
