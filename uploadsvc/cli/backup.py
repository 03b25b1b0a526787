"""`backup`: database, files and secret into a folder, while the service runs."""

import math
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import click
from flask import current_app
from flask.cli import with_appcontext

from ..config import own_secret
from ..credentials import new_id
from ..models import Document, now, rfc3339
from ..storage import LocalStorage, Storage, copies, sync_directory
from .instance import locked, one_line_errors, refuse_own_folder, set_up
from .maintenance import is_kept
from .manifest import IDENTITY, SECRET, UPLOADS, Manifest, remove_other_databases
from .progress import complain, progress
from .snapshot import Snapshot

_COUNTS_AS_EMPTY = {f"{IDENTITY}.part", "lost+found"}  # a backup killed at its first step, and a disk of its own


@click.command("backup")
@click.argument("folder", metavar="DIR", type=click.Path(file_okay=False, resolve_path=True, path_type=Path))
@with_appcontext
def backup(folder: Path) -> None:
    """Copy the database, the files and the secret into DIR, while the service runs.

    DIR is new, empty, or an earlier backup of the same instance. That one is brought up to date and stays good until
    the new one is whole, so whatever was killed can be repeated. Files are hard-linked where that can be. Documents
    without their bytes are named and left out, with exit code 1.
    """
    set_up()
    with one_line_errors(), _alone():
        _claim(folder)
        try:
            damaged = _back_up(folder)
        finally:
            remove_other_databases(folder)
    if damaged:
        raise click.ClickException(f"{damaged} documents have lost their bytes and are not in the backup.")


def _back_up(folder: Path) -> int:
    """Copy everything, the database first; return how many documents of the service have lost their bytes."""
    target = LocalStorage(folder / UPLOADS, 0)
    with Snapshot.passing("backup-in-progress.db") as snapshot:
        snapshot.take()
        without, damaged = _gather(snapshot, target)
        snapshot.leave_out(without)
        target.sync()
        count, _ = snapshot.total()
        database = f"app-{new_id()}.db"
        size, sha256 = snapshot.save(folder / database)
        _keep_secret(folder)
        Manifest(database, size, sha256, count, rfc3339(now())).write(folder)
        list(target.sweep(snapshot.paths, older_than=-math.inf))  # what no row names any more
    click.echo(f"{count} documents are in the backup.")
    return damaged


def _gather(snapshot: Snapshot, target: LocalStorage) -> tuple[list[Document], int]:
    """Let every file of the snapshot lie in `target`; return the documents without, and how many were not deleted."""
    without, damaged = [], 0
    with progress("Copying", snapshot.total()[1]) as advance:
        for document in snapshot.documents():
            fault = None if target.size(document.path) == document.size else _fetch(document, target)
            if fault:
                without.append(document)
                if is_kept(document):
                    damaged += 1
                    complain(f"{document.path}: {fault}")
            advance(document.size)
    return without, damaged


def _fetch(document: Document, target: LocalStorage) -> str | None:
    """Link or copy the document's file; return what is wrong with it, if anything is."""
    source: Storage = current_app.extensions["storage"]
    try:
        with source.open(document.path) as file:  # what is deleted from here on can still be copied
            if not source.link(document.path, target, document.size):
                target.put_back(file, document.path, document.size, document.sha256)
    except OSError as error:
        return copies.fault(error)
    return None


def _claim(folder: Path) -> None:
    """Make `folder` this instance's; stop with one line at one that is neither new nor empty nor ours already."""
    refuse_own_folder(folder)
    if not folder.exists():
        folder.mkdir(mode=0o700)
        sync_directory(folder.parent)
    ours = own_secret(current_app.config["INSTANCE_PATH"] / IDENTITY).encode()
    if (folder / IDENTITY).exists():
        if (folder / IDENTITY).read_bytes() != ours:
            raise click.ClickException("DIR holds the backup of another instance.")
    elif {path.name for path in folder.iterdir()} - _COUNTS_AS_EMPTY:
        raise click.ClickException("DIR is neither empty nor a backup of this instance.")
    else:
        copies.replace(folder / IDENTITY, ours)
    with suppress(PermissionError):  # somebody else's mount point, or a disk without modes
        folder.chmod(0o700)


def _keep_secret(folder: Path) -> None:
    """Copy the secret that the instance made; one given by JWT_SECRET is the operator's to keep."""
    secret = current_app.config["INSTANCE_PATH"] / SECRET
    if secret.exists():
        copies.replace(folder / SECRET, secret.read_bytes())
    else:
        (folder / SECRET).unlink(missing_ok=True)


@contextmanager
def _alone() -> Iterator[None]:
    """Let one backup of the instance run at a time."""
    try:
        with locked("backup.lock", wait=False):
            yield
    except BlockingIOError as error:
        raise click.ClickException("Another backup of this instance is running.") from error
