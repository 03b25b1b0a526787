"""What people without an account are asked for files with: a link that takes so many of them until some day."""

from datetime import datetime, timedelta
from typing import Any, NamedTuple

from sqlalchemy import ForeignKey, String, Text, bindparam, func, select, update
from sqlalchemy.orm import Mapped, mapped_column, undefer

from ..credentials import new_id
from ..errors import BadRequest, RequestOver, TooLarge
from ..extensions import Prepared, connection, db, release_connection
from ..filetypes import readable
from .accounts import ACCOUNT_COLUMNS, Account, User
from .clock import now, rfc3339

DEFAULT_DAYS, MAX_DAYS = 30, 365
DEFAULT_FILES, MAX_FILES = 100, 10_000
TITLE_CHARS, NOTE_CHARS = 200, 2000
_MAX_LISTED = 100  # of one user


class FileRequest(db.Model):  # type: ignore[name-defined]
    """One request for files. The row outlives it, for documents say by which request they came.

    `files_received` counts what has come; deleting a document later makes no room for another.
    """

    __tablename__ = "file_requests"
    id: Mapped[int] = mapped_column(primary_key=True)
    public_id: Mapped[str] = mapped_column(String(32), unique=True, default=new_id)
    user_id: Mapped[int] = mapped_column(ForeignKey("users.id"), index=True)
    title: Mapped[str] = mapped_column(String(TITLE_CHARS))
    note: Mapped[str] = mapped_column(Text, deferred=True)  # a list of documents reads titles alone
    max_files: Mapped[int]
    files_received: Mapped[int] = mapped_column(default=0, server_default="0")
    created_at: Mapped[datetime] = mapped_column(default=now)
    expires_at: Mapped[datetime]
    ended_at: Mapped[datetime | None]  # from here on nothing is taken: it was ended, or its time was found to be over
    deleted_at: Mapped[datetime | None]  # its owner wants to see it no longer

    @classmethod
    def create(cls, user_id: int, title: str, note: str, days: int, max_files: int) -> "FileRequest":
        """Add a request that ends after `days` or with `max_files` files, and commit; raise BadRequest."""
        title, note = readable(title).strip(), _lines(note)
        if not 1 <= len(title) <= TITLE_CHARS:
            raise BadRequest(f"A request's title has 1 to {TITLE_CHARS} characters that can be shown.")
        if len(note) > NOTE_CHARS:
            raise BadRequest(f"A request's note has at most {NOTE_CHARS} characters.")
        if not 1 <= days <= MAX_DAYS:
            raise BadRequest(f"A request ends after 1 to {MAX_DAYS} days.")
        if not 1 <= max_files <= MAX_FILES:
            raise BadRequest(f"A request takes 1 to {MAX_FILES} files.")
        if len(cls.of(user_id)) >= _MAX_LISTED:
            raise BadRequest(f"There are {_MAX_LISTED} requests already. Delete some that are over.")
        moment = now()
        made = cls(public_id=new_id(), user_id=user_id, title=title, note=note, max_files=max_files)
        made.files_received, made.created_at, made.expires_at = 0, moment, moment + timedelta(days=days)
        db.session.add(made)
        db.session.commit()
        return made

    @classmethod
    def of(cls, user_id: int) -> list["FileRequest"]:
        """Return the user's requests that were not deleted, the newest first; what is over by its time has ended."""
        query = select(cls).where(cls.user_id == user_id, cls.deleted_at.is_(None)).order_by(cls.id.desc())
        query = query.options(undefer(cls.note))
        found = list(db.session.scalars(query))
        if any(request.is_late for request in found):
            db.session.rollback()
            cls.end_late(user_id=user_id)
            found = list(db.session.scalars(query.execution_options(populate_existing=True)))
        return found

    @property
    def is_late(self) -> bool:
        """Tell whether its time is over, and nobody has recorded that yet."""
        return self.ended_at is None and self.expires_at <= now()

    @property
    def over(self) -> str | None:
        """Return why nothing more is taken: `files` came, its `time` is over, it was `ended`; None while it is open."""
        if self.files_received >= self.max_files:
            return "files"
        if self.ended_at is None:
            return None
        return "time" if self.ended_at == self.expires_at else "ended"

    @classmethod
    def end_late(cls, **of: Any) -> None:
        """Record the end of requests whose time is over, of those with these values; commit.

        It is done before anybody is told of the end. The row's lock, or SQLite's one writer, puts it behind uploads
        that are being counted, and the others find it: whatever their clocks say, no file comes after it was told.
        """
        late = [cls.ended_at.is_(None), cls.expires_at <= now()]
        late += [getattr(cls, name) == value for name, value in of.items()]
        try:
            connection().execute(update(cls).where(*late).values(ended_at=cls.expires_at))
            connection().commit()
        finally:
            release_connection()

    @classmethod
    def delete_own(cls, user_id: int, public_id: str) -> bool:
        """End the user's request at once and list it no longer; commit. Return False when there is none."""
        own = (cls.user_id == user_id, cls.public_id == public_id, cls.deleted_at.is_(None))
        moment = now()
        values = {"deleted_at": moment, "ended_at": func.coalesce(cls.ended_at, moment)}
        deleted = db.session.execute(update(cls).where(*own).values(values))
        db.session.commit()
        return bool(deleted.rowcount)  # type: ignore[attr-defined]

    @classmethod
    def end(cls, *conditions: Any) -> list[tuple[str, int]]:
        """End the open requests that meet `conditions` at once and commit; return their public ids and their users."""
        cls.end_late()  # by their time, which they are told to be over by
        ended = update(cls).where(cls.ended_at.is_(None), *conditions).values(ended_at=now())
        found = db.session.execute(ended.returning(cls.public_id, cls.user_id)).all()
        db.session.commit()
        return [(row.public_id, row.user_id) for row in found]

    @classmethod
    def visited(cls, public_id: str) -> tuple[Account, "Visit"]:
        """Return an active account and what a visitor needs to know of its request; raise RequestOver.

        One whose files have all come can still be visited: who repeats the last upload gets its answer.
        """
        row: Any = connection().execute(_VISITED, {"public_id": public_id}).one_or_none()
        if row is None or row.ended_at is not None:
            raise RequestOver
        if row.expires_at <= now():
            cls.end_late(id=row.request_id)
            raise RequestOver
        left = row.max_files - row.files_received
        visit = Visit(row.request_id, public_id, row.title, row.note, row.expires_at, left)
        return Account(*row[: len(ACCOUNT_COLUMNS)]), visit

    @classmethod
    def count(cls, request_id: int, files: int) -> None:
        """Count `files` as received, in the caller's transaction, which decides races; raise RequestOver or TooLarge.

        Whoever is refused finds the transaction rolled back.
        """
        if _COUNT.run({"request_id": request_id, "more": files, "now": now()}):
            return
        release_connection()
        cls.end_late(id=request_id)
        left = connection().scalar(select(cls.max_files - cls.files_received).where(cls.id == request_id, _OPEN))
        check_places(left or 0, files)
        raise RequestOver

    def as_request(self, url: str) -> dict[str, Any]:
        """Return the `request` of the API's answers to its owner."""
        return {
            "id": self.public_id,
            "title": self.title,
            "note": self.note,
            "url": url,
            "maxFiles": self.max_files,
            "filesReceived": self.files_received,
            "createdAt": rfc3339(self.created_at),
            "expiresAt": rfc3339(self.expires_at),
            "over": self.over,
        }


