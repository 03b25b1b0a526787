"""Run migrations on the application's own engine. Flask-Migrate calls this; logging is left as the app set it up."""

from collections.abc import Iterator
from contextlib import contextmanager

from alembic import context
from flask import current_app
from sqlalchemy import Connection

extension = current_app.extensions["migrate"]
db = extension.db


def run() -> None:
    """Upgrade or downgrade in one transaction; SQLite alters tables by copying them (batch mode)."""
    with db.engine.connect() as connection, _foreign_keys_off(connection):
        context.configure(connection=connection, target_metadata=db.metadata, **extension.configure_args)
        with context.begin_transaction():
            context.run_migrations()


@contextmanager
def _foreign_keys_off(connection: Connection) -> Iterator[None]:
    """Let a copied table take the place of one that others refer to (sqlite.org/lang_altertable.html §7)."""
    if connection.dialect.name != "sqlite":
        yield
        return
    connection.exec_driver_sql("PRAGMA foreign_keys=OFF")
    connection.rollback()  # ends the transaction that SQLAlchemy counts; the pragma stays
    try:
        yield
        broken = connection.exec_driver_sql("PRAGMA foreign_key_check").all()
        if broken:
            raise RuntimeError(f"rows refer to rows that are not there: {broken[:5]}")
    finally:
        connection.rollback()
        connection.exec_driver_sql("PRAGMA foreign_keys=ON")


run()
