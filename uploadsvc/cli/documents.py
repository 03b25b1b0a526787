"""`documents …`: who uploaded what, and the files with their true names for whoever must hand them on."""

import os
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from functools import cache
from itertools import count
from pathlib import Path

import click
from flask import current_app
from flask.cli import AppGroup
from sqlalchemy import select

from ..credentials import is_id
from ..extensions import db
from ..filetypes import safe_name
from ..models import Document, FileRequest, User, rfc3339
from ..storage import Staged, copies, disk_errors
from ..telemetry.logs import printable
from .instance import existing_user, one_line_errors, refuse_own_folder, set_up
from .maintenance import is_kept
from .outcomes import COPIED, DAMAGED, DELETED, THERE
from .progress import complain

documents = AppGroup("documents", help="List and export what was uploaded.")

_user_option = click.option("--user", "email", metavar="EMAIL", help="Only the documents of this account.")
_request_option = click.option(
    "--request", "request_id", metavar="ID", help="Only what came by this file request, an id of `requests list`."
)


@documents.command("list")
@_user_option
@_request_option
def list_documents(email: str | None, request_id: str | None) -> None:
    """List the documents, newest last: id, time of the upload, bytes, owner and name, separated by tabs.

    Of what came by a file request its title follows, and what the visitor called himself.
    """
    set_up()
    with one_line_errors():
        chosen = _chosen(email, request_id=request_id)
    owner_of = _owners()
    for document in chosen:
        told = (document.public_id, rfc3339(_time(document)), document.size, owner_of(document.user_id))
        by = (document.request.title, document.sender or "") if document.request else ()
        click.echo("\t".join(printable(str(value)) for value in (*told, document.filename, *by)))


@documents.command("export")
@click.argument("folder", metavar="DIR", type=click.Path(file_okay=False, resolve_path=True, path_type=Path))
@_user_option
@_request_option
@click.option(
    "--since", metavar="DATE", type=click.DateTime(["%Y-%m-%d"]), help="Only what was uploaded from this day on (UTC)."
)
def export(folder: Path, email: str | None, request_id: str | None, since: datetime | None) -> None:
    """Copy the files with their true names into DIR, a folder for each account.

    Equal names are numbered, oldest first: a.pdf, a (2).pdf. Characters that other systems refuse become "_". What an
    earlier export copied is recognised, anything else that lies there is left alone. Every byte is compared with what
    was uploaded; what has changed is named, with exit code 1.
    """
    set_up()
    refuse_own_folder(folder)
    done: Counter[str] = Counter()
    taken: dict[Path, int] = {}
    with one_line_errors():
        folder.mkdir(mode=0o700, exist_ok=True)
        owner_of = _owners()
        for document in _chosen(email, since, request_id):
            home = folder / _folder_name(document.user_id, owner_of(document.user_id))
            home.mkdir(mode=0o700, exist_ok=True)
            done[_export(document, home, taken)] += 1
    click.echo(f"{done[COPIED]} documents exported, {done[THERE]} were there, {done[DAMAGED]} damaged.")
    if done[DAMAGED]:
        raise SystemExit(1)


def _chosen(email: str | None, since: datetime | None = None, request_id: str | None = None) -> Iterator[Document]:
    conditions = []
    if request_id is not None:
        conditions.append(Document.request_id == _existing_request(request_id))
    if email is not None:
        conditions.append(Document.user_id == existing_user(email).id)
    if since is not None:
        conditions.append(Document.created_at >= since)
    return Document.in_order(db.session(), *conditions)


def _existing_request(public_id: str) -> int:
    """Return the row of a file request, which may be over; stop with one line when there is none."""
    wanted = select(FileRequest.id).where(FileRequest.public_id == public_id)
    found: int | None = db.session.scalar(wanted) if is_id(public_id) else None
    if found is None:
        raise click.ClickException(f"There is no request {public_id}.")
    return found


def _owners() -> Callable[[int], str]:
    """Return what tells an account's e-mail by its id, and remembers it."""

    @cache
    def email(user_id: int) -> str:
        return db.session.scalars(select(User.email).where(User.id == user_id)).one()

    return email


def _time(document: Document) -> datetime:
    return document.uploaded_at or document.created_at


def _folder_name(user_id: int, email: str) -> str:
    """Return the name of an account's folder: its e-mail, with the id where that is no safe name as it stands."""
    safe = safe_name(email)
    return safe if safe == email else f"{safe}-{user_id}"


def _export(document: Document, home: Path, taken: dict[Path, int]) -> str:
    """Copy the document into `home` under a name that this run has not taken; return what became of it."""
    path = _place(document, home, taken)
    if os.path.lexists(path):
        return THERE
    try:
        _copy(document, path)
    except OSError as error:
        if not is_kept(document):
            return DELETED
        complain(f"{document.path}: {copies.fault(error)}")
        return DAMAGED
    return COPIED


def _place(document: Document, home: Path, taken: dict[Path, int]) -> Path:
    """Return the first of a.pdf, a (2).pdf, a (3).pdf and so on that is free, or holds these bytes already.

    `taken` tells each name of this run, and the number that was reached for it.
    """
    first = home / safe_name(document.filename)
    for number in count(taken.get(first, 0) + 1):
        path = first if number == 1 else first.with_name(f"{first.stem} ({number}){first.suffix}")
        if path not in taken and (_holds(path, document) or not os.path.lexists(path)):
            taken[path], taken[first] = 1, number
            return path
    raise AssertionError("there is always another number")


def _holds(path: Path, document: Document) -> bool:
    """Tell whether the plain file `path` has the document's bytes."""
    try:
        if path.is_symlink() or path.stat().st_size != document.size:
            return False
    except OSError:
        return False
    return copies.holds(lambda: path.open("rb"), document.size, document.sha256)


def _copy(document: Document, path: Path) -> None:
    """Copy the document to `path`, dated as it was uploaded; raise OSError where its bytes are not what they were."""
    draft = path.with_name(".exporting.part")
    draft.unlink(missing_ok=True)  # a killed one's
    staged = Staged(draft)
    try:
        with current_app.extensions["storage"].open(document.path) as file:
            copies.copy(file, staged, document.size, document.sha256)
        with disk_errors():
            moment = _time(document).replace(tzinfo=UTC).timestamp()
            os.utime(draft, (moment, moment))
            staged.sync()
            draft.rename(path)
    finally:
        staged.discard()
