"""The tables, and the rules about one record.

Times are naive UTC: SQLite keeps no zone, and one convention on every engine beats two.
"""

import logging
import re
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import JSON, BigInteger, ForeignKey, String, Text, UniqueConstraint, bindparam, insert, select, update
from sqlalchemy.orm import Mapped, mapped_column

from . import credentials
from .credentials import derive, digest, new_id
from .errors import BadRequest, SessionEnded
from .extensions import db

security = logging.getLogger("uploadsvc.security")

REFRESH_LIFE = timedelta(days=7)  # from the last refresh
SESSION_LIFE = timedelta(days=30)  # from the sign-in, whatever happens
PARENT_GRACE = timedelta(seconds=30)  # two tabs, or an answer lost on the way


def now() -> datetime:
    """Return the present in UTC, without a zone."""
    return datetime.now(UTC).replace(tzinfo=None)


def rfc3339(time: datetime | None) -> str | None:
    """Return a stored time as the API shows it."""
    return None if time is None else time.isoformat(timespec="milliseconds") + "Z"


class User(db.Model):  # type: ignore[name-defined]
    """A person with an account."""

    __tablename__ = "users"
    id: Mapped[int] = mapped_column(primary_key=True)
    email: Mapped[str] = mapped_column(String(254), unique=True)
    password_hash: Mapped[str] = mapped_column(String(60))
    is_active: Mapped[bool] = mapped_column(default=True)
    created_at: Mapped[datetime] = mapped_column(default=now)

    @staticmethod
    def normalise(email: str) -> str:
        """Return the form in which an address is stored and compared."""
        if any("\ud800" <= character <= "\udfff" for character in email):  # a command's argument that is not UTF-8
            raise BadRequest("This is not an e-mail address.")
        return email.strip().lower()

    @classmethod
    def by_email(cls, email: str) -> "User | None":
        """Return the account of `email`, if there is one."""
        return db.session.scalar(select(cls).where(cls.email == cls.normalise(email)))

    @classmethod
    def create(cls, email: str, password: str, rounds: int) -> "User":
        """Add an account to the session; raise BadRequest for an unusable address or password."""
        email = cls.normalise(email)
        if not re.fullmatch(r"[^@\s\x00-\x1f]+@[^@\s\x00-\x1f]+", email) or len(email) > 254:  # noqa: PLR2004 - RFC 5321
            raise BadRequest("This is not an e-mail address.")
        user = cls(email=email)
        user.set_password(password, rounds)
        db.session.add(user)
        return user

    def set_password(self, password: str, rounds: int) -> None:
        """Hash a new password; raise BadRequest when it may not be one."""
        credentials.check_new(password, self.email)
        self.password_hash = credentials.hashed(password, rounds)

    @staticmethod
    def verify(user: "User | None", password: str, rounds: int) -> bool:
        """Tell whether `password` is right for an active `user`; nobody and a disabled one are alike, in time too.

        A right password whose hash is cheaper than `rounds` is hashed anew.
        """
        if user and not user.is_active:
            user = None
        right = credentials.is_right(user.password_hash if user else None, password, rounds)
        if not (right and user):
            return False
        if credentials.cost(user.password_hash) < rounds:
            user.password_hash = credentials.hashed(password, rounds)
        return True

    def end_sessions(self, but: str | None = None) -> None:
        """End every session of the user, save the one with the id `but`."""
        ended = update(Session).where(
            Session.user_id == self.id, Session.revoked_at.is_(None), Session.id != (but or "")
        )
        db.session.execute(ended.values(revoked_at=now()))


class Session(db.Model):  # type: ignore[name-defined]
    """One sign-in: a family of refresh tokens of which the newest, and briefly its parent, are good."""

    __tablename__ = "sessions"
    id: Mapped[str] = mapped_column(String(32), primary_key=True, default=new_id)
    user_id: Mapped[int] = mapped_column(ForeignKey("users.id"), index=True)
    refresh_token_hash: Mapped[str] = mapped_column(String(64))
    parent_token_hash: Mapped[str | None] = mapped_column(String(64))
    rotated_at: Mapped[datetime | None]
    created_at: Mapped[datetime] = mapped_column(default=now)
    expires_at: Mapped[datetime] = mapped_column(index=True)
    revoked_at: Mapped[datetime | None]
    user_agent: Mapped[str] = mapped_column(String(255), default="")

    @classmethod
    def start(cls, user: User, user_agent: str) -> tuple["Session", str]:
        """Add a session for `user`; return it with its first refresh token's id."""
        jti = new_id()
        session = cls(user_id=user.id, refresh_token_hash=digest(jti), user_agent=user_agent[:255])
        session.id, session.created_at = new_id(), now()
        session.expires_at = session.created_at + REFRESH_LIFE
        db.session.add(session)
        return session, jti

    @classmethod
    def alive(cls, sid: str, user_id: int) -> str | None:
        """Return the e-mail of the active user whose live session `sid` is, else None."""
        return db.session.scalar(_ALIVE, {"sid": sid, "user_id": user_id, "now": now()})

    @classmethod
    def end(cls, sid: str) -> None:
        """End one session at once. Commits."""
        db.session.execute(update(cls).where(cls.id == sid, cls.revoked_at.is_(None)).values(revoked_at=now()))
        db.session.commit()

    @classmethod
    def rotate(cls, sid: str, jti: str, secret: str) -> tuple["Session", str]:
        """Exchange the refresh token `jti` of a live session for its one child; return session and child's id.

        The child's id is derived, so that a repeat within the grace gets the same child. Reuse of an older token
        ends the session (RFC 9700 §4.14.2) and raises SessionEnded. Commits.
        """
        child, moment = derive(secret, "refresh", sid, jti), now()
        rotated = db.session.execute(
            update(cls)
            .where(cls.id == sid, cls.refresh_token_hash == digest(jti), cls.revoked_at.is_(None))
            .values(refresh_token_hash=digest(child), parent_token_hash=digest(jti), rotated_at=moment)
        )
        session = db.session.get_one(cls, sid, populate_existing=True)
        if rotated.rowcount:  # type: ignore[attr-defined]
            session.expires_at = min(moment + REFRESH_LIFE, session.created_at + SESSION_LIFE)
        elif session.parent_token_hash != digest(jti) or (session.rotated_at or moment) + PARENT_GRACE < moment:
            session.revoked_at = session.revoked_at or moment
            security.warning("refresh_token_reused", extra={"user_id": session.user_id})
        db.session.commit()
        if session.revoked_at:
            raise SessionEnded
        return session, child


# Built once: every request asks it, and building it costs more than running it.
_ALIVE = (
    select(User.email)
    .join(Session, Session.user_id == User.id)
    .where(Session.id == bindparam("sid"), Session.user_id == bindparam("user_id"), User.is_active)
    .where(Session.revoked_at.is_(None), Session.expires_at > bindparam("now"))
)


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


class ApiToken(db.Model):  # type: ignore[name-defined]
    """A script's long-lived credential; the table is part of the first schema, its routes are not built yet."""

    __tablename__ = "api_tokens"
    id: Mapped[int] = mapped_column(primary_key=True)
    user_id: Mapped[int] = mapped_column(ForeignKey("users.id"), index=True)
    name: Mapped[str] = mapped_column(String(100))
    token_hash: Mapped[str] = mapped_column(String(64), unique=True)
    created_at: Mapped[datetime] = mapped_column(default=now)
    last_used_at: Mapped[datetime | None]
    expires_at: Mapped[datetime | None]
    revoked_at: Mapped[datetime | None]