class Visit(NamedTuple):
    """What a visitor's request needs to know of the file request whose secret it bears."""

    request_id: int
    public_id: str
    title: str
    note: str
    expires_at: datetime
    files_left: int

    def as_seen(self) -> dict[str, Any]:
        """Return what a visitor is shown; raise RequestOver when all files have come."""
        check_places(self.files_left, 1)
        expires_at = rfc3339(self.expires_at)
        return {"title": self.title, "note": self.note, "expiresAt": expires_at, "filesLeft": self.files_left}


def check_places(left: int, files: int) -> None:
    """Raise RequestOver when no more files are taken, TooLarge when fewer than these; `count` has the last word."""
    if left <= 0:
        raise RequestOver
    if files > left:
        raise TooLarge(f"This upload has {files} files, and only {left} can still be taken. Nothing was stored.")


def _lines(note: str) -> str:
    """Return a note with its lines, and without what else cannot be shown."""
    return "\n".join(readable(line).rstrip() for line in note.splitlines()).strip()


_OPEN = FileRequest.ended_at.is_(None)
_VISITED = (
    select(
        *ACCOUNT_COLUMNS,
        FileRequest.id.label("request_id"),
        FileRequest.title,
        FileRequest.note,
        FileRequest.max_files,
        FileRequest.files_received,
        FileRequest.expires_at,
        FileRequest.ended_at,
    )
    .join(FileRequest.__table__, FileRequest.user_id == User.id)
    .where(FileRequest.public_id == bindparam("public_id"), User.is_active)
)
_COUNT = Prepared(
    update(FileRequest.__table__)
    .where(FileRequest.id == bindparam("request_id"), _OPEN, FileRequest.expires_at > bindparam("now"))
    .where(FileRequest.files_received + bindparam("more") <= FileRequest.max_files)
    .values(files_received=FileRequest.files_received + bindparam("more"))
)
