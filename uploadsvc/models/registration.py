"""How an upload's rows become documents: all at once, or announced first and confirmed at the end."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import datetime

from sqlalchemy import bindparam, delete, insert, select, update
from sqlalchemy.exc import DBAPIError

from ..errors import OutcomeUnknown, Unavailable
from ..extensions import Prepared, db, plain, release_connection
from .accounts import User
from .clock import now
from .documents import PENDING, Document, Row
from .requests import FileRequest

_PENDING = "pending"  # the status of a row whose bytes are on their way


def store(uploads: list[list[Row]], quota: int) -> None:
    """Insert the rows of uploads within their owners' quotas and commit, all or none.

    Raises QuotaExceeded, OutcomeUnknown and IntegrityError for a key that was used; for an upload by a file request
    that takes no more, or not as many, RequestOver or TooLarge.

    `quota`, in bytes, is that of accounts without one of their own; 0 is none. It is plain SQL, for the unit of
    work costs three times as much.
    """
    moment = now()
    # Whoever stores in another process meets the same keys and accounts in the same order, so that of two one waits.
    uploads = sorted(uploads, key=lambda rows: rows[0]["idempotency_key"] or "")
    with _committed():
        # First, for a repeated key is that, whatever the quota says.
        _INSERT.run(*(row | {"uploaded_at": moment} for rows in uploads for row in rows))
        for rows in _of_one_owner(uploads):
            _count(rows, quota)


def announce(row: Row) -> None:
    """Insert a row that is not a document yet, unseen, uncharged and without its key, and commit."""
    with _committed():
        _INSERT.run(row | {"status": _PENDING, "idempotency_key": None, "uploaded_at": None})


def confirm(rows: list[Row], quota: int) -> None:
    """Let one upload's announced rows be documents, as `store` inserts them; raise as that does, and Unavailable.

    They are updated in their order, so that of equal uploads at once one waits for the other.
    """
    moment = now()
    with _committed():
        if _CONFIRM.run(*(row | {"uploaded_at": moment} for row in rows)) != len(rows):  # the sweep was faster
            raise Unavailable("Storing the upload took too long. Nothing was kept; try again.")
        _count(rows, quota)


def withdraw(announced: list[str]) -> bool:
    """Delete announced rows, by their public ids, and commit; tell whether none had become a document."""
    with _committed():
        return _WITHDRAW.run(*({"public_id": public_id} for public_id in announced)) == len(announced)


def forget_announced(before: datetime) -> None:
    """Delete what was announced before then and never confirmed, and commit."""
    old = (PENDING, Document.created_at < before)
    if db.session.scalar(select(Document.id).where(*old).limit(1)):  # looking locks nobody out, to delete does
        db.session.execute(delete(Document).where(*old))
    db.session.commit()


def _of_one_owner(uploads: list[list[Row]]) -> Iterable[list[Row]]:
    """Return the rows in parts that each one account, or one of its file requests, has to keep, in their order."""
    parts: dict[tuple[int, int], list[Row]] = {}
    for rows in uploads:
        parts.setdefault((rows[0]["user_id"], rows[0]["request_id"] or 0), []).extend(rows)
    return [rows for _, rows in sorted(parts.items())]


def _count(rows: list[Row], quota: int) -> None:
    """Count rows against what its account may keep and, if a visitor sent it, what his request may take."""
    User.charge(rows[0]["user_id"], len(rows), sum(row["size"] for row in rows), quota)
    if rows[0]["request_id"] is not None:
        FileRequest.count(rows[0]["request_id"], len(rows))


def _commit() -> None:
    """Commit; raise OutcomeUnknown when the connection broke meanwhile, for PostgreSQL may have had the COMMIT."""
    try:
        plain().commit()
    except DBAPIError as error:
        if error.connection_invalidated:
            raise OutcomeUnknown from error
        raise


@contextmanager
def _committed() -> Iterator[None]:
    """Commit what is done inside on the request's connection, and give that back whatever happens."""
    try:
        yield
        _commit()
    finally:
        release_connection()


_COLUMNS = [column.name for column in Document.__table__.columns if column.name != "id"]
_INSERT = Prepared(insert(Document.__table__).inline().values({name: bindparam(name) for name in _COLUMNS}))
_ANNOUNCED = (Document.__table__.c.public_id == bindparam("public_id"), Document.__table__.c.status == _PENDING)
_WITHDRAW = Prepared(delete(Document.__table__).where(*_ANNOUNCED))
_CONFIRM = Prepared(
    update(Document.__table__)
    .where(*_ANNOUNCED)
    .values(
        status="success",
        uploaded_at=bindparam("uploaded_at"),
        idempotency_key=bindparam("idempotency_key"),
    )
)
