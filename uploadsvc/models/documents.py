"""What was uploaded: one row a stored file."""

import hashlib
import json
from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import Any

from sqlalchemy import (
    JSON,
    BigInteger,
    Connection,
    ForeignKey,
    Index,
    String,
    Text,
    and_,
    cast,
    delete,
    func,
    select,
    text,
    update,
)
from sqlalchemy.orm import Mapped, Session, aliased, mapped_column, relationship

from ..credentials import new_id
from ..extensions import connection, db
from .accounts import User
from .clock import now, rfc3339
from .requests import FileRequest
from .tokens import ApiToken

Row = dict[str, Any]  # by the names of the columns
SENDER_CHARS = 200
_PAGE = 500  # rows
_HAS_KEY = text("idempotency_key IS NOT NULL")
PENDING = text("status = 'pending'")  # written out: a plan for whatever a parameter may be cannot use their index
_BY_CODE_POINT = Text().with_variant(Text(collation="C"), "postgresql")  # as SQLite compares anyway


class Document(db.Model):  # type: ignore[name-defined]
    """One stored file. `id` gives the order, `public_id` is what the API calls the document's id."""

    __tablename__ = "documents"
    # Each order of the list has one, and of everybody's. Partial where few rows count, for a page is written with every
    # row: 1 % of the processor time of a small upload.
    __table_args__ = (
        Index(None, "user_id", "id"),
        Index(None, "user_id", "search_key", "id"),
        Index(None, "user_id", "size", "id"),
        Index(None, "search_key", "id"),
        Index(None, "size", "id"),
        Index(
            None,
            "user_id",
            "idempotency_key",
            "part",
            unique=True,
            sqlite_where=_HAS_KEY,
            postgresql_where=_HAS_KEY,
        ),
        Index("ix_documents_pending", "created_at", sqlite_where=PENDING, postgresql_where=PENDING),
    )
    id: Mapped[int] = mapped_column(primary_key=True)
    public_id: Mapped[str] = mapped_column(String(32), unique=True, default=new_id)
    user_id: Mapped[int] = mapped_column(ForeignKey("users.id"))
    token_id: Mapped[int | None] = mapped_column(ForeignKey("api_tokens.id"))
    request_id: Mapped[int | None] = mapped_column(ForeignKey("file_requests.id"))
    sender: Mapped[str | None] = mapped_column(String(SENDER_CHARS))  # what a visitor called himself
    filename: Mapped[str] = mapped_column(String(255))
    search_key: Mapped[str] = mapped_column(_BY_CODE_POINT, server_default=text("''"))
    path: Mapped[str] = mapped_column(String(512))
    content_type: Mapped[str] = mapped_column(String(127))
    size: Mapped[int] = mapped_column(BigInteger)
    sha256: Mapped[str] = mapped_column(String(64))
    status: Mapped[str] = mapped_column(String(16), default="success")
    created_at: Mapped[datetime] = mapped_column(default=now, index=True)
    uploaded_at: Mapped[datetime | None]
    idempotency_key: Mapped[str | None] = mapped_column(String(64))
    part: Mapped[int] = mapped_column(default=0)
    token: Mapped[ApiToken | None] = relationship(lazy="joined")
    request: Mapped[FileRequest | None] = relationship(lazy="joined")
    owner: Mapped[User] = relationship()
    # Only the answer to an upload tells these, and they may be large: a list neither loads nor reads over them.
    fieldname: Mapped[str] = mapped_column(Text, deferred=True, deferred_group="upload")
    fields: Mapped[dict[str, str] | None] = mapped_column(  # the upload's text fields, on its first row alone
        JSON(none_as_null=True), deferred=True, deferred_group="upload"
    )
    upload_digest: Mapped[str | None] = mapped_column(  # of an upload with a key: which files it brought
        String(64), deferred=True, deferred_group="upload"
    )

    @classmethod
    def owned(cls, user_id: int) -> Any:
        """Return the query of everything that belongs to `user_id`."""
        return select(cls).where(cls.user_id == user_id, KEPT)

    @classmethod
    def in_order(cls, session: Session, *conditions: Any) -> Iterator["Document"]:
        """Yield the documents that meet `conditions`, oldest first and detached from `session`.

        They are read by the page: a reading that stayed open for hours would keep SQLite from emptying its log.
        """
        query, last = select(cls).where(KEPT, *conditions).order_by(cls.id).limit(_PAGE), 0
        while page := session.scalars(query.where(cls.id > last)).all():
            session.expunge_all()
            session.rollback()
            yield from page
            last = page[-1].id

    @classmethod
    def miscounted(cls) -> list[tuple[int, str, int, int]]:
        """Return what is counted wrongly, `bytes` or `documents`: account, which, as counted and as there is."""
        size = cast(func.coalesce(func.sum(cls.size), 0), BigInteger)
        theirs = and_(cls.user_id == User.id, KEPT)
        wrong: list[tuple[int, str, int, int]] = []
        for what, counted, kept in (("bytes", User.used_bytes, size), ("documents", User.document_count, _NUMBER)):
            query = select(User.id, counted, kept).outerjoin(cls, theirs).group_by(User.id).having(counted != kept)
            wrong += [(user_id, what, said, there) for user_id, said, there in db.session.execute(query)]
        return sorted(wrong)

    @classmethod
    def beyond_requests(cls) -> list[tuple[str, int, int]]:
        """Return the id of each file request with more documents than it counts as received, and both numbers."""
        theirs = and_(cls.request_id == FileRequest.id, KEPT)
        query = select(FileRequest.public_id, FileRequest.files_received, func.count(cls.id).label("kept"))
        query = query.join(cls, theirs).group_by(FileRequest.id)
        wrong = db.session.execute(query.having(func.count(cls.id) > FileRequest.files_received))
        return [(row.public_id, row.files_received, row.kept) for row in wrong]

    @classmethod
    def total(cls, database: Session | Connection) -> tuple[int, int]:
        """Return the number of documents and of their bytes."""
        count, size = database.execute(select(func.count(), func.sum(cls.size)).where(KEPT)).one()
        return count, int(size or 0)  # some databases sum to a Decimal

    @classmethod
    def of_upload(cls, user_id: int, key: str) -> list[Row]:
        """Return the rows left of the user's upload with this Idempotency-Key, in its order.

        They are asked on the request's connection, which whoever lets time pass gives back.
        """
        query = select(cls.__table__).where(cls.user_id == user_id, cls.idempotency_key == key).order_by(cls.part)
        return [dict(row) for row in connection().execute(query).mappings()]

    @staticmethod
    def digest_of(files: Iterable[tuple[str, int, str]]) -> str:
        """Return what tells an upload's files, each a name, a size and a SHA-256, from any other upload's."""
        return hashlib.sha256(json.dumps(list(files)).encode()).hexdigest()

    def delete(self, session: Session | None = None) -> bool:
        """Delete the row and commit; return False when somebody else already has. `session`: of a copy's database.

        It is found by its public id: SQLite gives the number of the newest row, once that is gone, to the next one.
        """
        session = session or db.session()
        if self.idempotency_key:
            self._pass_on_fields(session)
        deleted = session.execute(delete(Document).where(Document.public_id == self.public_id))
        if deleted.rowcount:  # type: ignore[attr-defined]
            User.discharge(session, self.user_id, self.size)
        session.commit()
        return bool(deleted.rowcount)  # type: ignore[attr-defined]

    def _pass_on_fields(self, session: Session) -> None:
        """Give the text fields to the upload's next row, for a repeat of its key still tells them."""
        row = aliased(Document)
        fields = select(row.fields).where(row.public_id == self.public_id).scalar_subquery()
        others = (row.user_id == self.user_id, row.idempotency_key == self.idempotency_key, row.part > self.part)
        heir = select(row.id).where(*others).order_by(row.part).limit(1).scalar_subquery()
        passed_on = update(Document).where(Document.id == heir, fields.is_not(None)).values(fields=fields)
        session.execute(passed_on, execution_options={"synchronize_session": False})

    @property
    def via(self) -> dict[str, str] | None:
        """Tell how it came: by an API token or a file request, each with its name; None for a session."""
        if self.request is not None:
            return {"request": self.request.title}
        return {"token": self.token.name} if self.token is not None else None

    @staticmethod
    def as_file(row: Row) -> dict[str, Any]:
        """Return the `file` of an upload's answer."""
        return {
            "fieldname": row["fieldname"],
            "filename": row["filename"],
            "savedTo": f"/uploads/{row['path']}",
            "mimetype": row["content_type"],
            "size": row["size"],
            "id": row["public_id"],
            "sha256": row["sha256"],
        }

    def as_document(self, for_collector: bool = False) -> dict[str, Any]:
        """Return the `document` of the list, which tells a collector whose it is."""
        owner = {"owner": {"id": self.user_id, "email": self.owner.email}} if for_collector else {}
        return owner | {
            "id": self.public_id,
            "filename": self.filename,
            "mimetype": self.content_type,
            "size": self.size,
            "sha256": self.sha256,
            "status": self.status,
            "createdAt": rfc3339(self.created_at),
            "uploadedAt": rfc3339(self.uploaded_at),
            "via": self.via,
            "sender": self.sender,
        }


_NUMBER = func.count(Document.id)
KEPT = Document.status == "success"  # what a document is; other rows are of uploads under way
