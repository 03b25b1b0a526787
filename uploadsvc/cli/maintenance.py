"""`sweep` and `verify`: leftovers removed, and every row compared with its bytes."""

import logging
import time
from collections.abc import Iterator
from datetime import timedelta

import click
from flask import current_app
from flask.cli import with_appcontext
from sqlalchemy import delete, select

from ..extensions import db
from ..models import Document, Session, now, registration
from ..server.deadlines import FLOOR
from ..storage import copies
from ..uploads import upload_limits
from .instance import one_line_errors, set_up
from .progress import complain, progress

log = logging.getLogger("uploadsvc.cli")

_LONG_AGO = 10**9  # seconds: a time that every database can hold


@click.command("sweep")
@click.option(
    "--older-than", type=click.IntRange(0), help="Seconds since the last write (default: two longest uploads)."
)
@with_appcontext
def sweep(older_than: int | None) -> None:
    """Remove leftovers of uploads that never finished, and sessions that are over."""
    set_up()
    with one_line_errors():
        for path in swept(older_than):
            click.echo(f"Removed {path}")


@click.command("verify")
@with_appcontext
def verify() -> None:
    """Compare every row with its bytes, and what is counted with what there is; exit 1 when anything is wrong."""
    set_up()
    checked = damaged = 0
    with one_line_errors(), progress("Verifying", Document.total(db.session())[1]) as advance:
        for document, fault in verified():
            checked += 1
            if fault:
                damaged += 1
                complain(f"{document.path}: {fault}")
            advance(document.size)
    miscounted = Document.miscounted()
    for user_id, what, counted, kept in miscounted:
        there = "its documents have" if what == "bytes" else "there are"
        complain(f"Account {user_id}: {counted} {what} are counted as used, but {there} {kept}")
    beyond = Document.beyond_requests()
    for request_id, counted, kept in beyond:
        complain(f"Request {request_id}: {counted} files are counted as received, but there are {kept}")
    click.echo(f"{checked} documents, {damaged} damaged.")
    if damaged or miscounted or beyond:
        raise SystemExit(1)


def swept(older_than: float | None = None) -> Iterator[str]:
    """Remove what no upload can still be writing, and sessions past their end; yield the paths removed."""
    older_than = _long_enough() if older_than is None else older_than
    db.session.execute(delete(Session).where(Session.expires_at < now()))
    db.session.commit()

    registration.forget_announced(now() - timedelta(seconds=min(older_than, _LONG_AGO)))  # their bytes are leftovers

    def known(user_id: int) -> Iterator[str]:
        db.session.rollback()  # see what was committed since
        paths = select(Document.path).where(Document.user_id == user_id)
        paths = paths.order_by(Document.id)  # as they lie in the table: any other order takes ten times as long
        try:
            for (path,) in db.session.connection().execute(paths, execution_options={"yield_per": 10_000}):
                yield path
        finally:
            db.session.rollback()  # to remove files may take long, and PostgreSQL ends transactions that idle

    yield from _told(current_app.extensions["storage"].sweep(known, older_than))


def swept_staging() -> Iterator[str]:
    """Remove what uploads to this machine have left in its staging folder; yield the paths removed."""
    yield from _told(current_app.extensions["storage"].sweep_staging(_long_enough()))


def _told(removed: Iterator[str]) -> Iterator[str]:
    for path in removed:
        log.warning("leftover_removed", extra={"path": nameless(path)})
        yield path


def _long_enough() -> float:
    """Return the seconds after which no upload can still be writing a file: what two of the longest take."""
    limits = upload_limits(current_app.config)
    return max(3600, 2 * limits.request_bytes / FLOOR)


def verified(gently: bool = False) -> Iterator[tuple[Document, str | None]]:
    """Yield every document and what is wrong with its bytes, if anything is; `gently` leaves the disk half its time."""
    for document in Document.in_order(db.session()):
        began = time.monotonic()
        fault = _fault(document)
        took = time.monotonic() - began
        if not fault or is_kept(document):
            yield document, fault
        if gently:
            time.sleep(took)


def is_kept(document: Document) -> bool:
    """Tell whether the document has not been deleted since it was read."""
    found = db.session.scalar(select(Document.id).where(Document.public_id == document.public_id))
    db.session.rollback()  # holds nothing open until the next one
    return found is not None


def nameless(path: str) -> str:
    """Return a stored path without the name in it, which is the user's."""
    return path.partition("-")[0]


def _fault(document: Document) -> str | None:
    try:
        with current_app.extensions["storage"].open(document.path) as file:
            copies.check(file, document.size, document.sha256)
    except OSError as error:
        return copies.fault(error)
    return None
