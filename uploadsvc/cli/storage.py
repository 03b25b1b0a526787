"""`storage copy`: the documents' bytes from the folder to the bucket or back, while the service runs."""

from collections import Counter

import click
from flask import current_app
from flask.cli import AppGroup

from .. import config
from ..extensions import db
from ..models import Document
from ..storage import LocalStorage, Storage, copies, storage_for
from .instance import one_line_errors, set_up
from .maintenance import is_kept
from .outcomes import COPIED, DAMAGED, DELETED, THERE
from .progress import complain, progress

storage = AppGroup("storage", help="Move between a folder and a bucket.")


@storage.command("copy")
@click.option("--to", "kind", type=click.Choice(["s3", "local"]), required=True, help="Where the bytes shall lie too.")
def copy(kind: str) -> None:
    """Copy every document's bytes from the folder into the bucket of AWS_BUCKET, or back.

    The service may run meanwhile. Copy, restart it with or without AWS_BUCKET, and copy again: that brings what
    arrived in between. What is there already is skipped, so a copy that was killed can be repeated. Every byte is
    compared with what was uploaded; what has changed is named, with exit code 1. Nothing is deleted where it came from.
    """
    set_up()
    done: Counter[str] = Counter()
    size = 0
    with one_line_errors():
        source, target = _places(kind)
        with progress("Copying", Document.total(db.session())[1]) as advance:
            for document in Document.in_order(db.session()):
                outcome = _copy(document, source, target)
                done[outcome] += 1
                size += document.size if outcome == COPIED else 0
                advance(document.size)
        target.sync()
    damaged = f", {done[DAMAGED]} are damaged" if done[DAMAGED] else ""
    click.echo(f"{done[COPIED]} documents copied ({_megabytes(size)}), {done[THERE]} were there already{damaged}.")
    if done[DAMAGED]:
        raise SystemExit(1)


def _places(kind: str) -> tuple[Storage, Storage]:
    """Return where the bytes come from, and where they go; stop with one line without a bucket."""
    bucket = config.bucket(current_app.config)
    if bucket is None:
        raise click.ClickException("Set AWS_BUCKET for this command, whether the service has it or not.")
    root, free = current_app.config["UPLOADS_DIR"], current_app.config["MIN_FREE_BYTES"]
    folder, store = LocalStorage(root, free), storage_for(root, free, bucket)
    store.check()
    return (folder, store) if kind == "s3" else (store, folder)


def _copy(document: Document, source: Storage, target: Storage) -> str:
    """Copy one document's bytes; return what became of it."""
    if target.holds(document.path, document.size, document.sha256):
        return THERE
    try:
        with source.open(document.path) as file:
            target.put_back(file, document.path, document.size, document.sha256)
    except OSError as error:
        if not is_kept(document):
            return DELETED
        complain(f"{document.path}: {copies.fault(error)}")
        return DAMAGED
    if not is_kept(document):  # deleted while it was copied
        target.delete(document.path)
        return DELETED
    return COPIED


def _megabytes(size: int) -> str:
    return f"{round(size / 1_000_000)} MB"
