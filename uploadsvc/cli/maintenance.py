"""`sweep` and `verify`: leftovers removed, and every row compared with its bytes."""

import hashlib
import logging
import time
from collections.abc import Iterator

import click
from flask import Flask, current_app
from flask.cli import with_appcontext
from sqlalchemy import delete, select

from ..extensions import db
from ..models import Document, Session, now
from ..server.deadlines import FLOOR
from ..uploads import upload_limits
from .instance import set_up

log = logging.getLogger("uploadsvc.cli")

_SWEEP_EVERY = 3600  # seconds


@click.command("sweep")
@click.option(
    "--older-than", type=click.IntRange(0), help="Seconds since the last write (default: two longest uploads)."
)
@with_appcontext
def sweep(older_than: int | None) -> None:
    """Remove leftovers of uploads that never finished, and sessions that are over."""
    set_up()
    for path in _sweep(older_than):
        click.echo(f"Removed {path}")


@click.command("verify")
@with_appcontext
def verify() -> None:
    """Compare every row with its bytes; exit 1 when any are missing or changed."""
    set_up()
    checked = damaged = 0
    query = select(Document).order_by(Document.id).execution_options(yield_per=500)
    for document in db.session.scalars(query):
        checked += 1
        if fault := _fault(document):
            damaged += 1
            click.echo(f"{document.path}: {fault}", err=True)
    click.echo(f"{checked} documents, {damaged} damaged.")
    if damaged:
        raise SystemExit(1)


def _sweep(older_than: float | None) -> Iterator[str]:
    """Remove what no upload can still be writing, and sessions past their end; yield the paths removed."""
    if older_than is None:
        limits = upload_limits(current_app.config)
        older_than = max(3600, 2 * limits.request_bytes / FLOOR)
    db.session.execute(delete(Session).where(Session.expires_at < now()))
    db.session.commit()

    def known(user_id: int) -> set[str]:
        db.session.rollback()  # see what was committed since
        return set(db.session.scalars(select(Document.path).where(Document.user_id == user_id)))

    for path in current_app.extensions["storage"].sweep(known, older_than):
        log.warning("leftover_removed", extra={"path": path.split("-")[0]})
        yield path


def sweep_hourly(app: Flask) -> None:
    """Sweep now and every hour; a failure is logged and the next hour is tried."""
    while True:
        with app.app_context():
            try:
                list(_sweep(None))
            except Exception:
                log.exception("sweep_failed")
        time.sleep(_SWEEP_EVERY)


def _fault(document: Document) -> str | None:
    """Return what is wrong with the document's bytes, if anything is."""
    try:
        with current_app.extensions["storage"].open(document.path) as file:
            found = hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        return error.strerror
    return None if found == document.sha256 else "the bytes have changed"
