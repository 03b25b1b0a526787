"""What was uploaded: one row a stored file."""

from datetime import datetime
from typing import Any

from sqlalchemy import JSON, BigInteger, ForeignKey, String, Text, UniqueConstraint, insert, select
from sqlalchemy.orm import Mapped, mapped_column

from ..credentials import new_id
from ..extensions import db
from .clock import now, rfc3339


class Document(db.Model):  # type: ignore[name-defined]
    """One stored file. `id` gives the order, `public_id` is what the API calls the document's id."""

    __tablename__ = "documents"
    __table_args__ = (UniqueConstraint("user_id", "idempotency_key", "part"), {"sqlite_autoincrement": True})
    id: Mapped[int] = mapped_column(primary_key=True)
    public_id: Mapped[str] = mapped_column(String(32), unique=True, default=new_id)
    user_id: Mapped[int] = mapped_column(ForeignKey("users.id"), index=True)
    filename: Mapped[str] = mapped_column(String(255))
    path: Mapped[str] = mapped_column(String(512), unique=True)
    content_type: Mapped[str] = mapped_column(String(127))
    size: Mapped[int] = mapped_column(BigInteger)
    sha256: Mapped[str] = mapped_column(String(64))
    status: Mapped[str] = mapped_column(String(16), default="success")
    created_at: Mapped[datetime] = mapped_column(default=now, index=True)
    uploaded_at: Mapped[datetime | None]
    idempotency_key: Mapped[str | None] = mapped_column(String(64))
    part: Mapped[int] = mapped_column(default=0)
    fieldname: Mapped[str] = mapped_column(Text)
    fields: Mapped[dict[str, str] | None] = mapped_column(JSON(none_as_null=True))  # the text fields of the upload

    @classmethod
    def owned(cls, user_id: int) -> Any:
        """Return the query of everything that belongs to `user_id`."""
        return select(cls).where(cls.user_id == user_id)

    @classmethod
    def of_upload(cls, user_id: int, key: str) -> list["Document"]:
        """Return what the user's upload with this Idempotency-Key stored, in its order."""
        return list(db.session.scalars(cls.owned(user_id).where(cls.idempotency_key == key).order_by(cls.part)))

    @classmethod
    def store(cls, rows: list[dict[str, Any]]) -> list["Document"]:
        """Insert one upload's rows and commit; in plain SQL, for the unit of work costs three times as much."""
        db.session.execute(insert(cls.__table__), rows)
        db.session.commit()
        return [cls(**row) for row in rows]

    def as_file(self) -> dict[str, Any]:
        """Return the `file` of an upload's answer."""
        return {
            "fieldname": self.fieldname,
            "filename": self.filename,
            "savedTo": f"/uploads/{self.path}",
            "mimetype": self.content_type,
            "size": self.size,
            "id": self.public_id,
            "sha256": self.sha256,
        }

    def as_document(self) -> dict[str, Any]:
        """Return the `document` of the list."""
        return {
            "id": self.public_id,
            "filename": self.filename,
            "mimetype": self.content_type,
            "size": self.size,
            "sha256": self.sha256,
            "status": self.status,
            "createdAt": rfc3339(self.created_at),
            "uploadedAt": rfc3339(self.uploaded_at),
        }
