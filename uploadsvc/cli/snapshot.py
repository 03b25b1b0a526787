"""A copy of the database, SQLite's: taken while others write, corrected, brought to today's schema, put in place."""

import hashlib
import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import click
from alembic import command
from alembic.util import CommandError
from flask import current_app
from sqlalchemy import URL, create_engine, func, select
from sqlalchemy.orm import Session

from ..extensions import db
from ..models import Document


class Snapshot:
    """The copy in the file `path`, with an engine of its own until it is sealed."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._engine = create_engine(URL.create("sqlite", database=str(path)))

    def __enter__(self) -> "Snapshot":
        return self

    def __exit__(self, *_: object) -> None:
        self._engine.dispose()

    def take(self) -> None:
        """Copy the live database as it is at one moment; those who write meanwhile do not wait (WAL)."""
        with closing(sqlite3.connect(self.path)) as copy, _live() as live:
            live.backup(copy)
            [found] = copy.execute("PRAGMA integrity_check(1)").fetchone()
        if found != "ok":
            raise click.ClickException(f"The database is damaged: {found}")

    def documents(self) -> Iterator[Document]:
        """Yield every document, oldest first."""
        with Session(self._engine) as session:
            yield from Document.in_order(session)

    def total(self) -> tuple[int, int]:
        """Return the number of documents and of their bytes."""
        with Session(self._engine) as session:
            count, size = session.execute(select(func.count(), func.sum(Document.size)).select_from(Document)).one()
            return count, size or 0

    def paths(self, user_id: int) -> set[str]:
        """Return the paths of one account's documents; nothing is written, also where the copy is sealed."""
        with closing(sqlite3.connect(f"{self.path.as_uri()}?mode=ro", uri=True)) as copy:
            return {path for (path,) in copy.execute("SELECT path FROM documents WHERE user_id = ?", (user_id,))}

    def leave_out(self, documents: list[Document]) -> None:
        """Delete the rows of documents whose bytes are not there, as the service would."""
        with Session(self._engine) as session:
            for document in documents:
                document.delete(session)

    def upgrade(self) -> None:
        """Bring the copy to today's schema; stop with one line where that cannot be, as of a later one."""
        config = current_app.extensions["migrate"].migrate.get_config()
        config.attributes["engine"] = self._engine
        try:
            command.upgrade(config, "head")
        except (CommandError, RuntimeError) as error:
            raise click.ClickException(
                f"This version cannot use the backup's database, is it a newer one's? {error}"
            ) from error

    def seal(self) -> tuple[int, str]:
        """Make the copy one file, on the disk, to be changed no more; return its size in bytes and its SHA-256."""
        self._engine.dispose()
        with closing(sqlite3.connect(self.path)) as copy:
            copy.execute("PRAGMA journal_mode=DELETE")
        with self.path.open("rb") as file:
            os.fsync(file.fileno())
            return self.path.stat().st_size, hashlib.file_digest(file, "sha256").hexdigest()

    def put_in_place(self) -> None:
        """Let the live database hold what the copy does, in one transaction."""
        with closing(sqlite3.connect(self.path)) as copy, _live() as live:
            copy.backup(live)

    def discard(self) -> None:
        """Remove the copy and what SQLite left beside it. Idempotent."""
        self._engine.dispose()
        for file in self.path.parent.glob(f"{self.path.name}*"):
            file.unlink(missing_ok=True)


@contextmanager
def _live() -> Iterator[sqlite3.Connection]:
    """Lend a connection to the live database, outside any transaction."""
    connection = db.engine.raw_connection()
    try:
        driver: Any = connection.driver_connection
        yield driver
    finally:
        connection.close()
