"""The database: the ORM, and a request's connection for SQL without it."""

from flask import g
from flask_sqlalchemy import SQLAlchemy
from sqlalchemy import MetaData
from sqlalchemy.engine import Connection
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


def connection() -> Connection:
    """Return the connection of this request or command for SQL without the ORM, opened at its first use.

    Whoever commits gives it back with `release_connection`; what is left open goes back with the application context.
    """
    if "connection" not in g:
        g.connection = db.engine.connect()
    opened: Connection = g.connection
    return opened


def release_connection(_error: BaseException | None = None) -> None:
    """Give the request's connections back; what was not committed is rolled back."""
    for name in ("plain", "connection"):
        opened = g.pop(name, None)
        if opened is not None:
            opened.close()
