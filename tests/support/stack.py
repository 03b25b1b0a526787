"""What a service stands on, looked at beside it: the rows in its database and the files in its storage."""

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from flask import Flask
from sqlalchemy import Connection, NullPool, create_engine, text

from tests.support.engines import Live
from uploadsvc import config
from uploadsvc.extensions import db
from uploadsvc.storage import LocalStorage, Storage, storage_for

Place = Flask | Live


@contextmanager
def tables(place: Place) -> Iterator[Connection]:
    """A transaction of one's own, committed at the end."""
    engine = create_engine(_database_url(place), poolclass=NullPool)
    with engine.begin() as connection:
        yield connection
    engine.dispose()


def rows(place: Place, query: str, **values: Any) -> list[tuple[Any, ...]]:
    """What a query finds."""
    with tables(place) as connection:
        return [tuple(row) for row in connection.execute(text(query), values)]


def everything(place: Place) -> bytes:
    """Every row of every table, as text."""
    with tables(place) as connection:
        found = [connection.execute(text(f"SELECT * FROM {table}")).all() for table in db.metadata.tables]
    return repr(found).encode()


def change(place: Place, statement: str, **values: Any) -> None:
    """Have a statement done, as if by somebody else."""
    with tables(place) as connection:
        connection.execute(text(statement), values)


def storage_of(place: Place) -> Storage:
    """Where the service's files lie."""
    if isinstance(place, Flask):
        storage: Storage = place.extensions["storage"]
        return storage
    settings = config.load(place.environ)
    return storage_for(settings["UPLOADS_DIR"], 0, config.bucket(settings))


def files(place: Place) -> dict[str, int]:
    """The size of every file by its path: of those that are stored, and of those on their way."""
    storage, root = storage_of(place), uploads_dir(place)
    found = {}
    if not isinstance(storage, LocalStorage):
        found = {path: _size(storage, path) for path in storage.paths()}
    for path in root.rglob("*"):
        with suppress(FileNotFoundError):  # gone since it was listed
            if path.is_file():
                found[str(path.relative_to(root))] = path.lstat().st_size
    return found


def uploads_dir(place: Place) -> Path:
    """The folder where files are staged, and where they stay unless a bucket takes them."""
    if isinstance(place, Flask):
        folder: Path = place.config["UPLOADS_DIR"]
        return folder
    return Path(place.environ.get("UPLOADS_DIR", place.instance / "uploads"))


def stored(place: Place) -> list[str]:
    """The paths of the files that are stored, in order."""
    return sorted(path for path in files(place) if not path.startswith("."))


def staged(place: Place) -> list[str]:
    """The paths of the files on their way."""
    return sorted(path for path in files(place) if path.startswith("."))


def content(place: Place, path: str) -> bytes:
    """The bytes of a stored file, by its path or by an answer's `savedTo`."""
    with storage_of(place).open(path.removeprefix("/uploads/")) as file:
        return file.read()


def _size(storage: Storage, path: str) -> int:
    """How many bytes a stored file has, or 0 where somebody has just deleted it."""
    with suppress(FileNotFoundError), storage.open(path) as file:
        return len(file.read())
    return 0


def _database_url(place: Place) -> str:
    if isinstance(place, Flask):
        url: str = place.config["SQLALCHEMY_DATABASE_URI"]
        return url
    return place.environ.get("DATABASE_URL") or f"sqlite:///{place.instance / 'app.db'}"
