"""`restore`: a backup into an instance that holds nothing yet."""

from contextlib import ExitStack
from functools import cache
from pathlib import Path

import click
from flask import current_app
from flask.cli import with_appcontext
from sqlalchemy import select

from ..extensions import db
from ..models import Document, User
from ..storage import LocalStorage, Storage, copies
from .instance import locked, one_line_errors, set_up
from .manifest import IDENTITY, SECRET, UPLOADS, Manifest
from .progress import complain, progress
from .snapshot import Snapshot


@click.command("restore")
@click.argument(
    "folder", metavar="DIR", type=click.Path(exists=True, file_okay=False, resolve_path=True, path_type=Path)
)
@click.option("--skip-damaged", is_flag=True, help="Leave out the documents whose bytes are missing or have changed.")
@with_appcontext
def restore(folder: Path, skip_damaged: bool) -> None:
    """Bring the backup in DIR into an instance without accounts and documents.

    Every byte is compared with what was uploaded. All of it is there at the end, or the instance is as empty as it
    was; one that was killed can be repeated.
    """
    set_up()
    with one_line_errors(), locked("migrate.lock"):  # nobody else starts meanwhile
        manifest = Manifest.read(folder)
        if manifest is None:
            raise click.ClickException("There is no finished backup in DIR.")
        _refuse_unless_empty()
        with Snapshot.passing("restore-in-progress.db") as snapshot:
            _restore(folder, manifest, snapshot, skip_damaged)


def _refuse_unless_empty() -> None:
    if db.session.scalar(select(User.id).limit(1)) or db.session.scalar(select(Document.id).limit(1)):
        raise click.ClickException("This instance has accounts already. Restore into a new INSTANCE_PATH.")
    db.session.remove()


def _restore(folder: Path, manifest: Manifest, snapshot: Snapshot, skip_damaged: bool) -> None:
    """Bring back the files, the secret and at last the database, whose rows make all of it count."""
    try:
        snapshot.fetch(folder / manifest.database, manifest.size, manifest.sha256)
    except OSError as error:
        raise click.ClickException(f"The backup's database is damaged: {copies.fault(error)}.") from error
    snapshot.upgrade()
    target: Storage = current_app.extensions["storage"]
    _refuse_strangers(target, snapshot)
    with ExitStack() as undo:
        damaged = _bring_back(LocalStorage(folder / UPLOADS, 0), target, snapshot, undo)
        if damaged and not skip_damaged:
            raise click.ClickException(
                f"{len(damaged)} documents are damaged, so nothing was restored; --skip-damaged leaves them out."
            )
        snapshot.leave_out(damaged)
        target.sync()
        for name in (SECRET, IDENTITY):
            if (folder / name).exists():
                copies.replace(current_app.config["INSTANCE_PATH"] / name, (folder / name).read_bytes())
        undo.pop_all()  # files without rows are harmless, rows without files are not
    snapshot.put_in_place()
    click.echo(f"{snapshot.total()[0]} documents restored, {len(damaged)} left out.")


def _refuse_strangers(target: Storage, snapshot: Snapshot) -> None:
    """Stop at files that the backup does not know: without rows the next sweep would remove them."""
    known = cache(snapshot.paths)
    for path in target.paths():
        if path not in known(int(path.partition("/")[0])):
            place = "AWS_BUCKET" if current_app.config["AWS_BUCKET"] else "UPLOADS_DIR"
            raise click.ClickException(f"{place} holds files that are not in the backup, such as {path}.")


def _bring_back(source: LocalStorage, target: Storage, snapshot: Snapshot, undo: ExitStack) -> list[Document]:
    """Copy every file, compared with what was uploaded; return the documents whose bytes are not that."""
    damaged = []
    with progress("Restoring", snapshot.total()[1]) as advance:
        for document in snapshot.documents():
            undo.callback(target.delete, document.path)
            if fault := _fetch(document, source, target):
                damaged.append(document)
                complain(f"{document.path}: {fault}")
            advance(document.size)
    return damaged


def _fetch(document: Document, source: LocalStorage, target: Storage) -> str | None:
    """Copy the document's file; return what is wrong with it, if anything is."""
    try:
        with source.open(document.path) as file:
            target.put_back(file, document.path, document.size, document.sha256)
    except OSError as error:
        return copies.fault(error)
    return None
