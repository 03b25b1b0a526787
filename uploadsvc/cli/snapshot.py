"""A copy of the database, SQLite's: taken while others write, corrected, brought to today's schema, put in place."""

import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import click
from alembic import command
from alembic.util import CommandError
from flask import current_app
from sqlalchemy import URL, create_engine
from sqlalchemy.orm import Session

from ..extensions import db
from ..models import Document
from ..storage import Staged, copies, sync_directory


class Snapshot:
    """The copy, with an engine of its own."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._engine = create_engine(URL.create("sqlite", database=str(path)))

    @classmethod
    @contextmanager
    def passing(cls, name: str) -> Iterator["Snapshot"]:
        """Lend a copy that lies in the instance folder meanwhile: SQLite's locks and WAL want a local disk."""
        snapshot = cls(current_app.config["INSTANCE_PATH"] / name)
        snapshot._discard()  # a killed one's
        try:
            yield snapshot
        finally:
            snapshot._discard()

    def take(self) -> None:
        """Copy the live database as it is at one moment; those who write meanwhile do not wait (WAL)."""
        with closing(sqlite3.connect(self._path)) as copy, _live() as live:
            live.backup(copy)
            copy.execute("DELETE FROM documents WHERE status = 'pending'")  # whose bytes are on their way
            copy.commit()
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
            return Document.total(session)

    def paths(self, user_id: int) -> set[str]:
        """Return the paths of one account's documents."""
        with closing(sqlite3.connect(f"{self._path.as_uri()}?mode=ro", uri=True)) as copy:
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

    def fetch(self, path: Path, size: int, sha256: str) -> None:
        """Take the copy from a file; raise OSError where its bytes are not those."""
        with path.open("rb") as file:
            copies.copy(file, Staged(self._path), size, sha256)

    def save(self, path: Path) -> tuple[int, str]:
        """Write the copy, at the end, into a new file, durably; return its size in bytes and its SHA-256."""
        self._engine.dispose()
        with closing(sqlite3.connect(self._path)) as copy:
            copy.execute("PRAGMA journal_mode=DELETE")
        with self._path.open("rb") as file, closing(Staged(path)) as staged:
            shutil.copyfileobj(file, staged)
            staged.sync()
        sync_directory(path.parent)
        return staged.size, staged.sha256

    def put_in_place(self) -> None:
        """Let the live database hold what the copy does, in one transaction."""
        with closing(sqlite3.connect(self._path)) as copy, _live() as live:
            copy.backup(live)

    def _discard(self) -> None:
        """Remove the copy and what SQLite left beside it. Idempotent."""
        self._engine.dispose()
        for suffix in ("", "-wal", "-shm", "-journal"):
            Path(f"{self._path}{suffix}").unlink(missing_ok=True)


@contextmanager
def _live() -> Iterator[sqlite3.Connection]:
    """Lend a connection to the live database, outside any transaction."""
    connection = db.engine.raw_connection()
    try:
        driver: Any = connection.driver_connection
        yield driver
    finally:
        connection.close()
