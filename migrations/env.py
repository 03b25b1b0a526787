"""Run migrations on the application's own engine. Flask-Migrate calls this; logging is left as the app set it up."""

from alembic import context
from flask import current_app

extension = current_app.extensions["migrate"]
db = extension.db


def run() -> None:
    """Upgrade or downgrade in one transaction; SQLite alters tables by copying them (batch mode)."""
    with db.engine.connect() as connection:
        context.configure(connection=connection, target_metadata=db.metadata, **extension.configure_args)
        with context.begin_transaction():
            context.run_migrations()


run()
