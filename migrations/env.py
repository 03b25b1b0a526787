"""Run migrations on the application's own engine, or on one that is given; logging is left as the app set it up."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from alembic import context
from alembic.runtime.migration import MigrationContext
from flask import current_app
from sqlalchemy import Connection

from uploadsvc.extensions import postgres

extension = current_app.extensions["migrate"]
db = extension.db


def run() -> None:
    """Upgrade or downgrade in one transaction; SQLite alters tables by copying them (batch mode).

    On PostgreSQL one process does it at a time; on SQLite, whose file is one machine's, whoever calls sees to that.
    """
    engine = context.config.attributes.get("engine") or db.engine  # that of a backup's copy, or the application's
    options = {"target_metadata": db.metadata, "transactional_ddl": True, "on_version_apply": _check_references}
    with postgres.alone(engine), engine.connect() as connection, _foreign_keys_off(connection):
        context.configure(connection=connection, **options, **extension.configure_args)
        with context.begin_transaction():
            if connection.dialect.name == "sqlite":
                # Python's sqlite3 begins at the first row written: a crash would leave the copies of tables behind,
                # and every later start would stumble over them.
                connection.exec_driver_sql("BEGIN")
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
    finally:
        connection.rollback()
        connection.exec_driver_sql("PRAGMA foreign_keys=ON")


def _check_references(ctx: MigrationContext, **_: Any) -> None:
    """Undo a migration that left rows without what they refer to."""
    if ctx.connection is None or ctx.connection.dialect.name != "sqlite":
        return
    broken = ctx.connection.exec_driver_sql("PRAGMA foreign_key_check").all()
    if broken:
        raise RuntimeError(f"rows refer to rows that are not there: {broken[:5]}")


run()
